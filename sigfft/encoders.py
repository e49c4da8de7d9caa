"""Encoders: Flax NNX modules from a batch to features, the input of a head.

Each takes the batch as `sigfft.data` makes it, a dict of arrays, and a key for dropout; without a key there is none.
"""

import itertools
import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, Key, Shaped

# With at most this many features for each entry of an example, a dense row times the table beats reading rows of the
# table one by one: its gradient is a matrix product instead of a scatter.
_DENSE_RATIO = 16

Batch = Mapping[str, Shaped[Array, "batch ..."]]


class DenseFeatures(nnx.Module):
    """Precomputed embeddings, as they are or through an MLP.

    Args:
      in_dim: length of `batch["features"]`.
      hidden: widths of the ReLU layers; none: the identity.
      dropout: share of each layer's input that is dropped in training.
      rngs: its `params` stream seeds the start.

    Attributes:
      feature_dim: size of the result.
    """

    def __init__(self, in_dim: int, hidden: Sequence[int] = (), *, dropout: float = 0.0, rngs: nnx.Rngs):
        self.feature_dim = hidden[-1] if hidden else in_dim
        self.layers = nnx.List(
            nnx.Linear(fan_in, fan_out, rngs=rngs) for fan_in, fan_out in itertools.pairwise([in_dim, *hidden])
        )
        self.dropout = dropout

    def __call__(self, batch: Batch, key: Key[Array, ""] | None = None) -> Float[Array, "batch feature_dim"]:
        """Features of `batch["features"]`, float (batch, in_dim)."""
        features = batch["features"]
        for i, layer in enumerate(self.layers):
            features = jax.nn.relu(layer(_drop(features, self.dropout, key, i)))
        return _drop(features, self.dropout, key, len(self.layers))


class EmbeddingBag(nnx.Module):
    """Sparse weighted features: relu(Σ_j value_j · embedding[id_j] + bias), a linear layer on what is there.

    Embeddings start with length 1, so that an example of unit length, as tf-idf rows are, has features of length about
    1 and not √feature_dim: these are learned, where larger ones would stay close to random features.

    Args:
      n_features: number of features; `batch["feature_ids"]` is padded with it.
      feature_dim: size of the result.
      normalise: divide each example's values by their Euclidean norm.
      dropout: share of the result that is dropped in training.
      feature_dropout: share of an example's input features that is dropped in training.
      rngs: its `params` stream seeds the start.
    """

    def __init__(
        self,
        n_features: int,
        feature_dim: int,
        *,
        normalise: bool = True,
        dropout: float = 0.0,
        feature_dropout: float = 0.0,
        rngs: nnx.Rngs,
    ):
        self.feature_dim = feature_dim
        self.normalise = normalise
        self.dropout = dropout
        self.feature_dropout = feature_dropout
        start = jax.random.normal(rngs.params(), (n_features, feature_dim)) / math.sqrt(feature_dim)
        self.embedding = nnx.Param(start)
        self.bias = nnx.Param(jnp.zeros((feature_dim,)))

    def __call__(self, batch: Batch, key: Key[Array, ""] | None = None) -> Float[Array, "batch feature_dim"]:
        """Features of `batch["feature_ids"]` and `batch["feature_values"]`, both (batch, width)."""
        values = batch["feature_values"]
        if self.normalise:
            norm = jnp.linalg.norm(values, axis=-1, keepdims=True)
            values = values / jnp.where(norm == 0, 1, norm)
        values = _drop(values, self.feature_dropout, key, 0)
        total = self._sum(batch["feature_ids"], values)
        features = jax.nn.relu(total + jnp.broadcast_to(self.bias[...], total.shape))
        return _drop(features, self.dropout, key, 1)

    def _sum(self, ids: Int[Array, "batch width"], values: Float[Array, "batch width"]) -> Float[Array, "batch dim"]:
        table = self.embedding[...]
        if len(table) > _DENSE_RATIO * ids.shape[1]:
            return jnp.einsum("bw,bwd->bd", values, table.at[ids].get(mode="fill", fill_value=0))
        rows = jnp.arange(len(ids))[:, None]
        return jnp.zeros((len(ids), len(table)), values.dtype).at[rows, ids].add(values, mode="drop") @ table


def _drop(x: Float[Array, "..."], rate: float, key: Key[Array, ""] | None, layer: int) -> Float[Array, "..."]:
    if key is None or rate == 0:
        return x
    keep = jax.random.bernoulli(jax.random.fold_in(key, layer), 1 - rate, x.shape)
    return jnp.where(keep, x / (1 - rate), 0)
