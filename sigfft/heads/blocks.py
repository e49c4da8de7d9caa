"""The labels of a head in blocks: what a loss or a prediction walks over that never holds all logits of a batch."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from sigfft.heads.base import Head, Params, positive
from sigfft.varying import vary_like

Decode = Callable[[Any, Float[Array, "batch dim"], Int[Array, ""]], Float[Array, "batch width"]]


@dataclasses.dataclass(frozen=True, eq=False)
class LabelBlocks:
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
      decoder: () -> decode: (params, z (batch, dim), first) -> logits (batch, width) of the block whose first label has
        the head's id `first`, in float32 at least. Here params[name][anything] of a per-label parameter is its rows of
        the block. `decoder` is called where a loop over blocks begins: what all blocks need is made there, once.
    """

    n_labels: int
    held: int
    width: int
    n_blocks: int
    stride: int
    decoder: Callable[[], Decode]

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

    def logits(
        self,
        decode: Decode,
        params: Params,
        z: Float[Array, "batch dim"],
        block: Int[Array, ""],
        offset: Int[Array, ""],
    ) -> Float[Array, "batch width"]:
        """The block's logits from `take`'s params, by what `decoder` gave."""
        return decode({name: _Own(rows) for name, rows in params.items()}, z, self.labels(block)[0] + offset)

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


def label_blocks(head: Head, block_size: int, held: int | None, dtype: np.dtype) -> LabelBlocks:
    """The labels of a head in blocks of at most `block_size`, in the head's own way or by `rows` and `bias`.

    Args:
      head: the output layer.
      block_size: labels a block.
      held: for a range of labels, their number; its first label may be any. None: all labels of the head.
      dtype: of the activations; matrix products have operands of this dtype and sums of float32 at least.

    Raises:
      ValueError: `block_size` is not an int of at least 1.
    """
    positive(block_size=block_size)
    own = head.label_blocks(block_size, held, dtype) if head.label_blocks else None
    return own or _by_rows(head, block_size, held, dtype)


def per_label_params(head: Head, params: Params) -> Params:
    """The params that have one row a label."""
    return {name: params[name] for name in sorted(head.per_label)}


def contiguous(n_labels: int, held: int | None, block_size: int, decoder: Callable[[], Decode]) -> LabelBlocks:
    """Blocks of neighbouring labels; see `LabelBlocks`."""
    held = n_labels if held is None else held
    width = min(block_size, held)
    return LabelBlocks(n_labels, held, width, -(-held // width), 1, decoder)


def _by_rows(head: Head, block_size: int, held: int | None, dtype: np.dtype) -> LabelBlocks:
    others = jax.eval_shape(head.init, jax.random.key(0))  # rows may ask for their dtype; a value would get no gradient

    def decode(params, z, first):
        labels = jnp.minimum(first + np.arange(width, dtype=np.int32), head.n_labels - 1)
        bias = head.bias(others | params, labels)
        logits = product(z, head.rows(others | params, labels).astype(z.dtype), dtype)
        return logits if bias is None else logits + jnp.broadcast_to(bias.astype(z.dtype), logits.shape)

    blocks = contiguous(head.n_labels, held, block_size, lambda: decode)
    width = blocks.width
    return blocks


def product(
    z: Float[Array, "batch dim"], rows: Float[Array, "labels dim"], dtype: np.dtype
) -> Float[Array, "batch labels"]:
    """The product z @ rows.T of operands rounded to `dtype`, it and both its gradients summed in z's dtype."""
    return _product(*vary_like((z, rows)), dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _product(z: Array, rows: Array, dtype: np.dtype) -> Array:
    return _dot(z, rows, dtype, ((1,), (1,)))


def _dot(a: Array, b: Array, dtype: np.dtype, axes: tuple[tuple[int], tuple[int]]) -> Array:
    return jax.lax.dot_general(a.astype(dtype), b.astype(dtype), (axes, ((), ())), preferred_element_type=a.dtype)


def _product_backward(dtype, operands, cotangent):
    z, rows = operands
    return _dot(cotangent, rows, dtype, ((1,), (0,))), _dot(cotangent, z, dtype, ((0,), (0,)))


_product.defvjp(lambda z, rows, dtype: (_product(z, rows, dtype), (z, rows)), _product_backward)


class _Own:
    """A per-label parameter of which only the rows asked for are at hand."""

    def __init__(self, rows: Float[Array, "width ..."]):
        self._rows = rows

    def __getitem__(self, labels: Any) -> Float[Array, "width ..."]:
        return self._rows
