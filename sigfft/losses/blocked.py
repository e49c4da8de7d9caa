"""A per-label loss over blocks of labels, with its gradients.

A sum over the batch has one number to differentiate: the pass that makes it takes its gradient along, and its
derivative in any direction is their inner product. Sums of each example are made in one pass and differentiated in
another.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sigfft.heads import Head, Params
from sigfft.heads.blocks import Blocks
from sigfft.losses.per_label import PerLabelLoss, at_active
from sigfft.losses.walk import Walk, active_logits, add_at_active
from sigfft.losses.weights import Weights
from sigfft.precision import compute_dtype, dot
from sigfft.varying import vary_like


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
    positive_weights: Float[Array, " held"] | None = None,
    example_weights: Float[Array, " batch"] | None = None,
) -> Float[Array, ""]:
    """The loss summed over a range of labels and over the batch, in float32 at least.

    Args:
      loss: its terms.
      head: the output layer.
      own: the per-label parameters of the labels held, from `sigfft.heads.per_label_params`: arrays (held, ...).
      z: activations (batch, dim).
      labels: active label ids of the whole head (batch, max_cardinality), padded with n_labels; a repeated one counts
        once.
      block_size: how many labels are visited at a time, at most.
      held: number of labels held; None: all of the head's.
      offset: the id of the first label held.
      label_weights: of the terms of each label held; they have no gradient.
      positive_weights: of the term of each label held where it is active; they have no gradient.
      example_weights: of each example's sum.

    Raises:
      ValueError: `block_size` is not a whole number of at least 1, or a parameter does not have one row for each label
        held.
    """
    weights = Weights(label_weights, positive_weights, example_weights)
    blocks, arguments = walk_arguments(head, own, z, weights, labels, block_size, held, offset)
    return _sum(loss, head, blocks, *arguments)


def sums_by_blocks(
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
    positive_weights: Float[Array, " held"] | None = None,
) -> Float[Array, " batch"]:
    """Each example's sum over a range of labels; arguments and errors as `sum_over_labels`.

    Its gradient makes the logits a second time. It has no forward-mode derivative (`jax.jvp`): `sum_over_labels` has.
    """
    weights = Weights(label_weights, positive_weights)
    blocks, arguments = walk_arguments(head, own, z, weights, labels, block_size, held, offset)
    return _sums(loss, head, blocks, *arguments)


def walk_arguments(
    head: Head,
    own: Params,
    z: Array,
    weights: Weights,
    labels: Array,
    block_size: int,
    held: int | None,
    offset: Array | int,
) -> tuple[Blocks, tuple[Params, Array, Weights, Array, Array]]:
    """The blocks and the last arguments of a `Walk`, checked; all arrays vary over the same mesh axes."""
    blocks = head.blocks(block_size, held)
    blocks.check_rows(own)
    weights = jax.tree.map(lambda w: w.astype(compute_dtype(z.dtype)), weights)
    return blocks, vary_like((own, z, weights, labels, jnp.asarray(offset, jnp.int32)))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _sum(loss, head, blocks, own, z, weights, labels, offset):
    return _weighted(_values(loss, Walk(head, blocks, own, z, weights, labels, offset)), weights.examples)


@_sum.defjvp
def _with_derivative(loss, head, blocks, primals, tangents):
    weights = primals[2]
    values, gradient = _gradient(loss, Walk(head, blocks, *primals), weights.examples)
    derivative = _inner(gradient, tangents[:2])
    if weights.examples is not None:
        derivative = derivative + _inner((values,), (tangents[2].examples,))
    return _weighted(values, weights.examples), derivative


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _sums(loss, head, blocks, own, z, weights, labels, offset):
    return _values(loss, Walk(head, blocks, own, z, weights, labels, offset))


def _sums_forward(loss, head, blocks, *arguments):
    return _sums(loss, head, blocks, *arguments), arguments


def _sums_backward(loss, head, blocks, arguments, cotangent):
    own, z = _gradient(loss, Walk(head, blocks, *arguments), cotangent)[1]
    return own, z.astype(arguments[1].dtype), None, None, None


_sums.defvjp(_sums_forward, _sums_backward)


def _values(loss, walk):
    def add_block(total, logits, targets):
        return total + _value(loss, logits, targets)

    return walk.look(add_block, jnp.zeros(len(walk.z), walk.z.dtype))


def _gradient(loss, walk, example_weights):
    """Each example's sum, and the gradients of own and z of their weighted sum."""

    def add_block(total, logits, targets):
        slope = _slope(loss, logits, targets)
        weighted = slope if example_weights is None else slope * example_weights[:, None]
        return total + _value(loss, logits, targets), weighted

    return walk.pull_back(add_block, jnp.zeros(len(walk.z), walk.z.dtype))


def _value(loss, logits, targets):
    # A product with 0s and 1s: XLA's sums along rows are several times slower on CPUs.
    of_active = at_active(loss, active_logits(logits, targets), targets.positive) * targets.is_active
    return dot(loss.inactive(logits), targets.counted) + of_active.sum(1)


def _slope(loss, logits, targets):
    counted = vary_like(jnp.broadcast_to(targets.counted[None], logits.shape), logits)
    of_active = lambda active: at_active(loss, active, targets.positive)  # noqa: E731
    correction = _pulled(of_active, active_logits(logits, targets), targets.is_active)
    return add_at_active(_pulled(loss.inactive, logits, counted), targets, correction)


def _pulled(function, x, weight):
    return jax.vjp(function, x)[1](weight)[0]


def _weighted(values, weights):
    return values.sum() if weights is None else dot(values, weights)


def _inner(gradient, direction):
    wide = compute_dtype(gradient[-1].dtype)
    products = jax.tree.map(lambda g, d: jnp.sum(g * d.astype(g.dtype), dtype=wide), gradient, direction)
    return jax.tree.reduce(jnp.add, products)
