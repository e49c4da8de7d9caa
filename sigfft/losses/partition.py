"""Log-sum-exp of logits over blocks of labels, and the sum of the active ones: what a softmax over labels needs."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sigfft.heads import Head, Params
from sigfft.losses.blocked import walk_arguments
from sigfft.losses.walk import Walk, active_logits, add_at_active
from sigfft.losses.weights import Weights
from sigfft.precision import dot


class Partition(NamedTuple):
    """Of each example, over the labels held.

    Attributes:
      log: log Σ exp(logit); -inf over no labels.
      active: sum of the active labels' logits.
    """

    log: Float[Array, " batch"]
    active: Float[Array, " batch"]


def partition_by_blocks(
    head: Head,
    own: Params,
    z: Float[Array, "batch dim"],
    labels: Int[Array, "batch max_cardinality"],
    *,
    block_size: int,
    held: int | None = None,
    offset: Int[Array, ""] | int = 0,
) -> Partition:
    """Both sums over a range of labels, in float32 at least; arguments and errors as `sigfft.losses.sum_over_labels`.

    The gradient makes the logits a second time, and there is no forward-mode derivative (`jax.jvp`).
    """
    blocks, (own, z, _, labels, offset) = walk_arguments(head, own, z, Weights(), labels, block_size, held, offset)
    return _partition(head, blocks, own, z, labels, offset)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _partition(head, blocks, own, z, labels, offset):
    walk = Walk(head, blocks, own, z, Weights(), labels, offset)
    least = jnp.finfo(walk.z.dtype).min

    def add_block(carry, logits, targets):
        largest, total, active = carry
        counted = jnp.where(targets.counted[None] > 0, logits, least)
        larger = jnp.maximum(largest, counted.max(1))
        # A product with 0s and 1s: it also leaves out labels that are not counted where nothing has been yet.
        sums = dot(jnp.exp(counted - larger[:, None]), targets.counted)
        of_active = active_logits(logits, targets) * targets.is_active
        return larger, total * jnp.exp(largest - larger) + sums, active + of_active.sum(1)

    nothing = jnp.zeros(len(z), walk.z.dtype)
    largest, total, active = walk.look(add_block, (nothing + least, nothing, nothing))
    return Partition(largest + jnp.log(total), active)


def _forward(head, blocks, *arguments):
    sums = _partition(head, blocks, *arguments)
    return sums, (arguments, sums.log)


def _backward(head, blocks, residuals, cotangent):
    (own, z, labels, offset), log = residuals
    level = jnp.where(jnp.isneginf(log), 0, log)[:, None]  # over no labels nothing is counted below

    def slope(carry, logits, targets):
        share = jnp.exp(jnp.where(targets.counted[None] > 0, logits - level, -jnp.inf))
        of_active = cotangent.active[:, None] * targets.is_active
        return carry, add_at_active(cotangent.log[:, None] * share, targets, of_active)

    _, (own, dz) = Walk(head, blocks, own, z, Weights(), labels, offset).pull_back(slope, ())
    return own, dz.astype(z.dtype), None, None


_partition.defvjp(_forward, _backward)
