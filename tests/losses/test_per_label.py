import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads

import sigfft
from sigfft.losses import LOSSES, asymmetric_loss, per_label

N_LABELS = 17


@pytest.fixture
def labels():
    return jnp.array([[0, 3, 16], [17, 17, 17], [5, 17, 17], [2, 9, 17]])


@pytest.fixture
def logits():
    return 3 * jax.random.normal(jax.random.key(0), (4, N_LABELS))


def test_bce_is_the_dense_definition(logits, labels):
    dense = jax.nn.one_hot(labels, N_LABELS).sum(1)
    expected = optax.sigmoid_binary_cross_entropy(logits, dense).sum(-1).mean()
    np.testing.assert_allclose(sigfft.losses.bce_with_logits(logits, labels), expected, rtol=1e-6)


@pytest.mark.loose_types  # check_grads gives NumPy arrays
@pytest.mark.parametrize(
    ("gamma_active", "gamma_inactive", "margin"), [(0, 4, 0.05), (1, 4, 0.05), (1.5, 2, 0), (0, 0, 0.2), (0, 1, 0)]
)
def test_asymmetric_is_the_dense_definition(logits, labels, gamma_active, gamma_inactive, margin):
    options = {"gamma_active": gamma_active, "gamma_inactive": gamma_inactive, "margin": margin}
    dense = np.asarray(jax.nn.one_hot(labels, N_LABELS).sum(1))
    p = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
    shifted = np.maximum(p - margin, 0)
    active, inactive = -((1 - p) ** gamma_active) * np.log(p), -(shifted**gamma_inactive) * np.log(1 - shifted)
    expected = np.where(dense, active, inactive).sum(-1).mean()
    np.testing.assert_allclose(sigfft.losses.asymmetric_with_logits(logits, labels, **options), expected, rtol=1e-5)
    with jax.enable_x64():
        wide = jnp.asarray(np.asarray(logits), jnp.float64)
        check_grads(
            lambda x: sigfft.losses.asymmetric_with_logits(x, labels, **options), (wide,), order=1, modes=["rev"]
        )


@pytest.mark.parametrize(("gamma", "alpha"), [(2, None), (0.5, 0.25), (0, None)])
def test_focal_and_its_slope_are_the_definition(gamma, alpha):
    x = np.linspace(-300, 300, 2401)
    log_p, log_rest = -np.logaddexp(0, -x), -np.logaddexp(0, x)
    p, rest = np.exp(log_p), np.exp(log_rest)
    weight, other = (1, 1) if alpha is None else (alpha, 1 - alpha)
    active, inactive = -weight * rest**gamma * log_p, -other * p**gamma * log_rest
    of_active = weight * rest**gamma * (gamma * p * log_p - rest)
    of_inactive = other * p**gamma * (p - gamma * rest * log_rest)
    terms = sigfft.losses.focal_loss(gamma, alpha)
    narrow = jnp.asarray(x, jnp.float32)
    value, slope = jax.vmap(jax.value_and_grad(terms.inactive))(narrow)
    np.testing.assert_allclose(value, inactive, rtol=1e-4, atol=1e-30)
    np.testing.assert_allclose(slope, of_inactive, rtol=1e-4, atol=1e-30)
    value, slope = jax.vmap(jax.value_and_grad(terms.correction))(narrow)
    np.testing.assert_allclose(value, active - inactive, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(slope, of_active - of_inactive, rtol=1e-4, atol=1e-6)


def test_asymmetric_without_focus_and_margin_is_bce(logits, labels):
    loss = sigfft.losses.asymmetric_with_logits(logits, labels, gamma_inactive=0, margin=0)
    np.testing.assert_allclose(loss, sigfft.losses.bce_with_logits(logits, labels), rtol=1e-6)


@pytest.mark.parametrize("loss", [sigfft.losses.bce_with_logits, sigfft.losses.asymmetric_with_logits])
def test_extreme_logits_stay_finite(labels, loss):
    logits = jnp.full((4, N_LABELS), 1e4).at[:, ::2].set(-1e4)
    value, grad = jax.value_and_grad(loss)(logits, labels)
    assert jnp.isfinite(value)
    assert jnp.isfinite(grad).all()


def test_bfloat16_logits_are_summed_in_float32(labels):
    loss = sigfft.losses.bce_with_logits(jnp.zeros((4, N_LABELS), jnp.bfloat16), labels)
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, N_LABELS * np.log(2), rtol=1e-6)


def test_softplus_is_accurate_to_float32():
    x = np.linspace(-80, 80, 20001, dtype=np.float32)
    np.testing.assert_allclose(
        per_label.softplus(jnp.asarray(x)), np.logaddexp(0, x.astype(np.float64)), rtol=4e-7, atol=1e-37
    )
    slope = jax.vmap(jax.grad(per_label.softplus))(jnp.asarray(x))
    np.testing.assert_allclose(slope, 1 / (1 + np.exp(-x.astype(np.float64))), rtol=1e-6, atol=1e-37)
    with jax.enable_x64():
        wide = jnp.asarray(x, jnp.float64)
        np.testing.assert_allclose(per_label.softplus(wide), np.logaddexp(0, np.asarray(wide)), rtol=1e-15)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma_active": 0.5}, "gamma_active=0.5 must be 0 or at least 1"),
        ({"gamma_inactive": -1.0}, "gamma_inactive=-1.0 must be 0 or at least 1"),
        ({"label_smoothing": 1.0}, r"label_smoothing=1.0 must be in \[0, 1\)"),
        ({"margin": 1.0}, r"margin=1.0 must be a probability in \[0, 1\)"),
    ],
)
def test_impossible_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        asymmetric_loss(**options)


@pytest.mark.parametrize(
    ("loss", "options", "message"),
    [
        ("focal", {"gamma": -1.0}, "gamma=-1.0 must be at least 0"),
        ("focal", {"alpha": 1.0}, r"alpha=1.0 must be in \(0, 1\)"),
        ("bce", {"positive_weight": 0.0}, "positive_weight=0.0 must be positive"),
    ],
)
def test_impossible_options_of_others_raise(loss, options, message):
    with pytest.raises(ValueError, match=message):
        LOSSES[loss](**options)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_label_smoothing_is_that_of_the_dense_targets(logits, labels, name, smoothing):
    terms, plain = LOSSES[name](label_smoothing=smoothing), LOSSES[name]()
    dense = np.asarray(jax.nn.one_hot(labels, N_LABELS).sum(1))
    inactive, active = plain.inactive(logits), plain.inactive(logits) + plain.correction(logits)
    targets = dense * (1 - smoothing) + smoothing / 2
    expected = (targets * active + (1 - targets) * inactive).sum(-1).mean()
    np.testing.assert_allclose(sigfft.losses.with_logits(terms, logits, labels), expected, rtol=1e-5)
    assert LOSSES[name](label_smoothing=smoothing) is terms
