"""Multi-layer perceptron on dense examples, such as precomputed embeddings."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Key

from sigfft.encoders.examples import Examples, dropped


class MLP(nnx.Module):
    """Dense examples through a ReLU layer, or as they are.

    Args:
      in_dim: length of `examples["features"]`.
      dim: width of the layer; 0: the identity.
      dropout: share of the layer's input, and of the result, that is dropped in training.
      rngs: its `params` stream seeds the start.

    Attributes:
      feature_dim: size of the result.
    """

    def __init__(self, in_dim: int, *, dim: int = 0, dropout: float = 0.0, rngs: nnx.Rngs):
        self.feature_dim = dim or in_dim
        # A list, by whose places checkpoints name the parameters.
        self.layers = nnx.List([nnx.Linear(in_dim, dim, rngs=rngs)] if dim else [])
        self.dropout = dropout

    def __call__(self, examples: Examples, key: Key[Array, ""] | None = None) -> Float[Array, "batch feature_dim"]:
        """Features of `examples["features"]`, float (batch, in_dim)."""
        features = jnp.asarray(examples["features"])
        for i, layer in enumerate(self.layers):
            features = jax.nn.relu(layer(dropped(features, self.dropout, key, i)))
        return dropped(features, self.dropout, key, len(self.layers))
