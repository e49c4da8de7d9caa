"""Every threshold for all labels at once: what each would reach, from one pass over the examples.

Histograms (`sigfft.metrics.histograms`) tell micro and macro F1 of a threshold, and with one for each label. The mean
of each example's own F1, and how many predicted sets equal the true one, need the scores of an example side by side:
they are counted here by example, and summed at each edge.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32

from sigfft.metrics.histograms import Counts, Histograms
from sigfft.metrics.thresholds import middle_of_best


class Binned(NamedTuple):
    """A batch of scores by bin.

    Attributes:
      per_label: how many examples, of those that count, have each label's score in each bin.
      per_example: how many labels of each example have their score in each bin.
      active: the bin of each label of the padded label set; any value at padding.
    """

    per_label: Int32[Array, "labels bins"]
    per_example: Int32[Array, "batch bins"]
    active: Int32[Array, "batch cardinality"]


class Curves(NamedTuple):
    """Sums over examples, to be added leaf by leaf.

    Attributes:
      counts: for `choose_thresholds`.
      f1: at each edge, the sum of the examples' own F1; 0 where predicted and true sets are both empty.
      exact: at each edge, how many predicted sets equal the true one.
    """

    counts: Counts
    f1: Float[Array, " edges"]
    exact: Int32[Array, " edges"]


class Best(NamedTuple):
    """One threshold for all labels, and the mean that it reaches on the examples that it was chosen on."""

    value: float
    reached: float


def curves_of(binned: Binned, labels: Int[Array, "batch cardinality"], mask: Bool[Array, " batch"]) -> Curves:
    """The sums of a batch; labels are padded with n_labels, mask is False where a row only fills up the batch."""
    labels, (n_labels, n_bins) = jnp.asarray(labels, jnp.int32), binned.per_label.shape
    present = (labels < n_labels).astype(jnp.int32)
    counted = mask.astype(jnp.int32)[:, None]
    rows = np.arange(len(labels), dtype=np.int32)[:, None]
    own = jnp.zeros(binned.per_example.shape, jnp.int32).at[rows, binned.active].add(present)
    active = jnp.zeros((n_labels, n_bins), jnp.int32).at[labels, binned.active].add(present * counted, mode="drop")
    hits, predicted, cardinality = _above(own), _above(binned.per_example), present.sum(axis=1, keepdims=True)
    f1 = 2.0 * hits.astype(jnp.float32) / jnp.maximum(predicted + cardinality, 1).astype(jnp.float32)
    exact = (hits == cardinality) & (hits == predicted)
    return Curves(
        Counts(binned.per_label, active),
        (f1 * counted.astype(jnp.float32)).sum(axis=0),
        (exact.astype(jnp.int32) * counted).sum(axis=0),
    )


def best_for_examples(
    histograms: Histograms,
    sums: Float[np.ndarray | Array, " edges"] | Int[np.ndarray | Array, " edges"],
    n_examples: int | np.integer,
) -> Best:
    """The edge at which sample F1, or exact match, is largest; of equally good ones in a row the middle one.

    Args:
      histograms: whose edges the sums are at.
      sums: `f1` or `exact` of `Curves`, over all examples.
      n_examples: how many there were.
    """
    means = np.asarray(sums, np.float64) / n_examples
    edge = int(middle_of_best(means[None])[0])
    return Best(float(histograms.edges[edge]), float(means[edge]))


def _above(counts: Int32[Array, "batch bins"]) -> Int32[Array, "batch edges"]:
    """How many lie strictly above each edge."""
    return jnp.cumsum(counts[:, :0:-1], axis=1)[:, ::-1]
