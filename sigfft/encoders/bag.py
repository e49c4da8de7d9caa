"""A bag of sparse features."""

import math
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Key

from sigfft.encoders.activations import activation_dtype, dropped
from sigfft.encoders.bag_sums import weighted_sums
from sigfft.encoders.examples import Examples
from sigfft.precision import matmul


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
      dense_ratio: with at most this many features for each entry of the widest example, a dense row times the table
        takes the place of reading rows of the table one by one: its gradient is a matrix product and no scatter.
      dtype: of values and embeddings as they are multiplied; sums are float32.
      rngs: its `params` stream seeds the start.

    Raises:
      ValueError: `dim` is less than 1, or an unknown `dtype`.
    """

    reads: ClassVar[tuple[str, ...]] = ("feature_ids", "feature_values")
    usual_dropout: ClassVar = 0.6
    usual_decay: ClassVar = 1.0
    learning_rate: ClassVar = 1.5e-3
    tables: ClassVar = {"embedding": "feature_ids"}

    def __init__(
        self,
        in_dim: int,
        *,
        dim: int,
        normalise: bool = True,
        dropout: float = 0.0,
        feature_dropout: float = 0.0,
        dense_ratio: int = 16,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ):
        if dim < 1:
            raise ValueError(f"dim={dim} of an embedding bag must be at least 1; 512 is a good size")
        self.in_dim = in_dim
        self.feature_dim = dim
        self.domain = "nonnegative"
        self.normalise = normalise
        self.dropout = dropout
        self.feature_dropout = feature_dropout
        self.dense_ratio = dense_ratio
        self.dtype = activation_dtype(dtype)
        self.embedding = nnx.Param(jax.random.normal(rngs.params(), (in_dim, dim)) / math.sqrt(dim))
        self.bias = nnx.Param(jnp.zeros((dim,)))

    def __call__(self, examples: Examples, key: Key[Array, ""] | None = None) -> Float[Array, "batch feature_dim"]:
        """Features of `examples["feature_ids"]` and `examples["feature_values"]`, both (batch, width)."""
        ids, values = jnp.asarray(examples["feature_ids"]), jnp.asarray(examples["feature_values"])
        if self.normalise:
            norm = jnp.linalg.norm(values, axis=-1, keepdims=True)
            values = values / jnp.where(norm == 0, 1, norm)
        values = dropped(values, self.feature_dropout, key, 0).astype(self.dtype)
        table = self.embedding[...]
        if self.in_dim > self.dense_ratio * ids.shape[1]:
            total = weighted_sums(table, ids, values, self.dtype)
        else:
            places = jnp.arange(len(ids))[:, None]
            dense = jnp.zeros((len(ids), len(table)), values.dtype)
            total = matmul(dense.at[places, ids].add(values, mode="drop"), table)
        features = jax.nn.relu(total + jnp.broadcast_to(self.bias[...], total.shape))
        return dropped(features, self.dropout, key, 1)
