"""What is true of all encoders."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sigfft.domains import domain_of
from sigfft.encoders import ENCODERS

RNG = np.random.default_rng(0)
SPARSE = {
    "feature_ids": np.array([[0, 3, 9], [9, 9, 9], [2, 9, 9]], np.int32),
    "feature_values": np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [0.5, 0.0, 0.0]], np.float32),
}
DENSE = {"features": RNG.normal(size=(3, 6)).astype(np.float32)}
TOKENS = {"tokens": np.array([[2, 5, 1, 4, 0], [3, 0, 0, 0, 0], [0, 0, 0, 0, 0]], np.int32)}
IMAGES = {"image": RNG.integers(0, 256, (3, 6, 5, 3)).astype(np.uint8)}
LAWFUL = {
    "bag": ("bag", SPARSE, {"in_dim": 9, "dim": 8}),
    "mlp": ("mlp", DENSE, {"in_dim": 6, "dim": 8}),
    "identity": ("mlp", DENSE, {"in_dim": 6}),
    "text_cnn": ("text_cnn", TOKENS, {"in_dim": 6, "dim": 8, "embedding_dim": 4}),
    "text_cnn tanh": ("text_cnn", TOKENS, {"in_dim": 6, "dim": 8, "embedding_dim": 4, "activation": "tanh"}),
    "transformer": ("transformer", TOKENS, {"in_dim": 6, "dim": 8, "layers": 1, "attention_heads": 2}),
    "transformer cls": ("transformer", TOKENS, {"in_dim": 6, "dim": 8, "layers": 1, "pooling": "cls"}),
    "resnet": ("resnet", IMAGES, {"dim": 8, "layers": 1, "stages": 2}),
}


@pytest.mark.parametrize("name", LAWFUL)
def test_an_encoder_keeps_the_laws(name):
    kind, examples, arguments = LAWFUL[name]
    encoder = ENCODERS[kind](**arguments, dropout=0.5, rngs=nnx.Rngs(0))
    graph, state = nnx.split(encoder)
    assert nnx.to_pure_dict(state) == nnx.to_pure_dict(nnx.state(encoder, nnx.Param))  # nothing but parameters

    def features(state, examples, key=None):
        return nnx.merge(graph, state)(examples, key)

    @jax.jit
    def all_at_once(state, examples, key):
        values, pull = jax.vjp(lambda own: features(own, examples, key), state)
        (gradient,) = pull(jnp.ones_like(values))
        alone = jax.vmap(lambda own: features(state, jax.tree.map(lambda a: a[None], own))[0])(examples)
        return features(state, examples), alone, values, gradient

    values, alone, with_dropout, gradient = all_at_once(state, examples, jax.random.key(1))
    assert values.shape == (3, encoder.feature_dim)
    assert values.dtype == jnp.float32
    np.testing.assert_allclose(alone, values, rtol=1e-5, atol=1e-6)  # whatever is beside an example
    assert jnp.abs(values - with_dropout).max() > 0.01
    leaves = jax.tree.leaves(gradient)
    assert all(jnp.isfinite(leaf).all() for leaf in leaves)
    assert any(jnp.any(leaf != 0) for leaf in leaves) or name == "identity"
    domain = domain_of(encoder.domain)
    assert (values >= domain.low).all()
    assert (values <= domain.high).all()
    if domain.low < 0 and kind != "mlp":
        assert (values < 0).any()

    rounded = ENCODERS[kind](**arguments, dtype="bfloat16", rngs=nnx.Rngs(0))
    short = jax.jit(lambda own: rounded(own))(examples)
    assert short.dtype == jnp.float32
    np.testing.assert_allclose(short, values, atol=0.05)
    assert (short != values).any() or name == "identity"
    with pytest.raises(ValueError, match="dtype='float8' of an encoder must be one of: float32, bfloat16"):
        nnx.eval_shape(lambda: ENCODERS[kind](**arguments, dtype="float8", rngs=nnx.Rngs(0)))
