import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import sigfft
import sigfft.linen
import sigfft.nnx

HEADS = [
    sigfft.sigmoid_head(20, feature_dim=6),
    sigfft.bottleneck_head(20, 3, feature_dim=6),
    sigfft.dft_head(20, 3, feature_dim=6, spread=2, slack=4),
]


@pytest.fixture(params=HEADS, ids=lambda head: head.kind)
def head(request):
    return request.param


@pytest.fixture
def features():
    return jax.random.normal(jax.random.key(1), (5, 6))


def test_linen_has_the_heads_parameters(head, features):
    module = sigfft.linen.OutputHead(head)
    params = module.init(jax.random.key(0), features)["params"]
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, head.init(jax.random.key(0)))
    np.testing.assert_array_equal(module.apply({"params": params}, features), head.logits(params, features))


def test_nnx_has_the_heads_parameters(head, features):
    module = sigfft.nnx.OutputHead(head, rngs=nnx.Rngs(0))
    params = module.params()
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, head.init(jax.random.key(0)))
    np.testing.assert_array_equal(module(features), head.logits(params, features))


def test_both_train_inside_a_model(features):
    head = HEADS[2]
    labels = jnp.array([[0, 3, 20], [1, 20, 20], [2, 5, 9], [20, 20, 20], [4, 20, 20]])

    model = flax.linen.Sequential([flax.linen.Dense(6), sigfft.linen.OutputHead(head)])
    variables = model.init(jax.random.key(0), features)
    grads = jax.grad(lambda v: sigfft.losses.bce_with_logits(model.apply(v, features), labels))(variables)
    assert [bool(jnp.abs(g).max() > 0) for g in jax.tree.leaves(grads)] == [True] * 5  # two of the dense layer

    rngs = nnx.Rngs(0)
    model = nnx.Sequential(nnx.Linear(6, 6, rngs=rngs), sigfft.nnx.OutputHead(head, rngs=rngs))
    grads = nnx.grad(lambda m: sigfft.losses.bce_with_logits(m(features), labels))(model)
    assert [bool(jnp.abs(g).max() > 0) for g in jax.tree.leaves(grads)] == [True] * 5
