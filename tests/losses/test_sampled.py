"""Drawn inactive labels: what is drawn decides the estimate, and over all of it the mean is the whole loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from heads.laws import FEATURES, HEADS, random_params

import sigfft
from sigfft.losses import focal_loss, of_head, of_sampled

LABEL_SETS = [[0, 3, 11], [], [5, 5], [2, 9]]
FEATURE_ROWS = np.random.default_rng(0).standard_normal((4, FEATURES)).astype(np.float32)


@pytest.mark.parametrize(("name", "reduction"), [("sigmoid", "none"), ("dft slack", "mean")])
def test_all_labels_drawn_once_are_the_whole_loss(monkeypatch, name, reduction):
    """Each label is as likely as any other, so that the mean over draws is that over the labels."""
    head = HEADS[name]
    n = head.n_labels
    monkeypatch.setattr(jax.random, "randint", lambda key, shape, low, high, dtype: jnp.arange(low, high, dtype=dtype))
    labels = np.full((4, 3), n, np.int32)
    for row, ids in zip(labels, LABEL_SETS, strict=True):
        row[: len(ids)] = ids
    weights = {
        "label_weights": np.linspace(0.5, 2, n).astype(np.float32),
        "positive_weights": np.linspace(1, 5, n).astype(np.float32),
        "example_weights": np.array([1, 0, 2, 3], np.float32),
        "reduction": reduction,
    }

    @jax.jit
    def both(params, features):
        sampled = lambda p, x: of_sampled(focal_loss(), head, p, x, labels, jax.random.key(0), n, **weights)  # noqa: E731
        whole = lambda p, x: of_head(focal_loss(), head, p, x, labels, **weights)  # noqa: E731
        of = lambda f: jax.value_and_grad(lambda p, x: (f(p, x) ** 2).sum(), (0, 1))(params, features)  # noqa: E731
        return of(sampled), of(whole)

    sampled, whole = both(random_params(head), FEATURE_ROWS)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4), sampled, whole)


def test_the_mean_over_keys_is_the_whole_loss():
    head, loss = HEADS["sigmoid"], sigfft.losses.binary_cross_entropy()
    params, labels = random_params(head), jnp.asarray(sigfft.labels.pad([[0, 3], [], [5], [2]], 17))
    of_key = lambda key: of_sampled(loss, head, params, FEATURE_ROWS, labels, key, 5)  # noqa: E731
    draws = np.asarray(jax.jit(jax.vmap(of_key))(jax.random.split(jax.random.key(0), 4000)), np.float64)
    expected = of_head(loss, head, params, FEATURE_ROWS, labels)
    assert abs(draws.mean() - expected) < 4 * draws.std() / np.sqrt(len(draws))
    assert draws.std() > 0.02 * expected


def test_bfloat16_features_and_no_label_drawn():
    head, loss = HEADS["sigmoid"], sigfft.losses.binary_cross_entropy()
    params, labels = random_params(head), jnp.asarray(sigfft.labels.pad([[0, 3], [], [5], [2]], 17))
    narrow, wide = (
        of_sampled(loss, head, params, jnp.asarray(FEATURE_ROWS, dtype), labels, jax.random.key(0), 50)
        for dtype in (jnp.bfloat16, jnp.float32)
    )
    assert narrow.dtype == jnp.float32
    np.testing.assert_allclose(narrow, wide, rtol=0.03)
    with pytest.raises(ValueError, match="n_sampled=0 must be a whole number of at least 1"):
        of_sampled(loss, head, params, FEATURE_ROWS, labels, jax.random.key(0), 0)
