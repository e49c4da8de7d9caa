"""Losses of a head, from features: dense, or in blocks of labels."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float, Num

from sigfft import labels as label_sets
from sigfft.heads import Head, Params, per_label_params
from sigfft.heads.shards import Shards
from sigfft.losses.blocked import sum_over_labels, sums_by_blocks
from sigfft.losses.logits import ExampleWeights, Labels, LabelWeights, sums_over_labels
from sigfft.losses.per_label import PerLabelLoss, asymmetric_loss, binary_cross_entropy
from sigfft.losses.weights import Weights, check_reduction, checked_weights, count, reduced
from sigfft.meshes import automatic, flat, spec_of

Features = Num[Array | np.ndarray, "*batch feature_dim"]


def of_head(
    loss: PerLabelLoss,
    head: Head,
    params: Params,
    features: Features,
    labels: Labels,
    block_size: int | None = None,
    *,
    reduction: str = "mean",
    label_weights: LabelWeights | None = None,
    positive_weights: LabelWeights | None = None,
    example_weights: ExampleWeights | None = None,
) -> Float[Array, "..."]:
    """A per-label loss of a head: mean over the batch of sums over labels.

    Args:
      loss: its terms, such as `sigfft.losses.binary_cross_entropy()`.
      head: the output layer.
      params: its parameters.
      features: float (..., feature_dim), of any leading axes or none.
      labels: active label ids (..., max_cardinality), padded with n_labels; one that is repeated counts once.
      block_size: None: through all logits (..., n_labels) at once. An int: through at most so many labels at a time;
        memory is then that of (batch, block_size) and of the parameters' gradient. From some thousand labels on this is
        also the faster way; 1000 to 4000 is a good size on CPUs.
      reduction: "mean" over the batch; its "sum"; or "none", each example's sum times its weight (...,). By blocks the
        gradient of "none" makes the logits twice, and there is no forward-mode derivative (`jax.jvp`, `jax.jacfwd`) of
        it: take that of "mean" or "sum", or `block_size=None`.
      label_weights: by which the terms of each label are multiplied; they have no gradient.
      positive_weights: by which the term of each label is multiplied where it is active, on top of those; they have no
        gradient. With label smoothing the term of an active label is the smoothed one.
      example_weights: of the mean, which is Σ weight · sum / Σ weight; a mask leaves out what only fills up a batch,
        which must be finite.

    Raises:
      ValueError: `block_size` is not a whole number of at least 1, an unknown reduction, or shapes that do not fit.
    """
    check_reduction(reduction)
    features, labels = jnp.asarray(features), jnp.asarray(labels)
    batch = features.shape[:-1]
    label_sets.check(labels, batch, head.n_labels)
    weights = checked_weights(head.n_labels, batch, label_weights, positive_weights, example_weights)
    shards = Shards.of(head, params, features)
    if block_size is not None and shards.labels is not None:

        def local(by_label: Any, by_example: Any) -> tuple[Array | None, None, Array | None]:
            (own, of_labels, positive), (z, sets, examples) = by_label, by_example
            held = {"held": shards.held, "offset": shards.offset()}
            own_weights, size = Weights(of_labels, positive, examples), min(block_size, shards.held)
            part = shards.over_labels(_total(loss, head, own, z, sets, own_weights, size, reduction, **held))
            if reduction == "none":
                return part, None, None
            total = shards.over_examples(part)
            if reduction == "mean":
                total = total / shards.over_examples(count(len(z), examples, total.dtype))
            return None, None, total

        by_label = per_label_params(head, params), weights.labels, weights.positive
        each, _, total = shards.run(local, by_label, by_example(head.project(params, features), labels, weights))
        return shards.unflat(each, batch) if reduction == "none" else total

    def value(params: Params, features: Array, labels: Array, weights: Weights) -> Array:
        z = head.project(params, features)
        if block_size is None:
            values = sums_over_labels(loss, head.decode(params, z), labels, weights.labels, weights.positive)
            return reduced(values, weights.examples, reduction)
        own = per_label_params(head, params)
        z, labels, examples = by_example(z, labels, weights)
        result = _by_blocks(loss, head, own, z, labels, weights._replace(examples=examples), block_size, reduction)
        return result.reshape(batch) if reduction == "none" else result

    spec = spec_of(features, axes=-1) if reduction == "none" else PartitionSpec()
    return automatic(value, lambda *_: spec, params, features, labels, weights)


def bce(
    head: Head,
    params: Params,
    features: Features,
    labels: Labels,
    block_size: int | None = None,
    *,
    reduction: str = "mean",
    **options: Any,
) -> Float[Array, "..."]:
    """Binary cross-entropy of a head, in nats: arguments as `of_head`, options as `binary_cross_entropy`."""
    return of_head(binary_cross_entropy(**options), head, params, features, labels, block_size, reduction=reduction)


def asymmetric(
    head: Head,
    params: Params,
    features: Features,
    labels: Labels,
    block_size: int | None = None,
    *,
    reduction: str = "mean",
    **options: Any,
) -> Float[Array, "..."]:
    """The asymmetric loss of a head: arguments as `of_head`, options as `asymmetric_loss`."""
    return of_head(asymmetric_loss(**options), head, params, features, labels, block_size, reduction=reduction)


def by_example(z: Array, labels: Array, weights: Weights) -> tuple[Array, Array, Array | None]:
    """What has a row for each example, with one axis of examples, whatever leading axes there were."""
    return flat(z, 1), flat(labels, 1), None if weights.examples is None else flat(weights.examples, 0)


# A caller without jit compiles once too.
@functools.partial(jax.jit, static_argnames=("loss", "head", "block_size", "reduction"))
def _by_blocks(loss, head, own, z, labels, weights, block_size, reduction):
    total = _total(loss, head, own, z, labels, weights, block_size, reduction)
    return total / count(len(z), weights.examples, total.dtype) if reduction == "mean" else total


def _total(loss, head, own, z, labels, weights, block_size, reduction, **held):
    """The weighted sum over the batch of the labels held, or with "none" each example's."""
    options = {"block_size": block_size, "label_weights": weights.labels, "positive_weights": weights.positive, **held}
    if reduction == "none":
        return reduced(sums_by_blocks(loss, head, own, z, labels, **options), weights.examples, "none")
    return sum_over_labels(loss, head, own, z, labels, example_weights=weights.examples, **options)
