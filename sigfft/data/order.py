"""Which points make which batch: a pure function of the seed and the step, the same for any number of processes."""

import dataclasses
import functools
import sys

import numpy as np
from jaxtyping import Int


@dataclasses.dataclass(frozen=True)
class BatchOrder:
    """A sequence over steps: `order[step]` holds the indices of the points in this process's share of a batch.

    Epochs run into each other, so a batch may hold points of two epochs. An index of `n_points` is padding: there is
    no point. Any step is as cheap as the first, which is what makes resuming free.

    Attributes:
      n_points: points of the split.
      batch_size: points of a global batch; each process has `batch_size // process_count` of them.
      seed: of the shuffle; every epoch has its own order.
      shuffle: False: points come in the order of the source.
      num_epochs: None: without end.
      process_index: which process this is, as `jax.process_index()`.
      process_count: how many processes share each batch, as `jax.process_count()`. All have equally many steps.

    Raises:
      ValueError: an argument is out of its range.
    """

    n_points: int
    batch_size: int
    seed: int = 0
    shuffle: bool = False
    num_epochs: int | None = 1
    process_index: int = 0
    process_count: int = 1

    def __post_init__(self) -> None:
        if self.process_count < 1 or not 0 <= self.process_index < self.process_count:
            raise ValueError(
                f"process_index={self.process_index} must be at least 0 and below process_count={self.process_count}"
            )
        if self.batch_size < 1 or self.batch_size % self.process_count:
            raise ValueError(
                f"batch_size={self.batch_size} must be a positive multiple of process_count={self.process_count}"
            )
        if self.num_epochs is not None and self.num_epochs < 1:
            raise ValueError(f"num_epochs={self.num_epochs} must be at least 1, or None for a stream without end")
        if self.seed < 0:
            raise ValueError(f"seed={self.seed} must not be negative")
        if self.n_points < 1:
            raise ValueError(f"n_points={self.n_points} must be at least 1: there is nothing to make batches of")

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
