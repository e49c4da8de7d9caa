"""Metrics of a model on a split, and the check of the label sets that it should be able to output."""

import sys
from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array

from sigfft import inference, labels
from sigfft.argmaxability import HeadReport
from sigfft.data import Dataset, batches
from sigfft.domains import DomainLike
from sigfft.heads import Head, Params
from sigfft.metrics import Metrics
from sigfft.training.devices import local_shardings, split_over_devices
from sigfft.training.model import Model, ModelParams
from sigfft.training.processes import is_first_process
from sigfft.training.shares import check_in_shares
from sigfft.training.step import DATA

Evaluate = Callable[[ModelParams], dict[str, float]]


def make_evaluate(
    model: Model, metrics: Metrics, data: Dataset, batch_size: int, max_examples: int = 0, block_size: int = 0
) -> Evaluate:
    """A function from parameters to the metrics of a split, pmapped over the batch like the train step.

    It takes `batch_size` examples over all devices at a time, of the first `max_examples`, rounded up to whole batches,
    and holds the logits of `block_size` labels; 0: of all.
    """

    def of_device(params, batch):
        features, labels, mask = model.features(params["encoder"], batch), batch["labels"], batch["mask"]
        if block_size:
            options = {"top": metrics.top, "threshold": metrics.threshold, "block_size": block_size}
            found = inference.predictions(model.head, params["head"], features, labels, mask, **options)
            state = metrics.update_predictions(metrics.init(), found, labels, mask)
        else:
            state = metrics.update(metrics.init(), model.head.logits(params["head"], features), labels, mask)
        return jax.lax.psum(state, DATA)

    of_batch = jax.pmap(of_device, axis_name=DATA, in_axes=(None, 0), out_axes=None)
    replicated, split = local_shardings()
    n_batches = -(-(min(len(data), max_examples) if max_examples else len(data)) // batch_size)

    def evaluate(params: ModelParams) -> dict[str, float]:
        host = {"process_index": jax.process_index(), "process_count": jax.process_count()}
        total = jax.tree.map(_wide, metrics.init())
        params = jax.device_put(jax.device_get(params), replicated)
        for _, batch in zip(range(n_batches), batches(data, batch_size, **host), strict=False):
            state = of_batch(params, split_over_devices(batch, split))
            total = jax.tree.map(np.add, total, jax.tree.map(_wide, state))
        return metrics.compute(total)

    return evaluate


def check_label_sets(
    head: Head, params: Params, data: Dataset, max_sets: int, domain: DomainLike = "any"
) -> HeadReport | None:
    """The verdicts on a split's distinct label sets, for z and for the features that z is made from.

    `domain` is what each feature can be. If there are more than `max_sets` distinct sets, so many are checked, evenly
    spaced in order of appearance; 0: all. Of several processes each decides its share.

    Returns:
      The report of `check_head`, which has verdicts on what features yield where that layer is not too large to hold.
      None at other processes than the first.
    """
    distinct, _, _ = labels.dedupe(data.labels)
    if 0 < max_sets < len(distinct):
        distinct = distinct[np.linspace(0, len(distinct) - 1, max_sets).astype(int)]
    progress = is_first_process() and sys.stderr.isatty()
    return check_in_shares(head, params, distinct, domain=domain, progress=progress)


def _wide(leaf: Array) -> np.ndarray:
    values = np.asarray(leaf)
    return values.astype(np.int64 if np.issubdtype(values.dtype, np.integer) else np.float64)
