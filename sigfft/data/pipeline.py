"""Batches of a split, streamed through grain.

A batch is a function of (dataset, seed, step): a stream may start at any step, at no cost, and hosts that share a batch
split the same global batch whatever their number.
"""

import dataclasses
import functools
import sys
from typing import Any

import grain
import numpy as np
from jaxtyping import Int

from sigfft.data.dataset import Batch, Dataset


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


@dataclasses.dataclass(frozen=True)
class BatchOrder:
    """A sequence over steps: `order[step]` holds the indices of the points in this process's share of a batch.

    Epochs run into each other, so a batch may hold points of two epochs. An index of `n_points` is padding: there is
    no point. Any step is as cheap as the first, which is what makes resuming free.

    Raises:
      ValueError: an argument is out of its range.
    """

    n_points: int  # points of the split
    batch_size: int  # points of a global batch; each process has `batch_size // process_count` of them
    seed: int = 0  # of the shuffle; every epoch has its own order
    shuffle: bool = False  # False: points come in the order of the source
    num_epochs: int | None = 1  # None: without end
    process_index: int = 0  # which process this is, as `jax.process_index()`
    process_count: int = 1  # how many processes share each batch, as `jax.process_count()`. All have equally many steps

    def __post_init__(self) -> None:
        least = {"n_points": 1, "batch_size": 1, "seed": 0, "num_epochs": 1, "process_index": 0, "process_count": 1}
        for name, bound in least.items():
            if (value := getattr(self, name)) is not None and value < bound:
                raise ValueError(f"{name}={value} must be at least {bound}")
        if self.process_index >= self.process_count:
            raise ValueError(f"process_index={self.process_index} must be below process_count={self.process_count}")
        if self.batch_size % self.process_count:
            raise ValueError(f"batch_size={self.batch_size} must be a multiple of process_count={self.process_count}")

    def __len__(self) -> int:
        return sys.maxsize if self.num_epochs is None else -(-self.n_points * self.num_epochs // self.batch_size)

    def __getitem__(self, step: int) -> Int[np.ndarray, " share"]:
        if not 0 <= step < len(self):
            raise IndexError(f"step {step} is not one of the {len(self)} batches")
        # Strided, so that the shares of all processes together are the global batch.
        positions = step * self.batch_size + np.arange(self.process_index, self.batch_size, self.process_count)
        epochs, indices = np.divmod(positions, self.n_points)
        if self.num_epochs is not None:
            indices[epochs >= self.num_epochs] = self.n_points
        if self.shuffle:
            for epoch in np.unique(epochs):
                chosen = (epochs == epoch) & (indices < self.n_points)
                indices[chosen] = _permutation(self.n_points, self.seed, int(epoch))[indices[chosen]]
        return indices


@functools.lru_cache(maxsize=4)
def _permutation(n_points: int, seed: int, epoch: int) -> Int[np.ndarray, " points"]:
    return np.random.default_rng([seed, epoch]).permutation(n_points)
