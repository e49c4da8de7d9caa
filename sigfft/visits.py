"""A visit of all labels block by block: what inference adds up while it holds the logits of one block."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Int32

from sigfft.heads import Head, Params
from sigfft.heads.shards import Shards
from sigfft.precision import compute_dtype
from sigfft.varying import vary_like


class TopLabels(NamedTuple):
    """Labels of each example by falling logit, equal logits by ascending id.

    Attributes:
      labels: ids.
      scores: their logits, in float32 at least.
    """

    labels: Int32[Array, "*batch k"]
    scores: Float[Array, "*batch k"]


class Visit:
    """All blocks of the labels that a device holds."""

    def __init__(self, head: Head, own: Params, z: Float[Array, "batch dim"], block_size: int, shards: Shards):
        self.shards, self.offset, self.n_labels = shards, shards.offset(), head.n_labels
        self.blocks = head.blocks(block_size, None if shards.labels is None else shards.held)
        self.blocks.check_rows(own)
        self.own, self.decode = self.blocks.split(own), head.block_decoder(self.blocks, z.dtype)
        self.z = z.astype(compute_dtype(z.dtype))

    def all(self, start: Any, step: Callable[..., Any]) -> Any:
        """`step(carry, logits, block)` over all blocks; logits of labels that are not counted are -inf.

        Those that are counted are finite or inf: NaN is the least, so that no label is lost to it.
        """
        least, offset = jnp.finfo(self.z.dtype).min, jnp.asarray(self.offset, jnp.int32)

        def visit(carry: Any, block: Array) -> tuple[Any, None]:
            logits = self.decode(self.blocks.take(self.own, block), self.z, self.blocks.labels(block) + self.offset)
            logits = jnp.where(logits >= least, logits, least)
            logits = jnp.where(self.blocks.counted(block, offset)[None], logits, -jnp.inf)
            return step(carry, logits, block), None

        return jax.lax.scan(visit, vary_like(start, self.z, self.own, offset), self.blocks.ids())[0]

    def no_labels(self, k: int) -> TopLabels:
        """What `merge` begins with."""
        if not 1 <= k <= self.n_labels:
            raise ValueError(f"k={k} labels are asked for; expected 1 .. n_labels={self.n_labels}")
        shape = (self.z.shape[0], k)
        scores = jnp.full(shape, -jnp.inf, self.z.dtype)
        return TopLabels(jnp.full(shape, self.n_labels, jnp.int32), scores)

    def merge(self, top: TopLabels, logits: Float[Array, "batch width"], block: Int[Array, ""]) -> TopLabels:
        """The best labels so far, with those of a block."""
        best, positions = jax.lax.top_k(logits, min(top.labels.shape[1], self.blocks.width))
        ids = jnp.concatenate([top.labels, self.blocks.labels(block)[positions] + self.offset], axis=1)
        scores = jnp.concatenate([top.scores, best], axis=1)
        return _first(ids, scores, top.labels.shape[1])

    def best(self, top: TopLabels) -> TopLabels:
        """The best labels of all devices."""
        k = top.labels.shape[1]
        if self.shards.labels is None:
            return top
        every = self.shards.gathered(top)
        return _first(every.labels, every.scores, k)


def _first(ids: Int[Array, "batch m"], scores: Float[Array, "batch m"], k: int) -> TopLabels:
    # Two keys: blocks of residue classes do not bring equal logits in the order of their ids.
    falling, ids = jax.lax.sort((-scores, ids), num_keys=2)
    return TopLabels(ids[:, :k], -falling[:, :k])
