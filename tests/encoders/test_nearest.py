import jax
import jax.numpy as jnp
import numpy as np
import pytest
from encoders.test_laws import SPARSE
from flax import nnx

from sigfft.encoders import ENCODERS

EXAMPLES = SPARSE | {
    "nearest_ids": np.array([[7, 450, 12], [31, 500, 500], [500, 500, 500]], np.int32),
    "nearest_scores": np.array([[0.5, 0.4, 0.1], [0.2, 0, 0], [0, 0, 0]], np.float32),
    "nearest_counts": np.array([[3, 1, 40], [2, 0, 0], [0, 0, 0]], np.float32),
}


@pytest.fixture(scope="module")
def encoder():
    return ENCODERS["nearest_bag"](9, dim=8, rngs=nnx.Rngs(0))


def test_features_are_those_of_a_bag(encoder):
    bag = ENCODERS["bag"](9, dim=8, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(encoder(EXAMPLES)[:, :8], bag(EXAMPLES))
    assert encoder.feature_dim == bag.feature_dim


def test_near_labels_are_raised_by_how_near_they_are(encoder):
    """At the start by 6·exp(20·(score - first)); where there is no label, by nothing."""
    raises = encoder(EXAMPLES)[:, 8:]
    scores = EXAMPLES["nearest_scores"]
    expected = np.where(scores > 0, 6 * np.exp(20 * (scores - scores[:, :1])), 0)
    np.testing.assert_allclose(raises, expected, rtol=1e-5)
    rounded = ENCODERS["nearest_bag"](9, dim=8, dtype="bfloat16", rngs=nnx.Rngs(0))(EXAMPLES)
    assert rounded.dtype == jnp.float32
    np.testing.assert_allclose(rounded[:, 8:], expected, rtol=1e-5)


def test_what_a_label_is_raised_by_is_learned(encoder):
    graph, state = nnx.split(encoder)
    first = jax.grad(lambda state: nnx.merge(graph, state)(EXAMPLES)[0, 8:].sum())(state)
    learned = nnx.to_pure_dict(first)
    assert (learned["exponential"] != 0).all()
    assert (learned["quadratic"] != 0).all()
    assert learned["quadratic"].size + learned["exponential"].size == 23
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(learned))
    assert not learned["embedding"].any()


def test_raises_see_no_other_example(encoder):
    alone = jnp.concatenate([encoder({name: array[i : i + 1] for name, array in EXAMPLES.items()}) for i in range(3)])
    np.testing.assert_allclose(encoder(EXAMPLES), alone, rtol=1e-5, atol=1e-6)
