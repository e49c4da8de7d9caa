import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sigfft import encoders
from sigfft.encoders import DenseFeatures, EmbeddingBag

DENSE = {"features": np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)}
SPARSE = {
    "feature_ids": np.array([[0, 3, 9], [9, 9, 9], [2, 9, 9]], np.int32),
    "feature_values": np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [0.5, 0.0, 0.0]], np.float32),
}


def test_dense_features_are_passed_on_or_through_an_mlp():
    same = DenseFeatures(6, rngs=nnx.Rngs(0))
    assert same.feature_dim == 6
    np.testing.assert_array_equal(same(DENSE), DENSE["features"])
    mlp = DenseFeatures(6, [5, 3], rngs=nnx.Rngs(0))
    hidden = jax.nn.relu(mlp.layers[0](DENSE["features"]))
    np.testing.assert_allclose(mlp(DENSE), jax.nn.relu(mlp.layers[1](hidden)), rtol=1e-6)
    assert mlp(DENSE).shape == (4, mlp.feature_dim) == (4, 3)


@pytest.mark.parametrize("ratio", [0, 1000])
def test_embedding_bag_is_a_sparse_linear_layer(ratio, monkeypatch):
    monkeypatch.setattr(encoders, "_DENSE_RATIO", ratio)  # rows of the table one by one, or a dense row times the table
    bag = EmbeddingBag(9, 7, normalise=False, rngs=nnx.Rngs(0))
    table = np.asarray(bag.embedding[...])
    expected = np.stack([3 * table[0] + 4 * table[3], np.zeros(7), 0.5 * table[2]])
    np.testing.assert_allclose(bag(SPARSE), np.maximum(expected, 0), rtol=1e-5, atol=1e-6)
    gradient = nnx.grad(lambda m: m(SPARSE).sum())(bag)["embedding"][...]
    np.testing.assert_array_equal(np.flatnonzero(jnp.abs(gradient).sum(1)), [0, 2, 3])


def test_normalise_brings_examples_to_unit_length():
    bag = EmbeddingBag(9, 7, rngs=nnx.Rngs(0))
    table = np.asarray(bag.embedding[...])
    expected = np.stack([0.6 * table[0] + 0.8 * table[3], np.zeros(7), table[2]])
    np.testing.assert_allclose(bag(SPARSE), np.maximum(expected, 0), rtol=1e-5, atol=1e-6)
    gradient = nnx.grad(lambda m: m(SPARSE).sum())(bag)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_dropout_needs_a_key_and_keeps_the_mean():
    features = {"features": np.ones((2000, 6), np.float32)}
    same = DenseFeatures(6, dropout=0.25, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(same(features), 1)
    dropped = np.asarray(same(features, jax.random.key(0)))
    np.testing.assert_allclose(np.unique(dropped), [0, 4 / 3], rtol=1e-6)
    assert abs(dropped.mean() - 1) < 0.02
    bag = EmbeddingBag(9, 7, feature_dropout=0.999999, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(bag(SPARSE, jax.random.key(0)), 0)
