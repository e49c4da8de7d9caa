import jax
import numpy as np
from flax import nnx

from sigfft.encoders import MLP

DENSE = {"features": np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)}


def test_dense_features_are_passed_on_or_through_an_mlp():
    same = MLP(6, rngs=nnx.Rngs(0))
    assert same.feature_dim == 6
    np.testing.assert_array_equal(same(DENSE), DENSE["features"])
    mlp = MLP(6, dim=3, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(mlp(DENSE), jax.nn.relu(mlp.layers[0](DENSE["features"])), rtol=1e-6)
    assert mlp(DENSE).shape == (4, mlp.feature_dim) == (4, 3)


def test_dropout_needs_a_key_and_keeps_the_mean():
    features = {"features": np.ones((2000, 6), np.float32)}
    same = MLP(6, dropout=0.25, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(same(features), 1)
    dropped = np.asarray(same(features, jax.random.key(0)))
    np.testing.assert_allclose(np.unique(dropped), [0, 4 / 3], rtol=1e-6)
    assert abs(dropped.mean() - 1) < 0.02
