"""A transformer over the tokens of a text, in the layout of BERT."""

from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Key

from sigfft.encoders.activations import activation_dtype, dropped
from sigfft.encoders.bert_checkpoint import read_bert
from sigfft.encoders.examples import Examples, tokens_of
from sigfft.encoders.pretrained import Pretrained

ACTIVATIONS = {  # by the names of BERT's config.json
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_new": jax.nn.gelu,
    "gelu_pytorch_tanh": jax.nn.gelu,
    "relu": jax.nn.relu,
}
_HEAD_SIZE = 64


class Transformer(nnx.Module):
    """BERT's encoder without its pooler: the last layer's states of a text, of its first token or their mean.

    Each layer is attention, then two linear layers; each of both is added to its input, and the sum normalised. What is
    padding is attended to by no token, and changes nothing.

    Args:
      in_dim: size of the vocabulary.
      dim: length of a state, `feature_dim`.
      layers: number of layers.
      pooling: "mean" of the states of all tokens, or "cls": that of the first one, which BERT's tokenizers put there.
      dropout: share of embeddings, and of what each half of a layer adds, that is dropped in training. Attention
        weights are never.
      dtype: that the layers are computed in; normalisation is float32.
      attention_heads: parts of a state that attend apart, of equal size; 0: of 64 numbers each, or else one.
      mlp_dim: width between the two linear layers; 0: 4 · dim.
      n_positions: tokens of a text at most.
      n_types: rows of the table of segments, of which a text has the first.
      mlp_activation: between the two linear layers: "gelu", "gelu_new" or "relu".
      epsilon: added to the variance.
      rngs: its `params` stream seeds the start, normal of standard deviation 0.02 as BERT's.

    Raises:
      ValueError: a size below 1, heads that do not divide `dim`, an unknown pooling, activation or `dtype`; or, of a
        call, longer texts than there are positions.

    Reference: Devlin et al. (2019), arXiv 1810.04805.
    """

    reads: ClassVar = ("tokens",)
    usual_dropout: ClassVar = 0.1
    learning_rate: ClassVar = 1e-4
    dim_multiple: ClassVar = _HEAD_SIZE

    def __init__(
        self,
        in_dim: int,
        *,
        dim: int,
        layers: int = 2,
        pooling: str = "mean",
        dropout: float = 0.0,
        dtype: str = "float32",
        attention_heads: int = 0,
        mlp_dim: int = 0,
        n_positions: int = 512,
        n_types: int = 2,
        mlp_activation: str = "gelu",
        epsilon: float = 1e-12,
        rngs: nnx.Rngs,
    ):
        heads = attention_heads or max(1, dim // _HEAD_SIZE)
        for name, size in {"dim": dim, "layers": layers, "attention_heads": heads, "n_positions": n_positions}.items():
            if size < 1:
                raise ValueError(f"{name}={size} of a transformer must be at least 1")
        if dim % heads:
            raise ValueError(f"dim={dim} of a transformer must be a multiple of its {heads} attention heads")
        if pooling not in ("mean", "cls"):
            raise ValueError(f"pooling={pooling!r} of a transformer must be mean or cls")
        if mlp_activation not in ACTIVATIONS:
            raise ValueError(
                f"mlp_activation={mlp_activation!r} of a transformer must be one of: {', '.join(ACTIVATIONS)}"
            )
        self.feature_dim = dim
        self.domain = "any"
        self.pooling = pooling
        self.dropout = dropout
        self.word, self.position, self.type = (
            nnx.Param(0.02 * jax.random.normal(rngs.params(), (rows, dim))) for rows in (in_dim, n_positions, n_types)
        )
        self.norm = _norm(dim, epsilon, rngs)
        self.layers = nnx.List(
            [
                _Layer(dim, heads, mlp_dim or 4 * dim, mlp_activation, dropout, epsilon, dtype, rngs)
                for _ in range(layers)
            ]
        )

    def states(
        self, examples: Examples, key: Key[Array, ""] | None = None
    ) -> tuple[Float[Array, "batch length feature_dim"], Bool[Array, "batch length"]]:
        """The last layer's state of each token, and where there is one."""
        tokens, mask = tokens_of(examples)
        length, n_positions = tokens.shape[1], len(self.position[...])
        if length > n_positions:
            raise ValueError(
                f"texts of {length} tokens do not fit the {n_positions} positions of the transformer; "
                f"cut them: data.max_length={n_positions}"
            )
        summed = self.word[...][tokens] + jnp.broadcast_to(
            self.position[...][:length] + jnp.broadcast_to(self.type[...][0], (length, self.feature_dim)),
            (*tokens.shape, self.feature_dim),
        )
        states = dropped(self.norm(summed), self.dropout, key, 0)
        for i, layer in enumerate(self.layers):
            states = layer(states, mask, None if key is None else jax.random.fold_in(key, i + 1))
        return states, mask

    def __call__(self, examples: Examples, key: Key[Array, ""] | None = None) -> Float[Array, "batch feature_dim"]:
        """Features of `examples["tokens"]`, int32 (batch, length), with a mask or padded with 0."""
        states, mask = self.states(examples, key)
        if self.pooling == "cls":
            return states[:, 0]
        counts = jnp.maximum(mask.sum(axis=1, keepdims=True), 1).astype(states.dtype)
        return jnp.where(mask[..., None], states, 0).sum(axis=1) / counts

    @staticmethod
    def read_pretrained(path: Path, in_dim: int) -> Pretrained:
        """Sizes and parameters of a BERT checkpoint; see `read_bert`."""
        return read_bert(path, in_dim)


class _Layer(nnx.Module):
    def __init__(
        self,
        dim: int,
        heads: int,
        mlp_dim: int,
        activation: str,
        dropout: float,
        epsilon: float,
        dtype: str,
        rngs: nnx.Rngs,
    ):
        def linear(inputs: int, outputs: int) -> nnx.Linear:
            start = nnx.initializers.normal(0.02)
            return nnx.Linear(inputs, outputs, kernel_init=start, dtype=activation_dtype(dtype), rngs=rngs)

        self.heads = heads
        self.activation = activation
        self.dropout = dropout
        self.query, self.key, self.value, self.attended = (linear(dim, dim) for _ in range(4))
        self.attended_norm = _norm(dim, epsilon, rngs)
        self.intermediate, self.output = linear(dim, mlp_dim), linear(mlp_dim, dim)
        self.output_norm = _norm(dim, epsilon, rngs)

    def __call__(
        self, states: Float[Array, "batch length dim"], mask: Bool[Array, "batch length"], key: Key[Array, ""] | None
    ) -> Float[Array, "batch length dim"]:
        split = (*states.shape[:2], self.heads, states.shape[2] // self.heads)
        query, key_, value = (part(states).reshape(split) for part in (self.query, self.key, self.value))
        with jax.numpy_dtype_promotion("standard"):  # JAX promotes bfloat16 scores itself
            attended = jax.nn.dot_product_attention(query, key_, value, mask=mask[:, None, None, :])
        states = self.attended_norm(states + self._added(self.attended(attended.reshape(states.shape)), key, 0))
        inner = ACTIVATIONS[self.activation](self.intermediate(states))
        return self.output_norm(states + self._added(self.output(inner), key, 1))

    def _added(self, values: Float[Array, "..."], key: Key[Array, ""] | None, half: int) -> Float[Array, "..."]:
        return dropped(values.astype(jnp.float32), self.dropout, key, half)


def _norm(dim: int, epsilon: float, rngs: nnx.Rngs) -> nnx.LayerNorm:
    return nnx.LayerNorm(dim, epsilon=epsilon, use_fast_variance=False, rngs=rngs)
