"""A bag of sparse features, beside the labels whose training examples are nearest."""

import math
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Key

from sigfft import spectrum
from sigfft.encoders.bag import EmbeddingBag
from sigfft.encoders.examples import Examples

_RAISE = 6.0  # of the nearest label's logit, at the start
_SHARPNESS = 20.0  # of cosines, at the start: a label that is 0.1 further is raised by e^-2 of that
_PACE = 13.0  # in a step, raises move so much faster than weights of a bag, which are many for each of them


class NearestBag(EmbeddingBag):
    """An `EmbeddingBag`, and an offset of a DFT head's activation, by which labels near to the example start higher.

    The fixed columns of a DFT head's W are known before any training. The sum u = Σ_j raise_j · w_j / |w_j|² over an
    example's nearest labels, of their rows w_j, raises the logit of each of them by about raise_j, and of others by
    little, since rows are nearly orthogonal: few labels among many come back from an activation of low rank, which is
    what its guarantee says. What each is raised by is learned, in 23 numbers for all labels: a·exp(b·(score_j -
    score_1)), and a quadratic function of cosines, of how many training examples the label has, and of its rank.

    Args:
      in_dim: as `EmbeddingBag`, and `dim`, `normalise`, `dropout`, `feature_dropout`, `dense_ratio` and `dtype` too.
      n_labels: of the head; `examples["nearest_ids"]` (batch, n), best first, is padded with it. `nearest_scores` are
        cosines, 0 at the padding, and `nearest_counts` the training examples of these labels besides this one.
      n_fft: of the head, and `max_cardinality` and `spread` too.

    Source: ours. The centroids are Rocchio's; see `sigfft.data.centroids`.
    """

    reads: ClassVar[tuple[str, ...]] = (*EmbeddingBag.reads, "nearest_ids", "nearest_scores", "nearest_counts")
    usual_steps: ClassVar = 1000

    def __init__(
        self,
        in_dim: int,
        *,
        dim: int,
        n_labels: int,
        n_fft: int,
        max_cardinality: int,
        spread: int,
        normalise: bool = True,
        dropout: float = 0.0,
        feature_dropout: float = 0.0,
        dense_ratio: int = 16,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ):
        super().__init__(
            in_dim,
            dim=dim,
            normalise=normalise,
            dropout=dropout,
            feature_dropout=feature_dropout,
            dense_ratio=dense_ratio,
            dtype=dtype,
            rngs=rngs,
        )
        self.n_labels = n_labels
        self.n_fft = n_fft
        self.max_cardinality = max_cardinality
        self.spread = spread
        self.offset_dim = 2 * (max_cardinality + spread) + 1
        self.exponential = nnx.Param(jnp.array([_RAISE, math.log(_SHARPNESS)]) / _PACE)
        self.quadratic = nnx.Param(jnp.zeros(len(_PAIRS[0])))

    def __call__(self, examples: Examples, key: Key[Array, ""] | None = None) -> Float[Array, "batch entries"]:
        """Features (batch, feature_dim), followed by the offset (batch, offset_dim)."""
        features = super().__call__(examples, key)
        ids = jnp.minimum(jnp.asarray(examples["nearest_ids"]), self.n_labels - 1)
        low = spectrum.low_frequencies(self.max_cardinality)
        scattered = spectrum.spread_frequencies(self.n_fft, self.max_cardinality, self.spread)
        rows = spectrum.rows(ids.reshape(-1), np.concatenate([low, scattered]), self.n_fft, jnp.float32)
        square = self.offset_dim / self.n_fft  # |w|² of every row
        raised = self._raises(jnp.asarray(examples["nearest_scores"]), jnp.asarray(examples["nearest_counts"]))
        offset = jnp.einsum("bn,bnd->bd", raised / square, rows.reshape(*ids.shape, self.offset_dim))
        return jnp.concatenate([features, offset.astype(features.dtype)], axis=-1)

    def _raises(self, scores: Float[Array, "batch n"], counts: Float[Array, "batch n"]) -> Float[Array, "batch n"]:
        first, ranks = scores[:, :1], jnp.arange(scores.shape[1]) / 32
        near = scores > 0
        ratio = scores / jnp.where(first > 0, first, 1)
        terms = jnp.ones(()), 4 * scores, 4 * first, ratio, jnp.log1p(counts) / 4, ranks
        of_label = jnp.stack(jnp.broadcast_arrays(*terms), axis=-1)
        most, sharpness = _PACE * self.exponential[...]
        one, other = _PAIRS
        quadratic = (of_label[..., one] * of_label[..., other]) @ (_RAISE * _PACE * self.quadratic[...])
        return jnp.where(near, most * jnp.exp(jnp.exp(sharpness) * (scores - first)) + quadratic, 0)


_PAIRS = np.triu_indices(6)  # of the terms of a quadratic function of five numbers
