"""Histograms of scores, of all examples and of active labels: what thresholds and areas under curves are chosen from.

histograms = make_histograms(n_labels)
state = histograms.init()
for logits, labels, mask in batches:
    state = histograms.update(state, logits, labels, mask)
choose_thresholds(histograms, state, objective="macro F1").values  # (n_labels,), in logits
area_under_curve(histograms, state).micro

The edges are multiples of a power of two, exact in float32, and a bin holds edge < score <= next edge. What lies above
an edge is therefore counted as `logits > edge` has it, without rounding, and whatever is computed of such a threshold
is exact. The resolution limits which thresholds there are to choose from, and which scores an area takes for equal.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float32, Int, Int32, Int64, Shaped

from sigfft.meshes import automatic, flat, spec_of
from sigfft.metrics.streaming import check_shapes
from sigfft.precision import compute_dtype

Batch = Array | np.ndarray


class Counts(NamedTuple):
    """Examples by score: states of several devices or hosts are added leaf by leaf (`jax.lax.psum`). Exact below 2^31.

    Attributes:
      every: of each label, how many examples have a score in each bin.
      active: of each label, how many of those have the label.
    """

    every: Int32[Array, "labels bins"]
    active: Int32[Array, "labels bins"]


class Histograms(NamedTuple):
    """Pure functions over `Counts`.

    Attributes:
      n_labels: number of labels.
      edges: ascending thresholds between the bins; the first bin holds all scores up to the first edge, and NaN.
      init: `init()` -> counts of no examples.
      update: `update(counts, scores, labels, mask)` -> counts with the batch added; jitted. scores (..., n_labels),
        logits or any others; labels (..., any width) padded with n_labels; mask (...) is False where a row only fills
        up the batch.
      bins: `bins(scores)` -> the bin of each score, int32: the number of edges strictly below it; 0 for NaN.
      on_host: `on_host(counts)` -> the same in int64. Leading axes (devices, after `jax.pmap`) are summed. Raises
        ValueError if no example was counted, or the counts have another shape.
    """

    n_labels: int
    edges: Float32[np.ndarray, " edges"]
    bins: Callable[[Array], Array]
    init: Callable[[], Counts]
    update: Callable[..., Counts]
    on_host: Callable[[Counts], "HostCounts"]


class HostCounts(NamedTuple):
    """`Counts` on the host, over all devices."""

    every: Int64[np.ndarray, "labels bins"]
    active: Int64[np.ndarray, "labels bins"]


def make_histograms(n_labels: int, low: float = -16.0, high: float = 16.0, resolution: float = 1 / 8) -> Histograms:
    """Histograms with an edge at each multiple of `resolution` from `low` to `high`.

    The defaults suit logits; probabilities take low=0, high=1 and a resolution such as 1/256. A state takes 8 bytes a
    label and bin: 41 MB for 20,000 labels and the 258 bins of the defaults.

    Args:
      n_labels: number of labels.
      low: the least threshold, a multiple of `resolution`.
      high: the largest threshold, a multiple of `resolution`.
      resolution: step between thresholds, a power of two.

    Raises:
      ValueError: `resolution` is no power of two, `low` and `high` are no multiples of it or do not ascend, or they are
        so large that float32 lacks a multiple between them.
    """
    if not (math.isfinite(resolution) and resolution > 0 and math.frexp(resolution)[0] == 0.5):
        raise ValueError(f"resolution={resolution} must be a power of two, such as 1/8: float32 holds its multiples")
    first, last = low / resolution, high / resolution
    if not (first < last and first.is_integer() and last.is_integer() and max(-first, last) <= 2**24):
        raise ValueError(
            f"low={low} and high={high} must ascend and be multiples of resolution={resolution}, at most 2^24 times it"
        )
    edges = (np.arange(int(first), int(last) + 1) * resolution).astype(np.float32)
    shape = (n_labels, len(edges) + 1)

    def init() -> Counts:
        return Counts(jnp.zeros(shape, jnp.int32), jnp.zeros(shape, jnp.int32))

    def update(counts: Counts, scores: Batch, labels: Batch, mask: Batch) -> Counts:
        check_shapes(scores.shape[-1:], scores, labels, mask, n_labels)
        scores, labels, mask = (flat(jnp.asarray(array), own) for array, own in ((scores, 1), (labels, 1), (mask, 0)))
        return _update(counts, scores, labels, mask, first=first, resolution=resolution)

    def bins(scores: Array) -> Array:
        return _bins(scores, first, resolution, shape[1])

    def on_host(counts: Counts) -> HostCounts:
        if counts.every.shape[-2:] != shape or counts.active.shape != counts.every.shape:
            given = f"{counts.every.shape} and {counts.active.shape}"
            raise ValueError(f"counts of these histograms have (labels, bins) = {shape}; given {given}")
        summed = [np.asarray(c, np.int64).sum(axis=tuple(range(c.ndim - 2))) for c in counts]
        if not summed[0].any():
            raise ValueError("no example was counted; is every mask False, or update not called?")
        return HostCounts(*summed)

    return Histograms(n_labels, edges, bins, init, update, on_host)


def _bins(scores: Array, first: float, resolution: float, n_bins: int) -> Int32[Array, "..."]:
    scores = scores.astype(compute_dtype(scores.dtype))
    # Division by a power of two and rounding up are exact: the bin is the number of edges strictly below the score.
    steps = jnp.clip(jnp.ceil(scores / resolution), first, first + n_bins - 1)
    return jnp.where(jnp.isnan(scores), 0, steps - first).astype(jnp.int32)


@functools.partial(jax.jit, static_argnames=("first", "resolution"))
def _update(
    counts: Counts,
    scores: Shaped[Array, "batch labels"],
    labels: Int[Array, "batch cardinality"],
    mask: Shaped[Array, " batch"],
    *,
    first: float,
    resolution: float,
) -> Counts:
    n_labels, n_bins = counts.every.shape

    def added(counts: Counts, scores: Array, labels: Array, mask: Array) -> Counts:
        bins = _bins(scores, first, resolution, n_bins)
        labels, counted = labels.astype(jnp.int32), mask.astype(bool).astype(jnp.int32)[:, None]
        rows = np.arange(len(labels), dtype=np.int32)[:, None]
        own = bins.at[rows, labels].get(mode="fill", fill_value=0)
        return Counts(
            # One index for label and bin: two are slower on CPU.
            every=counts.every.ravel()
            .at[bins + np.arange(n_labels, dtype=np.int32)[None] * n_bins]
            .add(jnp.broadcast_to(counted, bins.shape))
            .reshape(counts.every.shape),
            active=counts.active.at[labels, own].add(jnp.broadcast_to(counted, own.shape), mode="drop"),
        )

    def specs(counts: Counts, scores: Array, *_: Array) -> Any:
        return jax.tree.map(lambda _: PartitionSpec(spec_of(scores)[1]), counts)

    return automatic(added, specs, counts, scores, labels, mask)
