import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sigfft.encoders import MLP, EmbeddingBag, entries
from sigfft.encoders.bag_sums import weighted_sums

SPARSE = {
    "feature_ids": np.array([[0, 3, 9], [9, 9, 9], [2, 9, 9]], np.int32),
    "feature_values": np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [0.5, 0.0, 0.0]], np.float32),
}
DENSE = {"features": np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)}


@pytest.mark.parametrize("ratio", [0, 1000])
def test_embedding_bag_is_a_sparse_linear_layer(ratio):
    """Rows of the table one by one, or a dense row times the table."""
    bag = EmbeddingBag(9, dim=7, normalise=False, dense_ratio=ratio, rngs=nnx.Rngs(0))
    table = np.asarray(bag.embedding[...])
    expected = np.stack([3 * table[0] + 4 * table[3], np.zeros(7), 0.5 * table[2]])
    np.testing.assert_allclose(bag(SPARSE), np.maximum(expected, 0), rtol=1e-5, atol=1e-6)
    gradient = nnx.grad(lambda m: m(SPARSE).sum())(bag)["embedding"][...]
    np.testing.assert_array_equal(np.flatnonzero(jnp.abs(gradient).sum(1)), [0, 2, 3])


def test_normalise_brings_examples_to_unit_length():
    bag = EmbeddingBag(9, dim=7, rngs=nnx.Rngs(0))
    table = np.asarray(bag.embedding[...])
    expected = np.stack([0.6 * table[0] + 0.8 * table[3], np.zeros(7), table[2]])
    np.testing.assert_allclose(bag(SPARSE), np.maximum(expected, 0), rtol=1e-5, atol=1e-6)
    gradient = nnx.grad(lambda m: m(SPARSE).sum())(bag)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_a_bag_without_width_raises():
    with pytest.raises(ValueError, match=r"dim=0 of an embedding bag must be at least 1; 512 is a good size"):
        EmbeddingBag(9, dim=0, rngs=nnx.Rngs(0))


def test_dropout_of_all_input_features_leaves_nothing():
    bag = EmbeddingBag(9, dim=7, feature_dropout=0.999999, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(bag(SPARSE, jax.random.key(0)), 0)


def test_dense_features_are_passed_on_or_through_an_mlp():
    same = MLP(6, rngs=nnx.Rngs(0))
    assert (same.feature_dim, same.domain) == (6, "any")
    np.testing.assert_array_equal(same(DENSE), DENSE["features"])
    mlp = MLP(6, dim=3, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(mlp(DENSE), jax.nn.relu(mlp.layers[0](DENSE["features"])), rtol=1e-6)
    assert mlp(DENSE).shape == (4, mlp.feature_dim) == (4, 3)
    assert mlp.domain == EmbeddingBag(9, dim=7, rngs=nnx.Rngs(0)).domain == "nonnegative"


def test_dropout_needs_a_key_and_keeps_the_mean():
    features = {"features": np.ones((2000, 6), np.float32)}
    same = MLP(6, dropout=0.25, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(same(features), 1)
    dropped = np.asarray(same(features, jax.random.key(0)))
    np.testing.assert_allclose(np.unique(dropped), [0, 4 / 3], rtol=1e-6)
    assert abs(dropped.mean() - 1) < 0.02


def test_sums_of_a_bag_and_their_gradients_are_those_of_the_padded_product(monkeypatch):
    """Also with padding before entries, in chunks smaller than an example, and with an empty one."""
    monkeypatch.setattr(entries, "CHUNK", 4)
    rng = np.random.default_rng(0)
    ids = np.array([[2, 9, 0, 5, 7, 3], [9, 9, 9, 9, 9, 9], [1, 2, 9, 9, 9, 9], [8, 4, 6, 12, 9, 9]], np.int32)
    table, values, weights = (rng.normal(size=shape).astype(np.float32) for shape in ((9, 5), ids.shape, (4, 5)))

    def padded(table, values):
        return jnp.einsum("bw,bwd->bd", values, table.at[ids].get(mode="fill", fill_value=0))

    def in_chunks(table, values):
        return weighted_sums(table, jnp.asarray(ids), values, table.dtype)

    for ours, theirs in zip(*(_sums(f, weights)(table, values) for f in (in_chunks, padded)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(entries.marked(jnp.asarray(ids), 9), [1, 1, 1, 1, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(entries.marked(jnp.asarray(ids[2:3]), 9), [0, 1, 1, 0, 0, 0, 0, 0, 0])


def _sums(function, weights):
    def all_of(table, values):
        sums, pull = jax.vjp(function, table, values)
        return sums, *pull(jnp.asarray(weights))

    return jax.jit(all_of)


def test_a_bag_under_shard_map_has_the_gradient_of_the_whole_batch():
    bag = EmbeddingBag(200, dim=3, rngs=nnx.Rngs(0))
    graph, state = nnx.split(bag)
    rng = np.random.default_rng(0)
    batch = {"feature_ids": rng.integers(0, 250, (16, 5)).astype(np.int32), "feature_values": rng.random((16, 5), "f")}
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    whole, split = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec("data")

    def gradient(state, batch):
        return jax.grad(lambda own: jnp.square(nnx.merge(graph, own)(batch)).sum())(state)

    sharded = jax.shard_map(gradient, mesh=mesh, in_specs=(whole, split), out_specs=whole)
    ours, expected = jax.jit(lambda *own: (sharded(*own), gradient(*own)))(state, batch)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), ours, expected)
