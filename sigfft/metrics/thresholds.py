"""Thresholds chosen on a dev split, one for all labels or one for each, and the layer's bias that they amount to.

A label is predicted if its logit is strictly above its threshold. The F1 that is reported is exactly that of this rule
on the examples that were counted; on others it is lower, the more so the fewer examples a label has.
"""

import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Float64, Int

from sigfft.metrics.histograms import Counts, Histograms

Counted = Int[np.ndarray, "labels edges"]
Own = Bool[np.ndarray, " labels"]
Chosen = Int[np.ndarray, " labels"]


class Thresholds(NamedTuple):
    """Thresholds, and what they reach on the examples they were chosen on.

    Attributes:
      values: of each label; a label is predicted if its score is strictly above.
      micro_f1: of all pairs of an example and a label.
      macro_f1: mean over labels; one that is neither predicted nor true counts 0, as in `sigfft.metrics.threshold`.
      own: whether a label's threshold is its own and not the one for all.
    """

    values: Float32[np.ndarray, " labels"]
    micro_f1: float
    macro_f1: float
    own: Bool[np.ndarray, " labels"]


class RuleBias(NamedTuple):
    """The bias of the layer whose rule `logits > 0` is another's rule `logits > thresholds`.

    Attributes:
      values: bias - threshold of each label.
      rounded: ids of the labels whose difference float64 does not hold exactly.
    """

    values: Float64[np.ndarray, " labels"]
    rounded: Int[np.ndarray, " rounded"]


def choose_thresholds(
    histograms: Histograms,
    counts: Counts,
    objective: str = "micro F1",
    *,
    per_label: bool = True,
    least_active: int = 1,
) -> Thresholds:
    """The thresholds among the histograms' edges at which the objective is largest.

    Of equally good thresholds in a row the middle one is taken: it is farthest from the scores on both sides.

    Args:
      histograms: from `make_histograms`.
      counts: of the dev split.
      objective: "micro F1" or "macro F1".
      per_label: one threshold for each label; else one for all.
      least_active: a label that fewer examples have takes the best threshold for all labels: few examples say little
        about it, and none say nothing.

    Raises:
      ValueError: an unknown objective, no example, or counts of other histograms.

    Reference: Yang, A study of thresholding strategies for text categorization (SIGIR 2001), SCut; Dinkelbach, On
    nonlinear fractional programming (1967), for the largest ratio of sums, which micro F1 is.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"objective={objective!r} must be one of: {', '.join(OBJECTIVES)}")
    host = histograms.on_host(counts)
    hits, sizes = _above(host.active), _above(host.every) + host.active.sum(axis=1, keepdims=True)
    n_labels = len(hits)
    of_edges, choose = OBJECTIVES[objective]
    chosen = np.full(n_labels, middle_of_best(of_edges(hits, sizes)[None])[0])
    own = host.active.sum(axis=1) >= max(least_active, 1) if per_label else np.zeros(n_labels, bool)
    if own.any():
        chosen = choose(hits, sizes, own, chosen)
    at = np.arange(n_labels), chosen
    return Thresholds(
        histograms.edges[chosen],
        float(_f1(hits[at].sum(), sizes[at].sum())),
        float(_f1(hits[at], sizes[at]).mean()),
        own,
    )


def logit_of(probability: float) -> np.float32:
    """The threshold in logits of a probability, in the float32 that logits are compared in.

    Raises:
      ValueError: it is not strictly between 0 and 1.
    """
    if not 0 < probability < 1:
        raise ValueError(f"threshold={probability} must be a probability strictly between 0 and 1, or dev")
    return np.float32(math.log(probability) - math.log1p(-probability))


def rule_bias(
    thresholds: Float[np.ndarray | Array, " labels"], bias: Float[np.ndarray | Array, " labels"] | None = None
) -> RuleBias:
    """The bias to check in place of a layer's own, where labels are predicted if logits > thresholds.

    sigfft.check(weight, label_sets, rule_bias(thresholds, bias).values) is then about the rule that is deployed.
    Of float32 numbers the difference is taken in float64. There it is exact if one of the two is 0, or if the larger is
    at most 2^28 times the smaller, and for thresholds that are multiples of 1/8 (of `choose_thresholds`) in most other
    cases. It is rounded only where `rounded` says so, by a relative 2^-53: a verdict is then about a bias so far off.

    Args:
      thresholds: of each label, in logits.
      bias: of the layer; None: it has none.

    Raises:
      ValueError: the shapes differ.

    Example:
      >>> rule_bias(np.array([0.5, -1.0]), np.array([0.25, 0.0])).values
      array([-0.25,  1.  ])
    """
    levels = np.asarray(thresholds, np.float64)
    own = np.zeros_like(levels) if bias is None else np.asarray(bias, np.float64)
    if levels.ndim != 1 or own.shape != levels.shape:
        raise ValueError(f"thresholds and bias must both be (n_labels,); given {levels.shape} and {own.shape}")
    values = own - levels
    # TwoSum's error is exact, hence zero only where the difference is.
    kept = values - own
    error = (own - (values - kept)) + (-levels - kept)
    return RuleBias(values, np.flatnonzero(error))


def _above(histogram: Int[np.ndarray, "labels bins"]) -> Int[np.ndarray, "labels edges"]:
    """How many scores lie strictly above each edge."""
    return np.cumsum(histogram[:, :0:-1], axis=1)[:, ::-1]


def _f1(hits: Int[np.ndarray, "..."] | np.integer, sizes: Int[np.ndarray, "..."] | np.integer) -> np.ndarray:
    return np.asarray(2.0 * hits / np.maximum(sizes, 1))


def _largest_mean(hits: Counted, sizes: Counted, own: Own, start: Chosen) -> Chosen:
    """Each label's best edge by itself; labels not in `own` stay where they start."""
    start[own] = middle_of_best(_f1(hits[own], sizes[own]))
    return start


def _largest_ratio(hits: Counted, sizes: Counted, own: Own, start: Chosen) -> Chosen:
    """The edges at which 2 Σ hits / Σ sizes is largest; labels not in `own` stay where they start.

    Where the ratio is r, another choice has a larger one iff its Σ (2 hits - r sizes) is above 0, and of that sum each
    label has a best edge by itself. The ratio grows from choice to choice, of which there are finitely many.
    """
    labels = np.arange(len(hits))

    def ratio(edges: Chosen) -> Fraction:
        return Fraction(int(2 * hits[labels, edges].sum()), max(1, int(sizes[labels, edges].sum())))

    while True:
        reached, better = ratio(start), start.copy()
        better[own] = middle_of_best(2.0 * hits[own] - float(reached) * sizes[own])
        if ratio(better) <= reached:
            return better if ratio(better) == reached else start
        start = better


def middle_of_best(values: Float[np.ndarray, "rows edges"]) -> Chosen:
    """In each row, the middle of the first run of largest values."""
    best = values == values.max(axis=1, keepdims=True)
    first = best.argmax(axis=1)
    after = ~best & (np.arange(values.shape[1]) > first[:, None])
    end = np.where(after.any(axis=1), after.argmax(axis=1), values.shape[1])
    return (first + end - 1) // 2


# By name: the value of each edge as the one threshold for all labels, and the choice of one edge for each label.
OBJECTIVES = {
    "micro F1": (lambda hits, sizes: _f1(hits.sum(axis=0), sizes.sum(axis=0)), _largest_ratio),
    "macro F1": (lambda hits, sizes: _f1(hits, sizes).mean(axis=0), _largest_mean),
}
