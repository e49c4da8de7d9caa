"""Metrics of the predicted label set {labels whose logit exceeds a threshold}: micro, macro, sample F1, exact match.

A ratio 0/0 counts as 0, as in scikit-learn with `zero_division=0`: in macro F1 a label that is neither predicted nor
true, in sample F1 an example whose predicted and true sets are both empty. Exact match counts the latter as right.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32

from sigfft.metrics import compensated
from sigfft.metrics.compensated import CompensatedSum


class ThresholdSums(NamedTuple):
    """Counts over examples, each exact below 2^31. The total over labels may exceed that: it is taken on the host."""

    true_positives: Int32[Array, " labels"]
    predicted: Int32[Array, " labels"]
    actual: Int32[Array, " labels"]
    exact_matches: Int32[Array, ""]
    f1: CompensatedSum


def init(n_labels: int) -> ThresholdSums:
    """Sums over no examples."""
    # Three arrays, not one thrice: a state may be donated to a step.
    true_positives, predicted, actual = (jnp.zeros(n_labels, jnp.int32) for _ in range(3))
    return ThresholdSums(true_positives, predicted, actual, jnp.zeros((), jnp.int32), compensated.zero())


def update(
    sums: ThresholdSums,
    active_predicted: Bool[Array, "batch cardinality"],
    predicted_per_example: Int32[Array, " batch"],
    predicted_per_label: Int32[Array, " labels"],
    labels: Int32[Array, "batch cardinality"],
    mask: Bool[Array, " batch"],
    *,
    n_labels: int,
) -> ThresholdSums:
    """The sums with a batch added; what is predicted is told in `streaming.Predictions`."""
    active = (labels < n_labels) & mask[:, None]
    hit = active_predicted & active
    cardinality = active.sum(axis=1, dtype=jnp.int32)
    hits = hit.sum(axis=1, dtype=jnp.int32)
    sizes = jnp.where(mask, cardinality + predicted_per_example, 0)
    exact = mask & (hits == cardinality) & (hits == predicted_per_example)
    f1 = 2.0 * hits.astype(jnp.float32) / jnp.maximum(sizes, 1).astype(jnp.float32)
    return ThresholdSums(
        true_positives=sums.true_positives.at[labels].add(hit.astype(jnp.int32), mode="drop"),
        predicted=sums.predicted + predicted_per_label,
        actual=sums.actual.at[labels].add(active.astype(jnp.int32), mode="drop"),
        exact_matches=sums.exact_matches + exact.sum(dtype=jnp.int32),
        f1=compensated.add(sums.f1, f1.sum()),
    )


def compute(sums: ThresholdSums, n_examples: int) -> dict[str, float]:
    """The metrics of sums that are on the host, in int64 and float64."""
    hits = np.asarray(sums.true_positives, np.int64)
    sizes = np.asarray(sums.predicted, np.int64) + np.asarray(sums.actual, np.int64)
    return {
        "micro F1": float(_f1(hits.sum(), sizes.sum())),
        "macro F1": float(_f1(hits, sizes).mean()),
        "sample F1": float(compensated.value(sums.f1) / n_examples),
        "exact match": float(sums.exact_matches / n_examples),
    }


def _f1(
    hits: Int[np.ndarray, " labels"] | np.integer, sizes: Int[np.ndarray, " labels"] | np.integer
) -> Float[np.ndarray, " labels"] | np.floating:
    return 2.0 * hits / np.maximum(sizes, 1)
