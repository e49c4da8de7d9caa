"""Softmax over labels: each active label as the right choice among all, dense or in blocks of labels.

An example's loss is -Σ_active log softmax(logits) / number of active labels, and 0 without any.

Reference: Menon et al., Multilabel reductions: what is my loss optimising?, NeurIPS 2019 (pick-all-labels, normalised).
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float, Int

from sigfft import labels as label_sets
from sigfft.heads import Head, Params, per_label_params
from sigfft.heads.shards import Shards
from sigfft.losses.heads import Features, by_example
from sigfft.losses.logits import ExampleWeights, Labels, Logits
from sigfft.losses.partition import partition_by_blocks
from sigfft.losses.weights import Weights, check_reduction, checked_weights, reduced
from sigfft.meshes import automatic, axes_of, spec_of
from sigfft.precision import compute_dtype


def softmax(
    head: Head,
    params: Params,
    features: Features,
    labels: Labels,
    block_size: int | None = None,
    *,
    reduction: str = "mean",
    example_weights: ExampleWeights | None = None,
) -> Float[Array, "..."]:
    """Softmax cross-entropy over the labels of a head: mean over the batch of -Σ_active log softmax / number active.

    It ranks labels and gives no probability for each: predict the top labels of it, not those above a threshold.

    Args:
      head: the output layer.
      params: its parameters.
      features: float (..., feature_dim).
      labels: active label ids (..., max_cardinality), padded with n_labels; one that is repeated counts once. An
        example without labels has loss 0 and counts in the mean.
      block_size: as `sigfft.losses.of_head`. By blocks there is no forward-mode derivative (`jax.jvp`, `jax.jacfwd`):
        take reverse mode, or `block_size=None`.
      reduction: as `sigfft.losses.of_head`.
      example_weights: as `sigfft.losses.of_head`.

    Raises:
      ValueError: `block_size` is not a whole number of at least 1, an unknown reduction, or shapes that do not fit.
    """
    check_reduction(reduction)
    features, labels = jnp.asarray(features), jnp.asarray(labels)
    batch = features.shape[:-1]
    label_sets.check(labels, batch, head.n_labels)
    weights = checked_weights(head.n_labels, batch, None, None, example_weights)
    spec = spec_of(features, axes=-1) if reduction == "none" else PartitionSpec()
    shards = Shards.of(head, params, features)
    if block_size is not None and shards.labels is not None:

        def local(own: Params, rows: tuple[Array, Array, None]) -> tuple[Array, None, None]:
            z, sets, _ = rows
            options: dict[str, Any] = {"block_size": min(block_size, shards.held), "axis_name": axes_of(shards.labels)}
            options |= {"held": shards.held, "offset": shards.offset()}
            return softmax_by_blocks(head, own, z, sets, **options), None, None

        rows = by_example(head.project(params, features), labels, Weights())
        values = shards.unflat(shards.run(local, per_label_params(head, params), rows)[0], batch)
        return automatic(lambda v, w: reduced(v, w, reduction), lambda *_: spec, values, weights.examples)

    def value(params: Params, features: Array, labels: Array, examples: Array | None) -> Array:
        z = head.project(params, features)
        if block_size is None:
            return reduced(_values(head.decode(params, z), labels), examples, reduction)
        flattened, sets, _ = by_example(z, labels, Weights())
        values = _by_blocks(head, per_label_params(head, params), flattened, sets, block_size)
        return reduced(values.reshape(batch), examples, reduction)

    return automatic(value, lambda *_: spec, params, features, labels, weights.examples)


def softmax_with_logits(
    logits: Logits, labels: Labels, *, reduction: str = "mean", example_weights: ExampleWeights | None = None
) -> Float[Array, "..."]:
    """Softmax cross-entropy over labels, of logits (..., n_labels): arguments and errors as `softmax`."""
    check_reduction(reduction)
    labels, batch = jnp.asarray(labels), logits.shape[:-1]
    label_sets.check(labels, batch, logits.shape[-1])
    weights = checked_weights(logits.shape[-1], batch, None, None, example_weights)

    def value(logits: Array, labels: Array, examples: Array | None) -> Array:
        return reduced(_values(logits, labels), examples, reduction)

    spec = spec_of(logits, axes=-1) if reduction == "none" else PartitionSpec()
    return automatic(value, lambda *_: spec, logits, labels, weights.examples)


def softmax_by_blocks(
    head: Head,
    own: Params,
    z: Float[Array, "batch dim"],
    labels: Int[Array, "batch max_cardinality"],
    *,
    block_size: int,
    held: int | None = None,
    offset: Int[Array, ""] | int = 0,
    axis_name: str | tuple[str, ...] = (),
) -> Float[Array, " batch"]:
    """Each example's loss, by blocks of labels that may be spread over devices; in float32 at least.

    Args:
      head: the output layer.
      own: as `sigfft.losses.sum_over_labels`.
      z: activations (batch, dim).
      labels: active label ids of the whole head (batch, max_cardinality), padded with n_labels.
      block_size: how many labels are visited at a time, at most.
      held: number of labels held; None: all of the head's.
      offset: the id of the first label held.
      axis_name: axes of `jax.shard_map` whose devices together hold all labels.

    Raises:
      ValueError: as `sigfft.losses.sum_over_labels`.
    """
    log, active = partition_by_blocks(head, own, z, labels, block_size=block_size, held=held, offset=offset)
    if axis_name:
        largest = jax.lax.pmax(jax.lax.stop_gradient(log), axis_name)
        log = largest + jnp.log(jax.lax.psum(jnp.exp(log - largest), axis_name))
        active = jax.lax.psum(active, axis_name)
    number = _number(labels, head.n_labels).astype(log.dtype)
    return jnp.where(number > 0, log - active / jnp.maximum(number, 1), 0)


@functools.partial(jax.jit, static_argnames=("head", "block_size"))  # a caller without jit compiles once too
def _by_blocks(head, own, z, labels, block_size):
    return softmax_by_blocks(head, own, z, labels, block_size=block_size)


def _values(logits, labels):
    logits = logits.astype(compute_dtype(logits.dtype))
    n_labels = logits.shape[-1]
    ids = label_sets.once(labels, n_labels)
    logs = jax.nn.log_softmax(logits, axis=-1)
    active = jnp.take_along_axis(logs, ids, axis=-1, mode="fill", fill_value=0).sum(-1)
    return -active / jnp.maximum(_number(labels, n_labels), 1).astype(logs.dtype)


def _number(labels, n_labels):
    return (label_sets.once(labels, n_labels) < n_labels).sum(-1, dtype=jnp.int32)
