"""Losses that add up over labels.

Such a loss splits into a sum over all labels and a correction at the active ones:
Σ_all inactive(logit) + Σ_active (active(logit) - inactive(logit)). For binary cross-entropy `inactive` is softplus and
the correction is -logit.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class PerLabelLoss(NamedTuple):
    """A loss that is a sum of one term a label. Both functions are elementwise and differentiable.

    Attributes:
      inactive: logit -> loss of a label that is not active.
      correction: logit -> loss of an active label, less `inactive`.
    """

    inactive: Callable[[Float[Array, "..."]], Float[Array, "..."]]
    correction: Callable[[Float[Array, "..."]], Float[Array, "..."]]


def at_active(
    loss: PerLabelLoss, logits: Float[Array, "..."], positive: Float[Array, "..."] | None = None
) -> Float[Array, "..."]:
    """What active labels add to the sum of `inactive` over all labels, their own loss `positive` times as large."""
    correction = loss.correction(logits)
    return correction if positive is None else positive * correction + (positive - 1) * loss.inactive(logits)


@functools.cache  # equal options are one loss: a jitted function that it is static to is compiled once
def binary_cross_entropy(label_smoothing: float = 0.0, positive_weight: float = 1.0) -> PerLabelLoss:
    """-w log p of an active label and -log(1 - p) of an inactive one, p = sigmoid(logit).

    Args:
      label_smoothing: as `smoothed`.
      positive_weight: w, above 0; more than 1 where active labels are few. For one of each label see `of_head`.

    Raises:
      ValueError: a weight that is not positive and finite.
    """
    if not 0 < positive_weight < math.inf:
        raise ValueError(f"positive_weight={positive_weight!r} must be positive and finite; 1 is plain cross-entropy")

    def correction(logit):
        return -logit if positive_weight == 1 else (positive_weight - 1) * softplus(-logit) - logit

    return smoothed(PerLabelLoss(softplus, correction), label_smoothing)


@functools.cache
def focal_loss(gamma: float = 2.0, alpha: float | None = None, label_smoothing: float = 0.0) -> PerLabelLoss:
    """-α (1 - p)^γ log p of an active label and -(1 - α) p^γ log(1 - p) of an inactive one, p = sigmoid(logit).

    Labels that are told right already weigh little. With γ = 0 and no α it is binary cross-entropy. The gradient is
    that of the whole expression, weights included, and finite for any finite logit.

    Args:
      gamma: γ, at least 0.
      alpha: α, in (0, 1), the weight of active labels against inactive ones; None: both weigh 1.
      label_smoothing: as `smoothed`.

    Raises:
      ValueError: γ below 0 or not finite, or α outside (0, 1).

    Reference: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, equations 4 and 5.
    """
    if not 0 <= gamma < math.inf:
        raise ValueError(f"gamma={gamma!r} must be at least 0 and finite; the paper takes 2")
    if alpha is not None and not 0 < alpha < 1:
        raise ValueError(f"alpha={alpha!r} must be in (0, 1), or None: active and inactive labels weigh the same")
    of_active, of_inactive = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)

    # p^γ from log p = -softplus(-logit): a power of p itself, once p is rounded to 0, has no slope for γ < 1.
    def inactive(logit):
        return of_inactive * jnp.exp(-gamma * softplus(-logit)) * softplus(logit)

    def active(logit):
        return of_active * jnp.exp(-gamma * softplus(logit)) * softplus(-logit)

    return smoothed(PerLabelLoss(inactive, lambda logit: active(logit) - inactive(logit)), label_smoothing)


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


LOSSES: dict[str, Callable[..., PerLabelLoss]] = {
    "bce": binary_cross_entropy,
    "asymmetric": asymmetric_loss,
    "focal": focal_loss,
}


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
