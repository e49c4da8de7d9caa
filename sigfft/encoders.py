"""Encoders: Flax NNX modules from examples to features, the input of a head.

`ENCODERS[kind](in_dim, *, ..., rngs)` makes one, with the attribute `feature_dim`: in_dim is the number of sparse
features or the length of a dense vector, the options in between are fields of `EncoderConfig`. It is called with
examples, a dict of arrays as `sigfft.data` makes it, and a key for dropout; without a key there is none. An attribute
`domain` says what each feature can be: "any", as without it, "nonnegative" or (low, high).
"""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, Shaped

from sigfft.extras import needs

with needs("flax", "sigfft.encoders"):
    from flax import nnx

Examples = Mapping[str, Shaped[Array | np.ndarray, "batch ..."]]


class EmbeddingBag(nnx.Module):
    """Sparse weighted features: relu(Σ_j value_j · embedding[id_j] + bias), a linear layer on what is there.

    Embeddings start with length 1, so that an example of unit length, as tf-idf rows are, has features of length about
    1 and not √feature_dim: these are learned, where larger ones would stay close to random features.

    Args:
      in_dim: number of features; `examples["feature_ids"]` is padded with it.
      dim: size of the result, `feature_dim`.
      normalise: divide each example's values by their Euclidean norm.
      dropout: share of the result that is dropped in training.
      feature_dropout: share of an example's input features that is dropped in training.
      dense_ratio: with at most this many features for each entry of an example, a dense row times the table takes the
        place of reading rows of the table one by one: its gradient is a matrix product and no scatter.
      rngs: its `params` stream seeds the start.

    Raises:
      ValueError: `dim` is less than 1.
    """

    def __init__(
        self,
        in_dim: int,
        *,
        dim: int,
        normalise: bool = True,
        dropout: float = 0.0,
        feature_dropout: float = 0.0,
        dense_ratio: int = 16,
        rngs: nnx.Rngs,
    ):
        if dim < 1:
            raise ValueError(f"dim={dim} of an embedding bag must be at least 1; 512 is a good size")
        self.feature_dim = dim
        self.domain = "nonnegative"
        self.normalise = normalise
        self.dropout = dropout
        self.feature_dropout = feature_dropout
        self.dense_ratio = dense_ratio
        self.embedding = nnx.Param(jax.random.normal(rngs.params(), (in_dim, dim)) / math.sqrt(dim))
        self.bias = nnx.Param(jnp.zeros((dim,)))

    def __call__(self, examples: Examples, key: Key[Array, ""] | None = None) -> Float[Array, "batch feature_dim"]:
        """Features of `examples["feature_ids"]` and `examples["feature_values"]`, both (batch, width)."""
        ids, values = jnp.asarray(examples["feature_ids"]), jnp.asarray(examples["feature_values"])
        if self.normalise:
            norm = jnp.linalg.norm(values, axis=-1, keepdims=True)
            values = values / jnp.where(norm == 0, 1, norm)
        values = _dropped(values, self.feature_dropout, key, 0)
        table = self.embedding[...]
        if len(table) > self.dense_ratio * ids.shape[1]:
            total = jnp.einsum("bw,bwd->bd", values, table.at[ids].get(mode="fill", fill_value=0))
        else:
            rows = jnp.arange(len(ids))[:, None]
            dense = jnp.zeros((len(ids), len(table)), values.dtype)
            total = dense.at[rows, ids].add(values, mode="drop") @ table
        features = jax.nn.relu(total + jnp.broadcast_to(self.bias[...], total.shape))
        return _dropped(features, self.dropout, key, 1)


class MLP(nnx.Module):
    """Multi-layer perceptron on dense examples, such as precomputed embeddings: one ReLU layer, or the identity.

    Args:
      in_dim: length of `examples["features"]`.
      dim: width of the layer, and `feature_dim`; 0: the identity, whose `feature_dim` is `in_dim`.
      dropout: share of the layer's input, and of the result, that is dropped in training.
      rngs: its `params` stream seeds the start.
    """

    def __init__(self, in_dim: int, *, dim: int = 0, dropout: float = 0.0, rngs: nnx.Rngs):
        self.feature_dim = dim or in_dim
        self.domain = "nonnegative" if dim else "any"
        # A list, by whose places checkpoints name the parameters.
        self.layers = nnx.List([nnx.Linear(in_dim, dim, rngs=rngs)] if dim else [])
        self.dropout = dropout

    def __call__(self, examples: Examples, key: Key[Array, ""] | None = None) -> Float[Array, "batch feature_dim"]:
        """Features of `examples["features"]`, float (batch, in_dim)."""
        features = jnp.asarray(examples["features"])
        for i, layer in enumerate(self.layers):
            features = jax.nn.relu(layer(_dropped(features, self.dropout, key, i)))
        return _dropped(features, self.dropout, key, len(self.layers))


ENCODERS: dict[str, type[nnx.Module]] = {"bag": EmbeddingBag, "mlp": MLP}


def _dropped(x: Float[Array, "..."], rate: float, key: Key[Array, ""] | None, layer: int) -> Float[Array, "..."]:
    """Dropout: a share `rate` of the entries is 0, and the others make up for it; without a key, x as it is.

    `layer` says which of an encoder's dropouts this is; each draws its own entries.
    """
    if key is None or rate == 0:
        return x
    keep = jax.random.bernoulli(jax.random.fold_in(key, layer), 1 - rate, x.shape)
    return jnp.where(keep, x / (1 - rate), 0)
