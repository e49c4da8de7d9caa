"""Losses on sparse targets: label ids, never a (batch, n_labels) 0/1 matrix.

A loss that adds up over labels splits into a sum over all labels and a correction at the active ones:
Σ_all neg(logit) + Σ_active (pos(logit) - neg(logit)). For binary cross-entropy neg is softplus and the
correction is -logit.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sigfft.heads import Head, Params
from sigfft.precision import compute_dtype


def bce(
    head: Head,
    params: Params,
    features: Float[Array, "batch feature_dim"],
    labels: Int[Array, "batch max_cardinality"],
) -> Float[Array, ""]:
    """Binary cross-entropy of a head: mean over the batch of sums over labels, in nats.

    Args:
      head: the output layer.
      params: its parameters.
      features: float (batch, feature_dim).
      labels: active label ids (batch, max_cardinality), padded with n_labels.
    """
    return bce_with_logits(head.logits(params, features), labels)


def bce_with_logits(
    logits: Float[Array, "batch labels"], labels: Int[Array, "batch max_cardinality"]
) -> Float[Array, ""]:
    """Binary cross-entropy of logits: mean over the batch of sums over labels, in nats, in float32 at least.

    Args:
      logits: float (batch, n_labels).
      labels: active label ids (batch, max_cardinality), padded with n_labels.
    """
    logits = logits.astype(compute_dtype(logits.dtype))
    active = jnp.take_along_axis(logits, labels, axis=-1, mode="fill", fill_value=0)
    return jnp.mean(jax.nn.softplus(logits).sum(-1) - active.sum(-1))
