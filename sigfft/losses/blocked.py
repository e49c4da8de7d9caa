"""A per-label loss over blocks of labels: each block's logits are made, turned into loss and gradients, and dropped.

Differentiating a scan would keep the logits of every block, or make them twice. Here the pass that is differentiated
takes the gradients along, since a loss has one number to differentiate: its derivative in any direction is their inner
product with it.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sigfft.heads import Head, Params
from sigfft.losses.per_label import PerLabelLoss
from sigfft.precision import compute_dtype
from sigfft.varying import vary_like


class _Sums(NamedTuple):
    value: Float[Array, " batch"]
    own: Params
    z: Float[Array, "batch dim"]


def sum_over_labels(
    loss: PerLabelLoss,
    head: Head,
    own: Params,
    z: Float[Array, "batch dim"],
    labels: Int[Array, "batch max_cardinality"],
    *,
    block_size: int,
    held: int | None = None,
    offset: Int[Array, ""] | int = 0,
    label_weights: Float[Array, " held"] | None = None,
    example_weights: Float[Array, " batch"] | None = None,
) -> Float[Array, ""]:
    """The loss summed over a range of labels and over the batch, in float32 at least.

    Args:
      loss: its terms.
      head: the output layer.
      own: the per-label parameters of the labels held, from `sigfft.heads.per_label_params`: arrays (held, ...).
      z: activations (batch, dim).
      labels: active label ids of the whole head (batch, max_cardinality), padded with n_labels.
      block_size: how many labels are visited at a time, at most.
      held: number of labels held; None: all of the head's.
      offset: the id of the first label held.
      label_weights: of the terms of each label held; they have no gradient.
      example_weights: of each example's sum.

    Raises:
      ValueError: `block_size` is not a whole number of at least 1, or a parameter does not have one row for each label
        held.
    """
    blocks = head.blocks(block_size, held)
    for name, value in own.items():
        if value.shape[0] != blocks.held:
            raise ValueError(
                f"params[{name!r}] has {value.shape[0]} rows; expected one for each of {blocks.held} labels"
            )
    wide = compute_dtype(z.dtype)
    weights = tuple(None if w is None else w.astype(wide) for w in (label_weights, example_weights))
    arguments = vary_like((own, z, *weights, labels, jnp.asarray(offset, jnp.int32)))
    return _sum(loss, head, blocks, *arguments)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _sum(loss, head, blocks, own, z, label_weights, example_weights, labels, offset):
    terms = _Terms(loss, head, blocks, own, z, label_weights, labels, offset)

    def add_block(total, block):
        logits = terms.decode(blocks.take(terms.own, block), terms.z, blocks.labels(block) + offset)
        return total + terms.value(logits, terms.targets(block, logits)), None

    start = vary_like(jnp.zeros(len(z), terms.z.dtype), terms.z)
    return _weighted(jax.lax.scan(add_block, start, blocks.ids())[0], example_weights)


@_sum.defjvp
def _with_derivative(loss, head, blocks, primals, tangents):
    own, z, label_weights, example_weights, labels, offset = primals
    terms = _Terms(loss, head, blocks, own, z, label_weights, labels, offset)

    def add_block(sums, block):
        logits, pull_back = jax.vjp(
            lambda rows, z: terms.decode(rows, z, blocks.labels(block) + offset), blocks.take(terms.own, block), terms.z
        )
        targets = terms.targets(block, logits)
        slope = terms.slope(logits, targets)
        rows, dz = pull_back(slope if example_weights is None else slope * example_weights[:, None])
        value = sums.value + terms.value(logits, targets)
        return _Sums(value, blocks.add(sums.own, rows, block), sums.z + dz), None

    start = _Sums(jnp.zeros(len(z), terms.z.dtype), *jax.tree.map(jnp.zeros_like, (terms.own, terms.z)))
    sums, _ = jax.lax.scan(add_block, vary_like(start, z), blocks.ids())
    derivative = _inner((blocks.join(sums.own), sums.z), tangents[:2])
    if example_weights is not None:
        derivative = derivative + _inner((sums.value,), (tangents[3],))
    return _weighted(sums.value, example_weights), derivative


class _Targets(NamedTuple):
    """What a block's logits ought to be: where the active labels stand in it, and what each label counts."""

    positions: Int[Array, "batch k"]
    is_active: Float[Array, "batch k"]
    counted: Float[Array, " width"]


class _Terms:
    """The terms of a loss, block by block."""

    def __init__(self, loss, head, blocks, own, z, label_weights, labels, offset):
        self.loss, self.blocks, self.offset = loss, blocks, offset
        self.z = z.astype(compute_dtype(z.dtype))
        self.own, self.decode = blocks.split(own), head.block_decoder(blocks, z.dtype)
        self.weights = None if label_weights is None else blocks.split(label_weights)
        # Counted from the first that is held; padding may not look like a label that is held only to fill up.
        self.ids = jnp.where(labels < blocks.n_labels, labels.astype(jnp.int32) - offset, -1)

    def targets(self, block, logits):
        positions = self.blocks.positions(block, self.ids)
        is_active = (positions < self.blocks.width).astype(logits.dtype)
        counted = self.blocks.counted(block, self.offset).astype(logits.dtype)
        if self.weights is not None:
            weights = self.blocks.take(self.weights, block)
            counted, is_active = counted * weights, is_active * weights.at[positions].get(mode="fill", fill_value=0)
        return _Targets(positions, is_active, counted)

    def value(self, logits, targets):
        # A product with 0s and 1s: XLA's sums along rows are several times slower on CPUs.
        of_active = self.loss.correction(self._active(logits, targets)) * targets.is_active
        return self.loss.inactive(logits) @ targets.counted + of_active.sum(1)

    def slope(self, logits, targets):
        counted = vary_like(jnp.broadcast_to(targets.counted[None], logits.shape), logits)
        correction = _slope(self.loss.correction, self._active(logits, targets), targets.is_active)
        rows = np.arange(len(logits), dtype=np.int32)[:, None]
        return _slope(self.loss.inactive, logits, counted).at[rows, targets.positions].add(correction, mode="drop")

    def _active(self, logits, targets):
        return jnp.take_along_axis(logits, targets.positions, axis=1, mode="fill", fill_value=0)


def _slope(function, x, weight):
    return jax.vjp(function, x)[1](weight)[0]


def _weighted(values, weights):
    return values.sum() if weights is None else values @ weights


def _inner(gradient, direction):
    wide = compute_dtype(gradient[-1].dtype)
    products = jax.tree.map(lambda g, d: jnp.sum(g * d.astype(g.dtype), dtype=wide), gradient, direction)
    return jax.tree.reduce(jnp.add, products)
