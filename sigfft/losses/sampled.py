"""A per-label loss whose inactive labels are drawn: for a million labels, where blocks of all of them take seconds.

Σ_all inactive(logit) is estimated from labels drawn uniformly, the same for the whole batch, and scaled up; what active
labels add is exact. Value and gradient are unbiased.
"""

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float, Key

from sigfft import labels as label_sets
from sigfft.heads import Head, Params
from sigfft.heads.head import whole
from sigfft.losses.heads import Features
from sigfft.losses.logits import ExampleWeights, Labels, LabelWeights
from sigfft.losses.per_label import PerLabelLoss, at_active
from sigfft.losses.weights import Weights, check_reduction, checked_weights, reduced
from sigfft.meshes import automatic, spec_of
from sigfft.precision import add, compute_dtype, dot, of_products, product


def of_sampled(
    loss: PerLabelLoss,
    head: Head,
    params: Params,
    features: Features,
    labels: Labels,
    key: Key[Array, ""],
    n_sampled: int = 1000,
    *,
    reduction: str = "mean",
    label_weights: LabelWeights | None = None,
    positive_weights: LabelWeights | None = None,
    example_weights: ExampleWeights | None = None,
) -> Float[Array, "..."]:
    """An unbiased estimate of `of_head`, in memory and time that do not depend on the number of labels.

    A head with parameters per label still has a gradient as large as they are. The estimate of an example can be below
    0, since what active labels add is not drawn.

    Args:
      loss: its terms.
      head: the output layer.
      params: its parameters.
      features: float (..., feature_dim).
      labels: active label ids (..., max_cardinality), padded with n_labels; one that is repeated counts once.
      key: what is drawn; another one in each step.
      n_sampled: labels drawn, with repetition; the variance of the gradient falls as 1 / n_sampled.
      reduction: as `of_head`, and the weights too.
      label_weights: of the terms of each label (n_labels,).
      positive_weights: of the term of each label where it is active (n_labels,).
      example_weights: of the mean (...,).

    Raises:
      ValueError: `n_sampled` is not a whole number of at least 1, an unknown reduction, or shapes that do not fit.

    Reference: Bengio and Senécal, Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic
    Language Model, 2008, section 3, with a uniform proposal and a loss that adds up over labels.
    """
    check_reduction(reduction)
    features, labels, n_labels = jnp.asarray(features), jnp.asarray(labels), head.n_labels
    batch = features.shape[:-1]
    label_sets.check(labels, batch, n_labels)
    weights = checked_weights(n_labels, batch, label_weights, positive_weights, example_weights)
    drawn = jax.random.randint(key, (whole("n_sampled", n_sampled, 1),), 0, n_labels, jnp.int32)

    def value(params: Params, features: Array, labels: Array, drawn: Array, weights: Weights) -> Array:
        z = head.project(params, features).reshape(-1, head.dim)
        dtype, z = z.dtype, z.astype(compute_dtype(z.dtype))
        active = label_sets.once(labels, n_labels).reshape(len(z), labels.shape[-1])
        own = jnp.minimum(active, n_labels - 1)
        logits = product(z, head.rows(params, drawn), dtype)
        rows = head.rows(params, own.reshape(-1)).astype(dtype).reshape(*own.shape, head.dim)
        of_active = jnp.einsum(
            "bd,bkd->bk", z.astype(dtype), rows, preferred_element_type=z.dtype, precision=of_products()
        )
        bias, own_bias = head.bias(params, drawn), head.bias(params, own.reshape(-1))
        if bias is not None and own_bias is not None:
            logits = add(logits, bias)
            of_active = of_active + own_bias.astype(z.dtype).reshape(own.shape)
        factor = jnp.full(len(drawn), n_labels / len(drawn), z.dtype)
        counted = (active < n_labels).astype(z.dtype)
        if weights.labels is not None:
            of_label = jax.lax.stop_gradient(weights.labels.astype(z.dtype))
            factor, counted = factor * of_label[drawn], counted * of_label[own]
        positive = None
        if weights.positive is not None:
            positive = jax.lax.stop_gradient(weights.positive.astype(z.dtype))[own]
        values = dot(loss.inactive(logits), factor) + (at_active(loss, of_active, positive) * counted).sum(1)
        return reduced(values.reshape(batch), weights.examples, reduction)

    spec = spec_of(features, axes=-1) if reduction == "none" else PartitionSpec()
    return automatic(value, lambda *_: spec, params, features, labels, drawn, weights)
