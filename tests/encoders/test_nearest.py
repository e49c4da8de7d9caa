import jax
import jax.numpy as jnp
import numpy as np
import pytest
from encoders.test_laws import SPARSE
from flax import nnx

import sigfft
from sigfft.encoders import ENCODERS

SIZES = {"n_labels": 500, "n_fft": 500, "max_cardinality": 3, "spread": 60}
NEAREST = {
    "nearest_ids": np.array([[7, 450, 12], [31, 500, 500], [500, 500, 500]], np.int32),
    "nearest_scores": np.array([[0.5, 0.4, 0.1], [0.2, 0, 0], [0, 0, 0]], np.float32),
    "nearest_counts": np.array([[3, 1, 40], [2, 0, 0], [0, 0, 0]], np.float32),
}
EXAMPLES = SPARSE | NEAREST


@pytest.fixture(scope="module")
def encoder():
    return ENCODERS["nearest_bag"](9, dim=8, **SIZES, rngs=nnx.Rngs(0))


@pytest.fixture(scope="module")
def offset(encoder):
    return encoder(EXAMPLES)[:, encoder.feature_dim :]


def test_features_are_those_of_a_bag(encoder):
    bag = ENCODERS["bag"](9, dim=8, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(encoder(EXAMPLES)[:, :8], bag(EXAMPLES))
    assert encoder.feature_dim == bag.feature_dim


def test_the_offset_raises_the_logits_of_near_labels_of_a_dft_head(encoder, offset):
    """At the start by 6·exp(20·(score - first)), the others by little, and nothing without near labels."""
    head = sigfft.dft_head(500, 3, feature_dim=8, n_fft=500, spread=60, slack=4)
    params = head.init(jax.random.key(0))
    assert encoder.offset_dim == head.dim - 4
    z = jnp.pad(offset, ((0, 0), (0, 4)))
    logits = np.asarray(head.decode(params, z))
    expected = 6 * np.exp(20 * (NEAREST["nearest_scores"][0] - 0.5))
    np.testing.assert_allclose(logits[0, NEAREST["nearest_ids"][0]], expected, atol=1.2)
    assert logits[1, 31] == pytest.approx(6, abs=1e-3)  # alone, nothing else is near
    others = np.delete(logits[:2], [7, 450, 12, 31], axis=1)
    assert np.sqrt(np.mean(others**2)) < 6 / np.sqrt(encoder.offset_dim) * 1.5
    assert not logits[2].any()


def test_what_a_label_is_raised_by_is_learned(encoder):
    graph, state = nnx.split(encoder)

    def raised(state, scores):
        return nnx.merge(graph, state)(EXAMPLES | {"nearest_scores": scores})[:, 8:]

    gradient = jax.grad(lambda state: raised(state, NEAREST["nearest_scores"])[0] @ jnp.ones(encoder.offset_dim))(state)
    learned = nnx.to_pure_dict(gradient)
    assert (learned["exponential"] != 0).all()
    assert (learned["quadratic"] != 0).all()
    assert learned["quadratic"].size + learned["exponential"].size == 23
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(learned))
    assert not learned["embedding"].any()


def test_offsets_see_no_other_example(encoder):
    alone = jnp.concatenate([encoder({name: array[i : i + 1] for name, array in EXAMPLES.items()}) for i in range(3)])
    np.testing.assert_allclose(encoder(EXAMPLES), alone, rtol=1e-5, atol=1e-6)
