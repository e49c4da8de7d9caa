"""Batches of a split, streamed through grain.

A batch is a function of (dataset, seed, step): a stream may start at any step, at no cost, and hosts that share a batch
split the same global batch whatever their number.
"""

from typing import Any

import grain

from sigfft.data.dataset import Batch, Dataset
from sigfft.data.order import BatchOrder


def batches(
    dataset: Dataset, batch_size: int, *, start_step: int = 0, prefetch: int = 2, **options: Any
) -> grain.IterDataset[Batch]:
    """A stream of batches of the same shapes; what they hold is told in `Dataset.gather`.

    The iterator has grain's `get_state` and `set_state`; its state belongs to a stream of the same arguments.

    Args:
      dataset: one split.
      batch_size: points of a global batch, shared by all processes.
      start_step: how many batches to leave out at the start, at no cost: a run resumed at this step sees exactly
        what it would have seen without the interruption.
      prefetch: batches gathered ahead by a thread; 0: each is gathered when asked for.
      **options: of `BatchOrder`: `seed`, `shuffle`, `num_epochs`, `process_index`, `process_count`.

    Raises:
      ValueError: `start_step` is beyond the last batch, or as `BatchOrder`.
    """
    order = BatchOrder(len(dataset), batch_size, **options)
    if not 0 <= start_step <= len(order):
        raise ValueError(f"start_step={start_step} lies outside the stream, which has {len(order)} batches")
    read_options = grain.ReadOptions(num_threads=min(prefetch, 1), prefetch_buffer_size=prefetch)
    return grain.MapDataset.source(order)[start_step:].map(dataset.gather).to_iter_dataset(read_options)
