"""A convolution over the tokens of a text."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Key

from sigfft.domains import DomainLike
from sigfft.encoders.activations import activation_dtype, dropped
from sigfft.encoders.examples import Examples, tokens_of
from sigfft.encoders.pretrained import Pretrained, read_vectors

_ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], DomainLike]] = {
    "tanh": (jnp.tanh, (-1.0, 1.0)),
    "relu": (jax.nn.relu, "nonnegative"),
}


class TextCNN(nnx.Module):
    """Embeddings of tokens, windows of them through a convolution, and of each filter its largest value in the text.

    A window begins at each token and reads zeros behind the last one, so that padding changes nothing. A text without a
    token has features of 0.

    Args:
      in_dim: size of the vocabulary; token ids are below it, and 0 is padding.
      dim: number of filters, `feature_dim`.
      embedding_dim: length of an embedding.
      kernel_size: tokens of a window.
      activation: "relu", or "tanh", as published. Between the bounds of a tanh features have not all scales, and so
        yield fewer label sets of a head whose labels have biases.
      dropout: share of the embeddings' entries that is dropped in training.
      dtype: that the convolution is computed in.
      rngs: its `params` stream seeds the start.

    Raises:
      ValueError: a size below 1, an unknown activation or `dtype`.

    Reference: Mullenbach et al. (2018), arXiv 1802.05695, the CNN of section 4.2; Kim (2014), arXiv 1408.5882.
    """

    reads: ClassVar = ("tokens",)
    usual_dropout: ClassVar = 0.2
    learning_rate: ClassVar = 1e-3

    def __init__(
        self,
        in_dim: int,
        *,
        dim: int,
        embedding_dim: int = 100,
        kernel_size: int = 4,
        activation: str = "relu",
        dropout: float = 0.0,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ):
        for name, size in {"dim": dim, "embedding_dim": embedding_dim, "kernel_size": kernel_size}.items():
            if size < 1:
                raise ValueError(f"{name}={size} of a text_cnn must be at least 1")
        if activation not in _ACTIVATIONS:
            raise ValueError(f"activation={activation!r} of a text_cnn must be one of: {', '.join(_ACTIVATIONS)}")
        self.feature_dim = dim
        self.activation = activation
        self.dropout = dropout
        self.embedding = nnx.Param(jax.random.normal(rngs.params(), (in_dim, embedding_dim)))
        self.windows = nnx.Conv(
            embedding_dim,
            dim,
            (kernel_size,),
            padding=[(0, kernel_size - 1)],
            kernel_init=nnx.initializers.glorot_uniform(),
            dtype=activation_dtype(dtype),
            rngs=rngs,
        )

    @property
    def domain(self) -> DomainLike:
        """What each feature can be."""
        return _ACTIVATIONS[self.activation][1]

    def __call__(self, examples: Examples, key: Key[Array, ""] | None = None) -> Float[Array, "batch feature_dim"]:
        """Features of `examples["tokens"]`, int32 (batch, length), with a mask or padded with 0."""
        tokens, mask = tokens_of(examples)
        embedded = dropped(self.embedding[...][tokens], self.dropout, key, 0)
        values = self.windows(jnp.where(mask[..., None], embedded, 0))
        largest = jnp.where(mask[..., None], values, -jnp.inf).max(axis=1).astype(jnp.float32)
        features = _ACTIVATIONS[self.activation][0](largest)  # monotone: the largest is the same before and after
        return jnp.where(mask.any(axis=1, keepdims=True), features, 0)

    @staticmethod
    def read_pretrained(path: Path, in_dim: int) -> Pretrained:
        """Embeddings from a file of vectors; see `read_vectors`."""
        vectors = read_vectors(path, in_dim)
        return Pretrained({"embedding_dim": vectors.shape[1]}, {"embedding": vectors})
