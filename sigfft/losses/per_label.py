"""Losses that add up over labels, and their values from whole logits.

Such a loss splits into a sum over all labels and a correction at the active ones:
Σ_all inactive(logit) + Σ_active (active(logit) - inactive(logit)). For binary cross-entropy `inactive` is softplus and
the correction is -logit.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sigfft.precision import compute_dtype


class PerLabelLoss(NamedTuple):
    """A loss that is a sum of one term a label. Both functions are elementwise and differentiable.

    Attributes:
      inactive: logit -> loss of a label that is not active.
      correction: logit -> loss of an active label, less `inactive`.
    """

    inactive: Callable[[Float[Array, "..."]], Float[Array, "..."]]
    correction: Callable[[Float[Array, "..."]], Float[Array, "..."]]


def bce_with_logits(
    logits: Float[Array, "batch labels"], labels: Int[Array, "batch max_cardinality"]
) -> Float[Array, ""]:
    """Binary cross-entropy of logits: mean over the batch of sums over labels, in nats, in float32 at least.

    Args:
      logits: float (batch, n_labels).
      labels: active label ids (batch, max_cardinality), padded with n_labels.
    """
    return mean_of_sums(binary_cross_entropy(), logits, labels)


def asymmetric_with_logits(
    logits: Float[Array, "batch labels"],
    labels: Int[Array, "batch max_cardinality"],
    **options: Any,
) -> Float[Array, ""]:
    """The asymmetric loss of logits: mean over the batch of sums over labels; options as `asymmetric_loss`."""
    return mean_of_sums(asymmetric_loss(**options), logits, labels)


def mean_of_sums(
    loss: PerLabelLoss, logits: Float[Array, "batch labels"], labels: Int[Array, "batch max_cardinality"]
) -> Float[Array, ""]:
    """Mean over the batch of sums over labels, in float32 at least, from whole logits."""
    return jnp.mean(sums_over_labels(loss, logits, labels))


def sums_over_labels(
    loss: PerLabelLoss,
    logits: Float[Array, "*batch labels"],
    labels: Int[Array, "*batch max_cardinality"],
    weights: Float[Array, " labels"] | None = None,
) -> Float[Array, "*batch"]:
    """Each example's sum over labels, perhaps weighted, in float32 at least, from whole logits."""
    logits = logits.astype(compute_dtype(logits.dtype))
    is_active = (labels >= 0) & (labels < logits.shape[-1])
    own = jnp.where(is_active, labels, logits.shape[-1])
    active = jnp.take_along_axis(logits, own, axis=-1, mode="fill", fill_value=0)
    corrections = jnp.where(is_active, loss.correction(active), 0)
    if weights is None:
        return loss.inactive(logits).sum(-1) + corrections.sum(-1)
    weights = jax.lax.stop_gradient(weights.astype(logits.dtype))
    return loss.inactive(logits) @ weights + (corrections * weights.at[own].get(mode="fill", fill_value=0)).sum(-1)


@functools.cache  # equal options are one loss: a jitted function that it is static to is compiled once
def binary_cross_entropy(label_smoothing: float = 0.0) -> PerLabelLoss:
    """-log p of an active label and -log(1 - p) of an inactive one, p = sigmoid(logit).

    Args:
      label_smoothing: as `smoothed`.
    """
    return smoothed(PerLabelLoss(softplus, lambda logit: -logit), label_smoothing)


@functools.cache
def asymmetric_loss(
    gamma_active: float = 0.0, gamma_inactive: float = 4.0, margin: float = 0.05, label_smoothing: float = 0.0
) -> PerLabelLoss:
    """-(1 - p)^γ₊ log p of an active label and -q^γ₋ log(1 - q) of an inactive one, q = max(p - margin, 0).

    Labels that are surely inactive, most of a large label space, weigh next to nothing. With both exponents and the
    margin 0 it is binary cross-entropy. The gradient is that of the whole expression, weights included.

    Args:
      gamma_active: γ₊, focus on active labels of low p: 0 or at least 1.
      gamma_inactive: γ₋, focus on inactive labels of high p: 0 or at least 1.
      margin: an inactive label of p up to this has no loss; in [0, 1).
      label_smoothing: as `smoothed`.

    Raises:
      ValueError: an exponent below 1 other than 0, whose gradient is infinite at q = 0; a margin outside [0, 1).

    Reference: Ridnik et al., Asymmetric Loss for Multi-Label Classification, ICCV 2021, equations 4 to 7.
    """
    for name, gamma in {"gamma_active": gamma_active, "gamma_inactive": gamma_inactive}.items():
        if gamma != 0 and not gamma >= 1:
            raise ValueError(f"{name}={gamma!r} must be 0 or at least 1: the loss has no finite gradient in between")
    if not 0 <= margin < 1:
        raise ValueError(f"margin={margin!r} must be a probability in [0, 1); the paper takes 0.05")

    def inactive(logit):
        if not margin:
            return _power(jax.nn.sigmoid(logit), gamma_inactive) * softplus(logit)
        shifted = jnp.maximum(jax.nn.sigmoid(logit) - margin, 0)
        return -_power(shifted, gamma_inactive) * jnp.log1p(-shifted)

    def active(logit):
        return _power(jax.nn.sigmoid(-logit), gamma_active) * softplus(-logit)

    return smoothed(PerLabelLoss(inactive, lambda logit: active(logit) - inactive(logit)), label_smoothing)


LOSSES: dict[str, Callable[..., PerLabelLoss]] = {"bce": binary_cross_entropy, "asymmetric": asymmetric_loss}


def smoothed(loss: PerLabelLoss, label_smoothing: float) -> PerLabelLoss:
    """The loss of targets 1 - ε/2 and ε/2 in place of 1 and 0: so much of each term is taken from the other.

    Args:
      loss: what is smoothed.
      label_smoothing: ε, in [0, 1).

    Raises:
      ValueError: ε outside [0, 1).

    Reference: Szegedy et al., Rethinking the Inception Architecture for Computer Vision (2016), section 7, of two
    classes a label.
    """
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing={label_smoothing!r} must be in [0, 1)")
    if not label_smoothing:
        return loss
    return PerLabelLoss(
        lambda logit: loss.inactive(logit) + label_smoothing / 2 * loss.correction(logit),
        lambda logit: (1 - label_smoothing) * loss.correction(logit),
    )


@jax.custom_jvp
def softplus(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """log(1 + exp(x)), finite for all finite x, with relative error below 3e-7 in float32.

    XLA's log1p is not vectorised on CPUs and takes more time than all else in the loss. In float32 this takes
    log1p(e) = 2·atanh(e/(2 + e)) by seven terms of its series, for e = exp(-|x|) <= 1.
    """
    decay = jnp.exp(-jnp.abs(x))
    return jnp.maximum(x, 0) + (jnp.log1p(decay) if x.dtype == jnp.float64 else _log1p_up_to_one(decay))


softplus.defjvps(lambda tangent, value, x: tangent * jax.nn.sigmoid(x))


def _log1p_up_to_one(x: Float[Array, "..."]) -> Float[Array, "..."]:
    ratio = x / (2 + x)
    square = ratio * ratio
    series = jnp.full_like(square, 1 / 15)
    for odd in range(13, 0, -2):
        series = series * square + 1 / odd
    return 2 * ratio * series


def _power(base: Float[Array, "..."], exponent: float) -> Float[Array, "..."]:
    if exponent == 0:
        return jnp.ones_like(base)
    whole = int(exponent) if exponent == int(exponent) else exponent
    return base**whole
