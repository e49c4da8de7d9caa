import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads

import sigfft

N_LABELS = 17


@pytest.fixture
def labels():
    return jnp.array([[0, 3, 16], [17, 17, 17], [5, 17, 17], [2, 9, 17]])


def test_equals_the_dense_loss(labels):
    logits = 3 * jax.random.normal(jax.random.key(0), (4, N_LABELS))
    dense = jax.nn.one_hot(labels, N_LABELS).sum(1)
    expected = optax.sigmoid_binary_cross_entropy(logits, dense).sum(-1).mean()
    np.testing.assert_allclose(sigfft.losses.bce_with_logits(logits, labels), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "head",
    [
        sigfft.sigmoid_head(N_LABELS, feature_dim=4),
        sigfft.bottleneck_head(N_LABELS, 3, feature_dim=4),
        sigfft.dft_head(N_LABELS, 2, feature_dim=4, spread=2, slack=2),
    ],
    ids=lambda head: head.kind,
)
def test_of_a_head_and_its_gradient(head, labels):
    params = head.init(jax.random.key(0))
    features = jax.random.normal(jax.random.key(1), (4, 4))
    loss = sigfft.losses.bce(head, params, features, labels)
    np.testing.assert_allclose(loss, sigfft.losses.bce_with_logits(head.logits(params, features), labels))
    with jax.enable_x64():
        params, features = jax.tree.map(lambda x: x.astype(jnp.float64), (params, features))
        check_grads(lambda p, x: sigfft.losses.bce(head, p, x, labels), (params, features), order=1, modes=["rev"])


def test_extreme_logits_stay_finite(labels):
    logits = jnp.full((4, N_LABELS), 1e4).at[:, ::2].set(-1e4)
    value, grad = jax.value_and_grad(sigfft.losses.bce_with_logits)(logits, labels)
    assert jnp.isfinite(value)
    assert jnp.isfinite(grad).all()


def test_bfloat16_logits_are_summed_in_float32(labels):
    logits = jnp.zeros((4, N_LABELS), jnp.bfloat16)
    loss = sigfft.losses.bce_with_logits(logits, labels)
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, N_LABELS * np.log(2), rtol=1e-6)
