"""Metrics of the k highest-ranked labels: P, R, F1, nDCG, and propensity-scored precision (PSP) and nDCG (PSnDCG) at k.

All read the ids of the top labels, best first, never the logits, so a blocked top-k can feed them. Every example
counts, also one with an empty label set: it adds 0 to each sum, as in scikit-learn with `zero_division=0` and in the
Extreme Classification repository.

Reference: Bhatia et al., The Extreme Classification Repository, 2016 (P, nDCG, PSP, PSnDCG); Grivas, Vergari and Lopez,
Taming the Sigmoid Bottleneck, AAAI 2024 (F1@k).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, Int32, Shaped

from sigfft.metrics import compensated
from sigfft.metrics.compensated import CompensatedSum


class RankingSums(NamedTuple):
    """Sums over examples, one entry per k; hits are integers, hence exact below 2^31."""

    hits: Int32[Array, " ks"]
    recall: CompensatedSum
    f1: CompensatedSum
    ndcg: CompensatedSum
    weighted_hits: CompensatedSum
    best_weighted_hits: CompensatedSum
    weighted_dcg: CompensatedSum
    best_weighted_dcg: CompensatedSum


def init(n_ks: int) -> RankingSums:
    """Sums over no examples."""
    return RankingSums(jnp.zeros(n_ks, jnp.int32), *(compensated.zero((n_ks,)) for _ in RankingSums._fields[1:]))


def update(
    sums: RankingSums,
    top_labels: Int32[Array, "batch top"],
    labels: Int32[Array, "batch cardinality"],
    mask: Bool[Array, " batch"],
    inverse_propensities: Float32[Array, " labels"] | None,
    *,
    n_labels: int,
    ks: tuple[int, ...],
) -> RankingSums:
    """The sums with a batch added of `top_labels`, distinct and best first, at least the last of the ascending `ks`.

    `mask` says which examples count; inverse propensities are the labels' weights in PSP@k and PSnDCG@k, and
    without there is neither.
    """
    active = labels < n_labels
    correct = top_labels[:, : ks[-1], None] == labels[:, None, :]
    is_hit = correct.any(axis=2)
    hits = _at(ks, is_hit.astype(jnp.int32))
    found = hits.astype(jnp.float32)
    cardinality = active.sum(axis=1, keepdims=True, dtype=jnp.int32)
    size = cardinality.astype(jnp.float32)

    discount = (1.0 / np.log2(np.arange(2, ks[-1] + 2))).astype(np.float32)
    ideal = jnp.asarray(np.concatenate([[1.0], np.cumsum(discount)]), jnp.float32)  # 0 hits: 0 / 1
    best_dcg = ideal[jnp.minimum(cardinality, np.asarray(ks, np.int32)[None, :])]

    def add(running: CompensatedSum, values: Float32[Array, "batch ks"]) -> CompensatedSum:
        return compensated.add(running, jnp.where(mask[:, None], values, 0.0).sum(axis=0))

    sums = sums._replace(
        hits=sums.hits + jnp.where(mask[:, None], hits, 0).sum(axis=0, dtype=jnp.int32),
        recall=add(sums.recall, found / jnp.maximum(size, 1.0)),
        f1=add(sums.f1, 2.0 * found / (size + np.asarray(ks, np.float32)[None, :])),
        ndcg=add(sums.ndcg, _at(ks, jnp.where(is_hit, discount[None, :], 0.0)) / best_dcg),
    )
    if inverse_propensities is None:
        return sums
    weight = inverse_propensities.at[labels].get(mode="fill", fill_value=0.0)
    best_first, _ = jax.lax.top_k(jnp.pad(weight, ((0, 0), (0, max(0, ks[-1] - weight.shape[1])))), ks[-1])
    found_weight = jnp.where(correct, weight[:, None, :], 0.0).sum(axis=2)
    return sums._replace(
        weighted_hits=add(sums.weighted_hits, _at(ks, found_weight)),
        best_weighted_hits=add(sums.best_weighted_hits, _at(ks, best_first)),
        weighted_dcg=add(sums.weighted_dcg, _at(ks, found_weight * discount[None, :])),
        best_weighted_dcg=add(sums.best_weighted_dcg, _at(ks, best_first * discount[None, :])),
    )


def compute(sums: RankingSums, n_examples: int, ks: tuple[int, ...], *, with_psp: bool) -> dict[str, float]:
    """The metrics of sums that are on the host, in float64."""
    precision = np.asarray(sums.hits, np.float64) / n_examples / np.asarray(ks)
    recall = compensated.value(sums.recall) / n_examples
    columns = {
        "P": precision,
        "R": recall,
        "F1": _ratio(2 * precision * recall, precision + recall),
        "mean F1": compensated.value(sums.f1) / n_examples,
        "nDCG": compensated.value(sums.ndcg) / n_examples,
    }
    if with_psp:
        columns["PSP"] = _ratio(*map(compensated.value, (sums.weighted_hits, sums.best_weighted_hits)))
        columns["PSnDCG"] = _ratio(*map(compensated.value, (sums.weighted_dcg, sums.best_weighted_dcg)))
    return {f"{name}@{k}": float(column[i]) for name, column in columns.items() for i, k in enumerate(ks)}


def propensities(
    label_counts: Int[np.ndarray, " labels"], n_examples: int, a: float = 0.55, b: float = 1.5
) -> Float[np.ndarray, " labels"]:
    """The probability that a true label was annotated, modelled from how often it occurs in the training set.

    p = 1 / (1 + C (count + b)^-a) with C = (ln n_examples − 1) (b + 1)^a.

    Args:
      label_counts: training examples that hold each label.
      n_examples: number of training examples.
      a: the repository uses 0.5 for its Wikipedia sets, 0.6 for its Amazon sets, and 0.55 elsewhere.
      b: likewise 0.4, 2.6 and 1.5.

    Raises:
      ValueError: a count is below 0 or above `n_examples`; fewer than 3 examples; `a` or `b` is not positive, or so
        large that a propensity is 0.

    Reference: Jain, Prabhu and Varma, Extreme Multi-label Loss Functions for Recommendation, Tagging, Ranking and Other
    Missing Label Applications, KDD 2016, section 4.
    """
    counts = np.asarray(label_counts, np.float64)
    if n_examples < 3:
        raise ValueError(f"propensities need ln(n_examples) > 1, at least 3 examples; given n_examples={n_examples}")
    if not (a > 0 and b > 0):
        raise ValueError(f"a and b must be positive; given a={a}, b={b} (0.55 and 1.5 unless fitted to the data)")
    outside = ~((counts >= 0) & (counts <= n_examples))
    if counts.ndim != 1 or outside.any():
        first = f"; label {int(np.argmax(outside))} has {counts[outside][0]:g}" if outside.any() else ""
        expected = f"one count in 0 .. n_examples={n_examples} a label"
        raise ValueError(f"label_counts must hold {expected}; given shape {counts.shape}{first}")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        c = (np.log(n_examples) - 1) * np.float64(b + 1) ** a
        found = 1 / (1 + c * (counts + b) ** -a)
    if not (found > 0).all():
        raise ValueError(f"a={a:g} and b={b:g} are too large for float64 (0.55 and 1.5 unless fitted to the data)")
    return found


def _at(ks: tuple[int, ...], per_rank: Shaped[Array, "batch top"]) -> Shaped[Array, "batch ks"]:
    return jnp.stack([per_rank[:, :k].sum(axis=1, dtype=per_rank.dtype) for k in ks], axis=1)


def _ratio(numerator: Float[np.ndarray, " ks"], denominator: Float[np.ndarray, " ks"]) -> Float[np.ndarray, " ks"]:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
