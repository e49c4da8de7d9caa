"""A bag of sparse features, beside what the labels whose training examples are nearest are raised by."""

import math
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Key

from sigfft.encoders.bag import EmbeddingBag
from sigfft.encoders.examples import Examples

_RAISE = 6.0  # of the nearest label's logit, at the start
_SHARPNESS = 20.0  # of cosines, at the start: a label that is 0.1 further is raised by e^-2 of that
_PACE = 13.0  # in a step, raises move so much faster than weights of a bag, which are many for each of them
_RANKS = 32
_PAIRS = np.triu_indices(6)  # of the terms of a quadratic function of five numbers


class NearestBag(EmbeddingBag):
    """An `EmbeddingBag`, and for each of an example's nearest labels what its logit is raised by.

    The model adds the labels' rows of W, as far as they are known before training, to the activation of its DFT head,
    each times its raise over its squared length. Few raised labels come back from an activation of low rank; a linear
    map of features, which keeps scores of all n labels at once, would lose them. What each label is raised by is
    learned, in 23 numbers for all labels: a·exp(b·(score_j - score_1)), and a quadratic function of cosines, of how
    many training examples the label has, and of its rank.

    Args:
      in_dim: as `EmbeddingBag`, and all others too. `examples["nearest_scores"]` (batch, n), best first, are cosines of
        the labels `examples["nearest_ids"]`, 0 where there is none, and `examples["nearest_counts"]` says how many
        training examples they have besides this one.

    Source: ours. The centroids are Rocchio's; see `sigfft.data.LabelCentroids`.
    """

    reads: ClassVar[tuple[str, ...]] = (*EmbeddingBag.reads, "nearest_ids", "nearest_scores", "nearest_counts")
    raises_nearest: ClassVar = True
    usual_examples: ClassVar = 100_000

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
        self.exponential = nnx.Param(jnp.array([_RAISE, math.log(_SHARPNESS)]) / _PACE)
        self.quadratic = nnx.Param(jnp.zeros(len(_PAIRS[0])))

    def __call__(self, examples: Examples, key: Key[Array, ""] | None = None) -> Float[Array, "batch entries"]:
        """Features (batch, feature_dim), followed by the raises (batch, n)."""
        features = super().__call__(examples, key)
        scores, counts = jnp.asarray(examples["nearest_scores"]), jnp.asarray(examples["nearest_counts"])
        return jnp.concatenate([features, self._raises(scores, counts).astype(features.dtype)], axis=-1)

    def _raises(self, scores: Float[Array, "batch n"], counts: Float[Array, "batch n"]) -> Float[Array, "batch n"]:
        first, ranks = scores[:, :1], jnp.arange(scores.shape[1]) / _RANKS
        near = scores > 0
        ratio = scores / jnp.where(first > 0, first, 1)
        terms = jnp.ones(()), 4 * scores, 4 * first, ratio, jnp.log1p(counts) / 4, ranks
        of_label = jnp.stack(jnp.broadcast_arrays(*terms), axis=-1)
        most, sharpness = _PACE * self.exponential[...]
        one, other = _PAIRS
        quadratic = (of_label[..., one] * of_label[..., other]) @ (_RAISE * _PACE * self.quadratic[...])
        falling = jnp.exp(jnp.exp(jnp.minimum(sharpness, 20)) * (scores - first))
        return jnp.where(near, most * falling + quadratic, 0)
