"""Losses of a head, from features: dense, or in blocks of labels."""

import functools

import jax
from jaxtyping import Array, Float, Int

from sigfft.heads import Head, Params
from sigfft.heads.blocks import label_blocks, per_label_params
from sigfft.losses.blocked import sum_over_labels
from sigfft.losses.per_label import PerLabelLoss, asymmetric_loss, binary_cross_entropy, mean_of_sums


def bce(
    head: Head,
    params: Params,
    features: Float[Array, "batch feature_dim"],
    labels: Int[Array, "batch max_cardinality"],
    block_size: int | None = None,
) -> Float[Array, ""]:
    """Binary cross-entropy of a head: mean over the batch of sums over labels, in nats.

    Args:
      head: the output layer.
      params: its parameters.
      features: float (batch, feature_dim).
      labels: active label ids (batch, max_cardinality), padded with n_labels.
      block_size: None: through all logits (batch, n_labels) at once. An int: through at most so many labels at a time;
        memory is then that of (batch, block_size) and of the parameters' gradient. From some thousand labels on this is
        also the faster way; 1000 to 4000 is a good size on CPUs.

    Raises:
      ValueError: `block_size` is not an int of at least 1.
    """
    return _of_head(binary_cross_entropy(), head, params, features, labels, block_size)


def asymmetric(
    head: Head,
    params: Params,
    features: Float[Array, "batch feature_dim"],
    labels: Int[Array, "batch max_cardinality"],
    block_size: int | None = None,
    *,
    gamma_active: float = 0.0,
    gamma_inactive: float = 4.0,
    margin: float = 0.05,
) -> Float[Array, ""]:
    """The asymmetric loss of a head: arguments as `bce`, options as `sigfft.losses.asymmetric_loss`.

    Reference: Ridnik et al., Asymmetric Loss for Multi-Label Classification, ICCV 2021.
    """
    loss = asymmetric_loss(gamma_active, gamma_inactive, margin)
    return _of_head(loss, head, params, features, labels, block_size)


def _of_head(
    loss: PerLabelLoss, head: Head, params: Params, features: Array, labels: Array, block_size: int | None
) -> Float[Array, ""]:
    z = head.project(params, features)
    if block_size is None:
        return mean_of_sums(loss, head.decode(params, z), labels)
    return _by_blocks(loss, head, params, z, labels, block_size)


@functools.partial(jax.jit, static_argnames=("loss", "head", "block_size"))  # a caller without jit compiles once too
def _by_blocks(loss, head, params, z, labels, block_size):
    blocks = label_blocks(head, block_size, None, z.dtype)
    return sum_over_labels(loss, blocks, per_label_params(head, params), z, labels) / len(z)
