"""Losses from whole logits."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array, Bool, Float, Int, Num

from sigfft import labels as label_sets
from sigfft.losses.per_label import PerLabelLoss, asymmetric_loss, at_active, binary_cross_entropy
from sigfft.losses.weights import Weights, check_reduction, checked_weights, reduced
from sigfft.meshes import automatic, spec_of
from sigfft.precision import compute_dtype, dot

Logits = Float[Array, "*batch labels"]
Labels = Int[Array | np.ndarray, "*batch max_cardinality"]
LabelWeights = Float[Array | np.ndarray, " labels"]
ExampleWeights = Num[Array | np.ndarray, "*batch"] | Bool[Array | np.ndarray, "*batch"]


def with_logits(
    loss: PerLabelLoss,
    logits: Logits,
    labels: Labels,
    *,
    reduction: str = "mean",
    label_weights: LabelWeights | None = None,
    positive_weights: LabelWeights | None = None,
    example_weights: ExampleWeights | None = None,
) -> Float[Array, "..."]:
    """A per-label loss of logits, in float32 at least: mean over the batch of sums over labels.

    Args:
      loss: its terms, such as `sigfft.losses.focal_loss()`.
      logits: float (..., n_labels).
      labels: active label ids (..., max_cardinality), padded with n_labels; one that is repeated counts once.
      reduction: as `sigfft.losses.of_head`, and the weights too.
      label_weights: of the terms of each label (n_labels,).
      positive_weights: of the term of each label where it is active (n_labels,).
      example_weights: of the mean (...,).

    Raises:
      ValueError: an unknown reduction, or shapes that do not fit.
    """
    check_reduction(reduction)
    labels, batch, n_labels = jnp.asarray(labels), logits.shape[:-1], logits.shape[-1]
    label_sets.check(labels, batch, n_labels)
    weights = checked_weights(n_labels, batch, label_weights, positive_weights, example_weights)

    def value(logits: Array, labels: Array, weights: Weights) -> Array:
        values = sums_over_labels(loss, logits, labels, weights.labels, weights.positive)
        return reduced(values, weights.examples, reduction)

    spec = spec_of(logits, axes=-1) if reduction == "none" else PartitionSpec()
    return automatic(value, lambda *_: spec, logits, labels, weights)


def bce_with_logits(logits: Logits, labels: Labels, *, reduction: str = "mean", **options: Any) -> Float[Array, "..."]:
    """Binary cross-entropy of logits: mean over the batch of sums over labels, in nats, in float32 at least.

    Args:
      logits: float (..., n_labels).
      labels: active label ids (..., max_cardinality), padded with n_labels.
      reduction: "mean", "sum" or "none", as `with_logits`.
      **options: as `binary_cross_entropy`.

    Example:
      >>> round(float(bce_with_logits(jnp.zeros((1, 4)), jnp.array([[2]]))), 4)  # 4 log 2
      2.7726
    """
    return with_logits(binary_cross_entropy(**options), logits, labels, reduction=reduction)


def asymmetric_with_logits(
    logits: Logits, labels: Labels, *, reduction: str = "mean", **options: Any
) -> Float[Array, "..."]:
    """The asymmetric loss of logits: arguments as `bce_with_logits`, options as `asymmetric_loss`."""
    return with_logits(asymmetric_loss(**options), logits, labels, reduction=reduction)


def sums_over_labels(
    loss: PerLabelLoss,
    logits: Logits,
    labels: Int[Array, "*batch max_cardinality"],
    weights: Float[Array, " labels"] | None = None,
    positive: Float[Array, " labels"] | None = None,
) -> Float[Array, "*batch"]:
    """Each example's sum over labels, perhaps weighted, in float32 at least."""
    logits = logits.astype(compute_dtype(logits.dtype))
    own = label_sets.once(labels, logits.shape[-1])
    is_active = own < logits.shape[-1]
    active = jnp.take_along_axis(logits, own, axis=-1, mode="fill", fill_value=0)
    terms = jnp.where(is_active, at_active(loss, active, _of_labels(positive, own, logits.dtype)), 0)
    if weights is None:
        return loss.inactive(logits).sum(-1) + terms.sum(-1)
    weights = jax.lax.stop_gradient(weights.astype(logits.dtype))
    return dot(loss.inactive(logits), weights) + (terms * _of_labels(weights, own, logits.dtype)).sum(-1)


def _of_labels(weights, own, dtype):
    if weights is None:
        return None
    return jax.lax.stop_gradient(weights.astype(dtype)).at[own].get(mode="fill", fill_value=0)
