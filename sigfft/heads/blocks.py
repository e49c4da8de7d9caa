"""The geometry of label blocks: which labels a loss or a prediction visits together, and where their arrays lie."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int


@dataclasses.dataclass(frozen=True)
class Blocks:
    """`n_blocks` blocks of `width` labels each: arithmetic progressions that cover labels 0 .. held - 1.

    With stride 1 block b holds labels b·width .. (b+1)·width - 1; the last one is pulled back to end at `held`, and
    its first labels are repeated: an earlier block has them. With stride n_blocks it holds b, b + stride, ..., perhaps
    past the end. Such labels are computed but not `counted`: every block has one shape and one program.

    Labels are counted from the first that is held; `offset` is the head's id of that one.

    Attributes:
      n_labels: of the head; labels that are held beyond it are not counted either.
      held: number of labels held.
      width: labels a block.
      n_blocks: number of blocks.
      stride: 1 or n_blocks.
    """

    n_labels: int
    held: int
    width: int
    n_blocks: int
    stride: int = 1

    @classmethod
    def contiguous(cls, n_labels: int, held: int | None, block_size: int) -> "Blocks":
        """Blocks of at most `block_size` neighbouring labels; `held` None: all labels."""
        held = n_labels if held is None else held
        width = min(block_size, held)
        return cls(n_labels, held, width, -(-held // width))

    def ids(self) -> Int[Array, " blocks"]:
        """What a scan over the blocks runs over."""
        return jnp.arange(self.n_blocks, dtype=jnp.int32)

    def labels(self, block: Int[Array, ""]) -> Int[Array, " width"]:
        """The block's labels, those that are not `counted` among them."""
        first = jnp.minimum(block * self.width, self.held - self.width) if self.stride == 1 else block
        return first + np.arange(0, self.stride * self.width, self.stride, dtype=np.int32)

    def counted(self, block: Int[Array, ""], offset: Int[Array, ""]) -> Bool[Array, " width"]:
        """Which of the block's labels count: all but repeated ones and those past the end."""
        labels = self.labels(block)
        once = labels >= block * self.width if self.stride == 1 else labels < self.held
        return once & (labels + offset < self.n_labels)

    def positions(self, block: Int[Array, ""], labels: Int[Array, "batch k"]) -> Int[Array, "batch k"]:
        """Where labels, counted from the first held, stand in the block; `width` for those that are not its own."""
        if self.stride == 1:
            inside = (labels >= block * self.width) & (labels < jnp.minimum((block + 1) * self.width, self.held))
            place = labels - self.labels(block)[0]
        else:
            inside = (labels % self.stride == block) & (labels >= 0) & (labels < self.held)
            place = labels // self.stride
        return jnp.where(inside, place, self.width)

    def check_rows(self, params: Mapping[str, Array]) -> None:
        """Raises ValueError unless params have a row for each label that is held: slices would take others' rows."""
        for name, value in params.items():
            if value.shape[0] != self.held:
                raise ValueError(
                    f"params[{name!r}] has {value.shape[0]} rows; expected one for each of {self.held} labels"
                )

    def split(self, arrays: Any) -> Any:
        """Arrays (held, ...) as `take` and `add` want them: slices of an axis, since a gather is slow on CPUs."""
        if self.stride == 1:
            return arrays
        rest = self.width * self.stride - self.held

        def by_residue(array: Array) -> Array:
            padded = jnp.pad(array, [(0, rest)] + [(0, 0)] * (array.ndim - 1)) if rest else array
            return padded.reshape(self.width, self.stride, *array.shape[1:])

        return jax.tree.map(by_residue, arrays)

    def join(self, split: Any) -> Any:
        """The inverse of `split`."""
        if self.stride == 1:
            return split
        return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[: self.held], split)

    def take(self, split: Any, block: Int[Array, ""]) -> Any:
        """The block's rows (width, ...) of split arrays; `split` is any pytree of them."""
        if self.stride > 1:
            return jax.tree.map(lambda a: jax.lax.dynamic_index_in_dim(a, block, 1, keepdims=False), split)
        first = self.labels(block)[0]
        return jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, first, self.width), split)

    def add(self, split: Any, rows: Any, block: Int[Array, ""]) -> Any:
        """Split arrays, zero where no block has been yet, with this block's rows; zero where not counted."""
        if self.stride > 1:  # residue classes do not overlap
            return jax.tree.map(lambda a, r: jax.lax.dynamic_update_index_in_dim(a, r, block, 1), split, rows)
        first, sums = self.labels(block)[0], jax.tree.map(jnp.add, self.take(split, block), rows)
        return jax.tree.map(lambda a, s: jax.lax.dynamic_update_slice_in_dim(a, s, first, 0), split, sums)
