"""A per-label loss over blocks of labels: each block's logits are made, turned into loss and gradients, and dropped.

Differentiating a scan would keep the logits of every block, or make them twice. Here the forward pass of a
differentiated loss also takes the gradients, since a loss has one number to differentiate: the backward pass scales.
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
    return _sum(loss, head, blocks, *vary_like((own, z, labels, jnp.asarray(offset, jnp.int32))))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _sum(loss, head, blocks, own, z, labels, offset):
    wide, own = z.astype(compute_dtype(z.dtype)), blocks.split(own)
    own_ids, decode = _own_ids(labels, offset, blocks), head.block_decoder(blocks, z.dtype)

    def add_block(total, block):
        logits = decode(blocks.take(own, block), wide, blocks.labels(block) + offset)
        active, is_active, counted, _ = _targets(blocks, block, own_ids, logits, offset)
        return total + _loss(loss, logits, active, is_active, counted), None

    start = vary_like(jnp.zeros(len(z), wide.dtype), z)
    return jax.lax.scan(add_block, start, blocks.ids())[0].sum()


def _forward(loss, head, blocks, own, z, labels, offset):
    wide, own = z.astype(compute_dtype(z.dtype)), blocks.split(own)
    own_ids, decode = _own_ids(labels, offset, blocks), head.block_decoder(blocks, z.dtype)

    def add_block(sums, block):
        logits, pull_back = jax.vjp(
            lambda rows, z: decode(rows, z, blocks.labels(block) + offset), blocks.take(own, block), wide
        )
        active, is_active, counted, positions = _targets(blocks, block, own_ids, logits, offset)
        value = sums.value + _loss(loss, logits, active, is_active, counted)
        slope = _slope(loss.inactive, logits, vary_like(jnp.broadcast_to(counted[None], logits.shape), logits))
        correction = _slope(loss.correction, active, is_active)
        slope = slope.at[np.arange(len(z), dtype=np.int32)[:, None], positions].add(correction, mode="drop")
        rows, dz = pull_back(slope)
        return _Sums(value, blocks.add(sums.own, rows, block), sums.z + dz), None

    start = _Sums(jnp.zeros(len(z), wide.dtype), jax.tree.map(jnp.zeros_like, own), jnp.zeros_like(wide))
    sums, _ = jax.lax.scan(add_block, vary_like(start, z), blocks.ids())
    return sums.value.sum(), (blocks.join(sums.own), sums.z, jnp.zeros((), z.dtype))


def _backward(loss, head, blocks, gradients, cotangent):
    own, z, like = gradients
    scaled = jax.tree.map(lambda gradient: gradient * cotangent.astype(gradient.dtype), (own, z))
    return scaled[0], scaled[1].astype(like.dtype), None, None


_sum.defvjp(_forward, _backward)


def _own_ids(labels, offset, blocks):
    """Labels counted from the first that is held; padding may not look like a label that is held only to fill up."""
    return jnp.where(labels < blocks.n_labels, labels.astype(jnp.int32) - offset, -1)


def _targets(blocks, block, own_ids, logits, offset):
    positions = blocks.positions(block, own_ids)
    active = jnp.take_along_axis(logits, positions, axis=1, mode="fill", fill_value=0)
    is_active = (positions < blocks.width).astype(logits.dtype)
    return active, is_active, blocks.counted(block, offset).astype(logits.dtype), positions


def _loss(loss, logits, active, is_active, counted):
    # A product with 0s and 1s: XLA's sums along rows are several times slower on CPUs.
    return loss.inactive(logits) @ counted + (loss.correction(active) * is_active).sum(1)


def _slope(function, x, weight):
    return jax.vjp(function, x)[1](weight)[0]
