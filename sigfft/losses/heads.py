"""Losses of a head, from features: dense, or in blocks of labels."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from sigfft.heads import Head, Params, per_label_params
from sigfft.losses.blocked import sum_over_labels
from sigfft.losses.per_label import PerLabelLoss, asymmetric_loss, binary_cross_entropy, mean_of_sums


def of_head(
    loss: PerLabelLoss,
    head: Head,
    params: Params,
    features: Num[Array, "batch feature_dim"],
    labels: Int[Array, "batch max_cardinality"],
    block_size: int | None = None,
) -> Float[Array, ""]:
    """A per-label loss of a head: mean over the batch of sums over labels.

    Args:
      loss: its terms, such as `sigfft.losses.binary_cross_entropy()`.
      head: the output layer.
      params: its parameters.
      features: float (batch, feature_dim).
      labels: active label ids (batch, max_cardinality), padded with n_labels.
      block_size: None: through all logits (batch, n_labels) at once. An int: through at most so many labels at a time;
        memory is then that of (batch, block_size) and of the parameters' gradient. From some thousand labels on this is
        also the faster way; 1000 to 4000 is a good size on CPUs.

    Raises:
      ValueError: `block_size` is not a whole number of at least 1.
    """
    z = head.project(params, features)
    if block_size is None:
        return mean_of_sums(loss, head.decode(params, z), labels)
    return _by_blocks(loss, head, per_label_params(head, params), z, labels, block_size)


def bce(
    head: Head,
    params: Params,
    features: Num[Array, "batch feature_dim"],
    labels: Int[Array, "batch max_cardinality"],
    block_size: int | None = None,
    **options: Any,
) -> Float[Array, ""]:
    """Binary cross-entropy of a head, in nats: arguments as `of_head`, options as `binary_cross_entropy`."""
    return of_head(binary_cross_entropy(**options), head, params, features, labels, block_size)


def asymmetric(
    head: Head,
    params: Params,
    features: Num[Array, "batch feature_dim"],
    labels: Int[Array, "batch max_cardinality"],
    block_size: int | None = None,
    **options: Any,
) -> Float[Array, ""]:
    """The asymmetric loss of a head: arguments as `of_head`, options as `asymmetric_loss`."""
    return of_head(asymmetric_loss(**options), head, params, features, labels, block_size)


@functools.partial(jax.jit, static_argnames=("loss", "head", "block_size"))  # a caller without jit compiles once too
def _by_blocks(loss, head, own, z, labels, block_size):
    total = sum_over_labels(loss, head, own, z, labels, block_size=block_size)
    return total / jnp.asarray(len(z), total.dtype)
