"""A walk over a head's blocks of labels: each block's logits are made, looked at, and dropped.

Differentiating a scan would keep the logits of every block. Here gradients are taken along, from the slopes of the
logits that whoever walks gives.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sigfft import labels as label_sets
from sigfft.heads import Head, Params
from sigfft.heads.blocks import Blocks
from sigfft.losses.weights import Weights
from sigfft.precision import compute_dtype
from sigfft.varying import vary_like


class Targets(NamedTuple):
    """What a block's logits ought to be.

    Attributes:
      positions: where the active labels stand in the block; its width for those of other blocks.
      is_active: 0 for labels of other blocks, 1 or its weight for an active one.
      counted: what each label of the block counts, 0 for those that another block has.
      positive: the active labels' factors, or None.
    """

    positions: Int[Array, "batch k"]
    is_active: Float[Array, "batch k"]
    counted: Float[Array, " width"]
    positive: Float[Array, "batch k"] | None


class Walk:
    """The labels held, block by block; arguments as `sigfft.losses.sum_over_labels`, which has checked them."""

    def __init__(self, head: Head, blocks: Blocks, own: Params, z: Array, weights: Weights, labels: Array, offset: Any):
        self.blocks, self.offset = blocks, jnp.asarray(offset)  # a constant comes back from a trace as NumPy's
        self.z = z.astype(compute_dtype(z.dtype))
        self._own, self._decode = blocks.split(own), head.block_decoder(blocks, z.dtype)
        self._weights, self._positive = (None if w is None else blocks.split(w) for w in weights[:2])
        # Counted from the first that is held; padding may not look like a label that is held only to fill up.
        labels = label_sets.once(labels, blocks.n_labels)
        self._ids = jnp.where(labels < blocks.n_labels, labels - offset, -1)

    def look(self, visit: Callable[[Any, Array, Targets], Any], carry: Any) -> Any:
        """The last carry of visit(carry, logits (batch, width), targets) -> carry."""

        def step(carry, block):
            logits = self._logits(block, self.blocks.take(self._own, block), self.z)
            return visit(carry, logits, self._targets(block, logits)), None

        return jax.lax.scan(step, vary_like(carry, self.z), self.blocks.ids())[0]

    def pull_back(
        self, visit: Callable[[Any, Array, Targets], tuple[Any, Array]], carry: Any
    ) -> tuple[Any, tuple[Params, Array]]:
        """The last carry of visit(carry, logits, targets) -> (carry, slope), and the gradients of own and z.

        `slope` (batch, width) is the derivative of whatever is differentiated with respect to the logits.
        """

        def step(state, block):
            carry, own_sum, z_sum = state
            logits, pull = jax.vjp(
                lambda rows, z: self._logits(block, rows, z), self.blocks.take(self._own, block), self.z
            )
            carry, slope = visit(carry, logits, self._targets(block, logits))
            rows, dz = pull(slope)
            return (carry, self.blocks.add(own_sum, rows, block), z_sum + dz), None

        start = (carry, *jax.tree.map(jnp.zeros_like, (self._own, self.z)))
        carry, own, z = jax.lax.scan(step, vary_like(start, self.z), self.blocks.ids())[0]
        return carry, (self.blocks.join(own), z)

    def _logits(self, block, rows, z):
        return self._decode(rows, z, self.blocks.labels(block) + self.offset)

    def _targets(self, block, logits):
        positions = self.blocks.positions(block, self._ids)
        is_active = (positions < self.blocks.width).astype(logits.dtype)
        counted = self.blocks.counted(block, self.offset).astype(logits.dtype)
        if self._weights is not None:
            weights = self.blocks.take(self._weights, block)
            counted, is_active = counted * weights, is_active * _at(weights, positions)
        positive = None if self._positive is None else _at(self.blocks.take(self._positive, block), positions)
        return Targets(positions, is_active, counted, positive)


def active_logits(logits: Float[Array, "batch width"], targets: Targets) -> Float[Array, "batch k"]:
    """Logits of the active labels; 0 for those of other blocks."""
    return jnp.take_along_axis(logits, targets.positions, axis=1, mode="fill", fill_value=0)


def add_at_active(
    slope: Float[Array, "batch width"], targets: Targets, of_active: Float[Array, "batch k"]
) -> Float[Array, "batch width"]:
    """The slope of a block's logits, with that of the active ones added."""
    rows = np.arange(len(slope), dtype=np.int32)[:, None]
    return slope.at[rows, targets.positions].add(of_active, mode="drop")


def _at(weights, positions):
    return weights.at[positions].get(mode="fill", fill_value=0)
