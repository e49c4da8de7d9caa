"""All metrics of one evaluation, as a state of integer counts and compensated sums that takes a batch at a time."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array, Bool, Float, Int, Int32, Shaped

from sigfft.meshes import automatic, flat, spec_of
from sigfft.metrics import ranking
from sigfft.metrics import threshold as thresholded
from sigfft.metrics.ranking import RankingSums
from sigfft.metrics.threshold import ThresholdSums
from sigfft.precision import compute_dtype


class State(NamedTuple):
    """Sums over the examples seen: the states of several devices or hosts are added leaf by leaf (`jax.lax.psum`)."""

    examples: Int32[Array, ""]
    ranking: RankingSums
    threshold: ThresholdSums


class Predictions(NamedTuple):
    """What the metrics need of a batch of logits; inference over blocks of labels can make it without the whole.

    Attributes:
      top_labels: ids of the largest logits, largest first, equal ones by ascending id; at least max(ks) of them.
      active: whether each label of the padded label set has a logit above the threshold; any value at padding.
      per_example: how many labels of each example are above the threshold.
      per_label: how many examples, of those that count, have each label above the threshold.
    """

    top_labels: Int32[Array, "batch top"]
    active: Bool[Array, "batch cardinality"]
    per_example: Int32[Array, " batch"]
    per_label: Int32[Array, " labels"]


class Metrics(NamedTuple):
    """Pure functions over a `State`.

    Attributes:
      names: what `compute` returns values for.
      top: how many labels the largest cut-off needs ranked.
      threshold: in logits, above which a label is predicted.
      init: `init()` -> state of no examples.
      update: `update(state, logits, labels, mask)` -> state with the batch added; jitted. logits (..., n_labels);
        labels (..., any width) padded with n_labels; mask (...) is False where a row only fills up the batch.
      update_predictions: `update_predictions(state, predictions, labels, mask)` -> the same from `Predictions`.
      compute: `compute(state)` -> metrics as fractions, by name. Leading axes of the state (devices, after `jax.pmap`)
        are summed first. Raises ValueError if no example was counted.
    """

    names: tuple[str, ...]
    top: int
    threshold: float
    init: Callable[[], State]
    update: Callable[..., State]
    update_predictions: Callable[..., State]
    compute: Callable[[State], dict[str, float]]


def make_metrics(
    n_labels: int,
    ks: Sequence[int] = (1, 3, 5),
    threshold: float = 0.0,
    propensities: Float[np.ndarray, " labels"] | None = None,
) -> Metrics:
    """Metrics at the cut-offs `ks` and at `threshold`.

    Names: P@k, R@k, nDCG@k; F1@k, the harmonic mean of P@k and R@k (the paper's); mean F1@k, the mean of each example's
    own F1@k; PSP@k and PSnDCG@k, the propensity-scored gain and discounted gain, summed over examples and divided by
    the sum of the best that any ranking reaches; micro F1, macro F1, sample F1, exact match. A label is predicted if
    its logit is strictly above `threshold`. Equal logits rank by ascending label id, and -0.0 below 0.0, as in
    `jax.lax.top_k`. Empty label sets and ratios 0/0 count 0: see `sigfft.metrics.ranking` and
    `sigfft.metrics.threshold`.

    Args:
      n_labels: number of labels.
      ks: cut-offs of the ranking metrics, each in 1 .. n_labels.
      threshold: in logits; 0 is probability one half.
      propensities: of each label, in (0, 1], from `sigfft.metrics.propensities`; without there is no PSP, PSnDCG.

    Raises:
      ValueError: `ks` is empty, repeats itself or leaves 1 .. n_labels; `propensities` has another shape or a value
        outside (0, 1].

    Example:
      >>> metrics = make_metrics(4, ks=(1,))
      >>> logits, labels = jnp.array([[2.0, -1, -1, 1], [-1, 3, -2, -2]]), jnp.array([[0, 3], [2, 4]])
      >>> state = metrics.update(metrics.init(), logits, labels, jnp.array([True, True]))
      >>> scores = metrics.compute(state)
      >>> scores["P@1"], scores["exact match"]
      (0.5, 0.5)
    """
    cutoffs = tuple(sorted(int(k) for k in ks))
    if not cutoffs or len(set(cutoffs)) < len(cutoffs) or cutoffs[0] < 1 or cutoffs[-1] > n_labels:
        raise ValueError(f"ks must be distinct cut-offs in 1 .. n_labels={n_labels}, at least one; given {tuple(ks)}")
    weights = None if propensities is None else _inverse(propensities, n_labels)

    def init() -> State:
        return State(jnp.zeros((), jnp.int32), ranking.init(len(cutoffs)), thresholded.init(n_labels))

    def update(state: State, logits: Array, labels: Array, mask: Array) -> State:
        check_shapes(logits.shape[-1:], logits, labels, mask, n_labels)
        logits, labels, mask = (flat(jnp.asarray(array), own) for array, own in ((logits, 1), (labels, 1), (mask, 0)))
        predictions = predict(logits, labels, mask, top=cutoffs[-1], threshold=threshold)
        return _update(state, predictions, labels, mask, weights, n_labels=n_labels, ks=cutoffs)

    def update_predictions(state: State, predictions: Predictions, labels: Array, mask: Array) -> State:
        if labels.ndim != 2:
            raise ValueError(f"labels beside predictions must be (batch, max_cardinality); given {labels.shape}")
        check_shapes(predictions.per_label.shape, predictions.top_labels, labels, mask, n_labels)
        if predictions.top_labels.shape[1] < cutoffs[-1]:
            raise ValueError(f"top_labels holds {predictions.top_labels.shape[1]} labels; ks={cutoffs} needs more")
        return _update(state, predictions, labels, mask, weights, n_labels=n_labels, ks=cutoffs)

    def compute(state: State) -> dict[str, float]:
        axes = tuple(range(state.examples.ndim))  # of devices
        # float32 and int32 leaves are added up in float64 and int64: no digit is lost between devices either.
        wide = {"i": np.int64, "f": np.float64}
        on_host = jax.tree.map(lambda leaf: np.asarray(leaf, wide[leaf.dtype.kind]).sum(axis=axes), state)
        n_examples = int(on_host.examples)
        if n_examples == 0:
            raise ValueError("no example was counted: no metric is defined; is every mask False, or update not called?")
        ranked = ranking.compute(on_host.ranking, n_examples, cutoffs, with_psp=weights is not None)
        return ranked | thresholded.compute(on_host.threshold, n_examples)

    names = tuple(compute(init()._replace(examples=jnp.ones((), jnp.int32))))
    return Metrics(names, cutoffs[-1], threshold, init, update, update_predictions, compute)


@functools.partial(jax.jit, static_argnames=("top",))
def predict(
    logits: Float[Array, "batch labels"],
    labels: Int[Array, "batch cardinality"],
    mask: Shaped[Array, " batch"],
    *,
    top: int,
    threshold: float | Float[Array | np.ndarray, ""] | Float[Array | np.ndarray, " labels"] = 0.0,
) -> Predictions:
    """The `Predictions` of whole logits, with the `top` best labels of each example.

    `threshold` is one for all labels or one for each; logits are compared with it in float32 at least.
    """
    level, labels = jnp.asarray(threshold, compute_dtype(logits.dtype)), jnp.asarray(labels, jnp.int32)

    def counted(logits: Array, labels: Array, mask: Array, level: Array) -> Predictions:
        # By products of 0s and 1s, exact in any precision: integer sums of a whole batch are 5 times slower on CPU.
        passed = logits.astype(level.dtype) > jnp.broadcast_to(level, logits.shape)
        above = passed.astype(jnp.float32)
        rows = np.arange(labels.shape[0], dtype=np.int32)[:, None]
        return Predictions(
            top_labels=jax.lax.top_k(logits, top)[1].astype(jnp.int32),
            active=passed.at[rows, labels].get(mode="fill", fill_value=False),
            per_example=(above @ jnp.ones(logits.shape[1], jnp.float32)).astype(jnp.int32),
            per_label=(mask.astype(bool).astype(jnp.float32) @ above).astype(jnp.int32),
        )

    def specs(logits: Array, *_: Array) -> Any:
        examples, of_labels = map(PartitionSpec, spec_of(logits))
        return Predictions(examples, examples, examples, of_labels)  # type: ignore[arg-type]

    return automatic(counted, specs, logits, labels, mask, level)


# Like `predict` compiled at module level, so that the heads of one comparison share one compilation.
@functools.partial(jax.jit, static_argnames=("n_labels", "ks"))
def _update(
    state: State,
    predictions: Predictions,
    labels: Array,
    mask: Array,
    weights: Array | None,
    *,
    n_labels: int,
    ks: tuple[int, ...],
) -> State:

    def added(state: State, predictions: Predictions, labels: Array, mask: Array, weights: Array | None) -> State:
        labels, mask = labels.astype(jnp.int32), mask.astype(bool)
        top_labels, active, per_example, per_label = predictions
        tallies = active, per_example, per_label, labels, mask
        return State(
            examples=state.examples + mask.sum(dtype=jnp.int32),
            ranking=ranking.update(state.ranking, top_labels, labels, mask, weights, n_labels=n_labels, ks=ks),
            threshold=thresholded.update(state.threshold, *tallies, n_labels=n_labels),
        )

    def specs(state: State, predictions: Predictions, *_: Array | None) -> State:
        of_labels = spec_of(predictions.per_label)
        return jax.tree.map(lambda leaf: of_labels if leaf.shape == (n_labels,) else PartitionSpec(), state)

    return automatic(added, specs, state, predictions, labels, mask, weights)


def check_shapes(
    label_axis: tuple[int, ...],
    per_example: Array | np.ndarray,
    labels: Array | np.ndarray,
    mask: Array | np.ndarray,
    n_labels: int,
) -> None:
    """Raises ValueError unless a batch's arrays are of `n_labels` labels and of one number of examples."""
    if label_axis != (n_labels,):
        raise ValueError(f"these metrics are of n_labels={n_labels} labels; given an array of {label_axis} labels")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"labels must be padded label ids (sigfft.labels.pad); given {labels.dtype} values")
    batch = per_example.shape[:-1]
    if labels.ndim != len(batch) + 1 or labels.shape[:-1] != batch or mask.shape != batch:
        shape = ", ".join(map(str, (*batch, "max_cardinality")))
        raise ValueError(
            f"labels must be ({shape}) and mask {batch} beside logits of {batch} examples; "
            f"given {labels.shape} and {mask.shape}"
        )


def _inverse(propensities: Float[np.ndarray, " labels"], n_labels: int) -> Array:
    values = np.asarray(propensities, np.float64)
    if values.shape != (n_labels,) or not ((values > 0) & (values <= 1)).all():
        raise ValueError(
            f"propensities must be {n_labels} probabilities in (0, 1], one a label (sigfft.metrics.propensities); "
            f"given shape {values.shape} with values from {values.min(initial=np.inf)} to {values.max(initial=-np.inf)}"
        )
    return jnp.asarray(1 / values, jnp.float32)
