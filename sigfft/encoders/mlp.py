"""A layer on dense vectors."""

from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Key

from sigfft.encoders.activations import activation_dtype, dropped
from sigfft.encoders.examples import Examples


class MLP(nnx.Module):
    """Multi-layer perceptron on dense examples, such as precomputed embeddings: one ReLU layer, or the identity.

    Args:
      in_dim: length of `examples["features"]`.
      dim: width of the layer, and `feature_dim`; 0: the identity, whose `feature_dim` is `in_dim`.
      dropout: share of the layer's input, and of the result, that is dropped in training.
      dtype: that the layer is computed in.
      rngs: its `params` stream seeds the start.

    Raises:
      ValueError: an unknown `dtype`.
    """

    reads: ClassVar = ("features",)
    usual_dropout: ClassVar = 0.2

    def __init__(self, in_dim: int, *, dim: int = 0, dropout: float = 0.0, dtype: str = "float32", rngs: nnx.Rngs):
        self.feature_dim = dim or in_dim
        self.domain = "nonnegative" if dim else "any"
        layer_dtype = activation_dtype(dtype)
        # A list, by whose places checkpoints name the parameters.
        self.layers = nnx.List([nnx.Linear(in_dim, dim, dtype=layer_dtype, rngs=rngs)] if dim else [])
        self.dropout = dropout

    def __call__(self, examples: Examples, key: Key[Array, ""] | None = None) -> Float[Array, "batch feature_dim"]:
        """Features of `examples["features"]`, float (batch, in_dim)."""
        features = jnp.asarray(examples["features"])
        for i, layer in enumerate(self.layers):
            features = jax.nn.relu(layer(dropped(features, self.dropout, key, i))).astype(jnp.float32)
        return dropped(features, self.dropout, key, len(self.layers))
