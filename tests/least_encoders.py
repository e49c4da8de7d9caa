"""The least encoders that read tokens and images."""

import jax
import jax.numpy as jnp
from flax import nnx


class MeanOfTokens(nnx.Module):
    """The mean of embeddings of tokens: the least that reads them."""

    reads = ("tokens", "token_mask")

    def __init__(self, in_dim: int, *, dim: int, rngs: nnx.Rngs):
        self.feature_dim = dim
        self.table = nnx.Param(jax.random.normal(rngs.params(), (in_dim, dim)))

    def __call__(self, examples, key=None):
        mask = jnp.asarray(examples["token_mask"], jnp.float32)[..., None]
        return (self.table[...][jnp.asarray(examples["tokens"])] * mask).sum(1) / jnp.maximum(mask.sum(1), 1)


class Columns(nnx.Module):
    """A linear layer on the mean of an image's rows: the least that reads one."""

    reads = ("image",)

    def __init__(self, *, dim: int, rngs: nnx.Rngs):
        self.feature_dim = dim
        self.table = nnx.Param(jax.random.normal(rngs.params(), (3 * 16, dim)) / 256)

    def __call__(self, examples, key=None):
        columns = jnp.asarray(examples["image"], jnp.float32).mean(1)
        return columns.reshape(len(columns), -1) @ self.table[...]
