"""Metrics of a model on a split, and the check of the label sets that it should be able to output."""

import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from sigfft import inference, labels
from sigfft.argmaxability import HeadReport, Report
from sigfft.argmaxability.deployed_rule import check_thresholds
from sigfft.argmaxability.of_heads.streamed import HELD
from sigfft.data import Dataset, batches
from sigfft.domains import DomainLike
from sigfft.heads import Head, Params, stored_layer
from sigfft.losses import PerLabelLoss, of_head
from sigfft.metrics import Metrics, State, predict, rule_bias
from sigfft.training.devices import local_shardings, split_over_devices
from sigfft.training.model import Model, ModelParams
from sigfft.training.processes import is_first_process
from sigfft.training.shares import check_in_shares
from sigfft.training.step import DATA

Threshold = float | Float[np.ndarray, ""] | Float[np.ndarray, " labels"] | None


# `evaluate(params, threshold=None)`: the metrics of a split; of label sets above a threshold in logits, one for all
# labels or one for each, or above the metrics' own
Evaluate = Callable[..., dict[str, float]]
LOSS = "loss"  # the dev metric of which less is better


def make_evaluate(
    model: Model, metrics: Metrics, data: Dataset, batch_size: int, max_examples: int = 0, block_size: int = 0
) -> Evaluate:
    """The metrics of a split, pmapped over the batch like the train step.

    It takes `batch_size` examples over all devices at a time, of the first `max_examples`, rounded up to whole batches,
    and holds the logits of `block_size` labels; 0: of all.
    """

    def of_device(own: tuple[ModelParams, Array], batch: dict[str, Any]) -> State:
        params, threshold = own
        features, labels, mask = model.features(params["encoder"], batch), batch["labels"], batch["mask"]
        if block_size:
            options = {"top": metrics.top, "threshold": threshold, "block_size": block_size}
            found = inference.predictions(model.output, params["head"], features, labels, mask, **options)
        else:
            logits = model.output.logits(params["head"], features)
            found = predict(logits, labels, mask, top=metrics.top, threshold=threshold)
        return metrics.update_predictions(metrics.init(), found, labels, mask)

    total = over_split(of_device, data, batch_size, max_examples)

    def evaluate(params: ModelParams, threshold: Threshold = None) -> dict[str, float]:
        level = np.float32(metrics.threshold if threshold is None else threshold)
        # Of one shape, so that one threshold and one for each label share a compilation.
        return metrics.compute(total((params, np.broadcast_to(level, (model.head.n_labels,)))))

    return evaluate


def with_loss(
    evaluate: Evaluate,
    model: Model,
    loss: PerLabelLoss,
    data: Dataset,
    batch_size: int,
    max_examples: int = 0,
    block_size: int = 0,
) -> Evaluate:
    """The metrics of a split, and as `LOSS` the mean over its examples of the loss that is trained, without dropout."""

    def of_device(params: ModelParams, batch: dict[str, Any]) -> tuple[Array, Array]:
        features, labels, mask = model.features(params["encoder"], batch), batch["labels"], batch["mask"]
        weights = mask.astype(features.dtype)
        options = {"reduction": "sum", "example_weights": weights}
        return of_head(loss, model.output, params["head"], features, labels, block_size or None, **options), mask.sum()

    total = over_split(of_device, data, batch_size, max_examples)

    def evaluate_loss(params: ModelParams, threshold: Threshold = None) -> dict[str, float]:
        summed, count = total(params)
        return evaluate(params, threshold) | {LOSS: float(summed / count)}

    return evaluate_loss


def over_split(
    of_device: Callable[[Any, Any], Any], data: Dataset, batch_size: int, max_examples: int = 0
) -> Callable[[Any], Any]:
    """A function of a pytree that sums `of_device(pytree, batch)` over a split, exactly, and returns the sums on host.

    `of_device` is pmapped: a batch is that of one device, and what it returns is added up over devices and batches.
    """
    of_batch = jax.pmap(
        lambda own, batch: jax.lax.psum(of_device(own, batch), DATA), axis_name=DATA, in_axes=(None, 0), out_axes=None
    )
    replicated, split = local_shardings()
    n_batches = -(-(min(len(data), max_examples) if max_examples else len(data)) // batch_size)

    def summed(own: Any) -> Any:
        host = {"process_index": jax.process_index(), "process_count": jax.process_count()}
        own = jax.device_put(jax.device_get(own), replicated)
        total = None
        for _, batch in zip(range(n_batches), batches(data, batch_size, **host), strict=False):
            wide = jax.tree.map(_wide, of_batch(own, split_over_devices(batch, split)))
            total = wide if total is None else jax.tree.map(np.add, total, wide)
        return total

    return summed


class Checked(NamedTuple):
    """Verdicts on the distinct label sets of a split.

    Attributes:
      of_z: under the rule logits > 0, of activations of any value.
      of_features: of the features that activations are made from, where that layer is not too large to hold.
      at_threshold: under the rule that is deployed, logits > thresholds, of activations; None where no thresholds were
        given, or W is too large to hold.
      rounded: of how many labels float64 rounds the bias - threshold that the latter are about.
      seconds: that all of it took.
    """

    of_z: HeadReport
    of_features: Report | None
    at_threshold: Report | None
    rounded: int
    seconds: float


def check_label_sets(
    head: Head,
    params: Params,
    data: Dataset,
    max_sets: int,
    domain: DomainLike = "any",
    thresholds: Threshold = None,
) -> Checked | None:
    """The verdicts on a split's distinct label sets: for z, for the features that z is made from, and at thresholds.

    `domain` is what each feature can be. If there are more than `max_sets` distinct sets, so many are checked, evenly
    spaced in order of appearance; 0: all. `thresholds` are in logits, one for all labels or one for each. Of several
    processes each decides its share, and the first one those at thresholds; None at the others.
    """
    begun = time.perf_counter()
    distinct = evenly(labels.dedupe(data.labels)[0], max_sets)
    shown = is_first_process() and sys.stderr.isatty()
    report, at_threshold, rounded = check_in_shares(head, params, distinct, domain=domain, progress=shown), None, 0
    if report is None:
        return None
    if thresholds is not None and head.n_labels * head.dim <= HELD:
        weight, bias = stored_layer(head, params)
        at_threshold = check_thresholds(weight, report, bias, thresholds, progress=shown)
        rounded = len(rule_bias(np.broadcast_to(thresholds, (head.n_labels,)), bias).rounded)
    return Checked(report, report.on_features, at_threshold, rounded, time.perf_counter() - begun)


def evenly(given: np.ndarray, count: int) -> np.ndarray:
    """At most so many of its rows, evenly spaced; 0: all."""
    return given[np.linspace(0, len(given) - 1, count).astype(int)] if 0 < count < len(given) else given


def _wide(leaf: Array) -> np.ndarray:
    values = np.asarray(leaf)
    return values.astype(np.int64 if np.issubdtype(values.dtype, np.integer) else np.float64)
