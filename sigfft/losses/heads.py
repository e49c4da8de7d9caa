"""Losses of a head, from features: dense, or in blocks of labels."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float, Int, Num

from sigfft import labels as label_sets
from sigfft.heads import Head, Params, per_label_params
from sigfft.losses.blocked import sum_over_labels
from sigfft.losses.per_label import PerLabelLoss, asymmetric_loss, binary_cross_entropy, sums_over_labels
from sigfft.meshes import automatic, axes_of, labels_axis, spec_of

Features = Num[Array | np.ndarray, "*batch feature_dim"]
Labels = Int[Array | np.ndarray, "*batch max_cardinality"]


def of_head(
    loss: PerLabelLoss,
    head: Head,
    params: Params,
    features: Features,
    labels: Labels,
    block_size: int | None = None,
    *,
    label_weights: Float[Array | np.ndarray, " labels"] | None = None,
    example_weights: Num[Array | np.ndarray, "*batch"] | Bool[Array | np.ndarray, "*batch"] | None = None,
) -> Float[Array, ""]:
    """A per-label loss of a head: mean over the batch of sums over labels.

    Args:
      loss: its terms, such as `sigfft.losses.binary_cross_entropy()`.
      head: the output layer.
      params: its parameters.
      features: float (..., feature_dim), of any leading axes or none.
      labels: active label ids (..., max_cardinality), padded with n_labels.
      block_size: None: through all logits (..., n_labels) at once. An int: through at most so many labels at a time;
        memory is then that of (batch, block_size) and of the parameters' gradient. From some thousand labels on this is
        also the faster way; 1000 to 4000 is a good size on CPUs.
      label_weights: by which the terms of each label are multiplied; they have no gradient.
      example_weights: of the mean, which is Σ weight · sum / Σ weight; a mask leaves out what only fills up a batch.

    Raises:
      ValueError: `block_size` is not a whole number of at least 1, or shapes that do not fit.
    """
    features, labels = jnp.asarray(features), jnp.asarray(labels)
    label_sets.check(labels, features.shape[:-1], head.n_labels)
    weights = [None if w is None else jnp.asarray(w, jnp.float32) for w in (label_weights, example_weights)]
    _check_weights(weights, head.n_labels, features.shape[:-1])
    if block_size is not None and (axes := labels_axis(per_label_params(head, params), features)) is not None:
        return _by_shards(loss, head, params, features, labels, *weights, block_size, axes)

    def value(params: Params, features: Array, labels: Array, *weights: Array | None) -> Array:
        z, labels, *weights = _flat(head.project(params, features), labels, *weights)
        if block_size is None:
            return _mean(loss, head.decode(params, z), labels, *weights)
        return _by_blocks(loss, head, per_label_params(head, params), z, labels, *weights, block_size)

    return automatic(value, lambda *_: PartitionSpec(), params, features, labels, *weights)


def bce(
    head: Head,
    params: Params,
    features: Features,
    labels: Labels,
    block_size: int | None = None,
    **options: Any,
) -> Float[Array, ""]:
    """Binary cross-entropy of a head, in nats: arguments as `of_head`, options as `binary_cross_entropy`."""
    return of_head(binary_cross_entropy(**options), head, params, features, labels, block_size)


def asymmetric(
    head: Head,
    params: Params,
    features: Features,
    labels: Labels,
    block_size: int | None = None,
    **options: Any,
) -> Float[Array, ""]:
    """The asymmetric loss of a head: arguments as `of_head`, options as `asymmetric_loss`."""
    return of_head(asymmetric_loss(**options), head, params, features, labels, block_size)


@functools.partial(jax.jit, static_argnames=("loss", "head", "block_size"))  # a caller without jit compiles once too
def _by_blocks(loss, head, own, z, labels, label_weights, example_weights, block_size):
    weights = {"label_weights": label_weights, "example_weights": example_weights}
    total = sum_over_labels(loss, head, own, z, labels, block_size=block_size, **weights)
    return total / _count(z, example_weights, total.dtype)


def _by_shards(loss, head, params, features, labels, label_weights, example_weights, block_size, axes):
    """Each device visits the labels whose parameters it has; nothing as long as the label space travels."""
    mesh = next(mesh for leaf in jax.tree.leaves(params) if (mesh := jax.typeof(leaf).sharding.mesh).axis_names)
    z = head.project(params, features)
    batch = spec_of(z, axes=-1)
    flat = PartitionSpec(batch[0] if batch else None)
    own = per_label_params(head, params)
    by_label = jax.tree.map(lambda _: PartitionSpec(axes), own)
    specs = (by_label, flat, flat, PartitionSpec(axes), flat)
    held = head.n_labels // math.prod(mesh.shape[axis] for axis in axes_of(axes))

    def local(own, z, labels, label_weights, example_weights):
        offset = jax.lax.axis_index(axes) * held
        weights = {"label_weights": label_weights, "example_weights": example_weights}
        total = sum_over_labels(
            loss, head, own, z, labels, block_size=min(block_size, held), held=held, offset=offset, **weights
        )
        count = _count(z, example_weights, total.dtype)
        examples = axes_of(flat[0])
        return jax.lax.psum(total, (*axes_of(axes), *examples)) / (jax.lax.psum(count, examples) if examples else count)

    arrays = automatic(_flat, lambda *_: (*specs[1:3], specs[4]), z, labels, example_weights)
    given = (own, *arrays[:2], label_weights, arrays[2])
    placed = [
        None if array is None else jax.sharding.reshard(array, jax.tree.map(lambda s: NamedSharding(mesh, s), spec))
        for array, spec in zip(given, specs, strict=True)
    ]
    return jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=PartitionSpec())(*placed)


def _flat(z, labels, *weights):
    """Arrays of one batch axis, whatever leading axes there were."""
    z, labels = z.reshape(-1, z.shape[-1]), labels.reshape(-1, labels.shape[-1])
    return z, labels, *(None if w is None else w.reshape(-1) for w in weights)


def _mean(loss, logits, labels, label_weights, example_weights):
    sums = sums_over_labels(loss, logits, labels, label_weights)
    if example_weights is None:
        return sums.mean()
    weights = example_weights.astype(sums.dtype)
    return sums @ weights / _count(sums, weights, sums.dtype)


def _count(examples, weights, dtype):
    """What a sum over examples is divided by; 1 where all are masked, whose sum is 0."""
    if weights is None:
        return jnp.asarray(len(examples), dtype)
    total = weights.astype(dtype).sum()
    return jnp.where(total == 0, 1, total)


def _check_weights(weights, n_labels, batch):
    for name, weight, shape in zip(("label_weights", "example_weights"), weights, ((n_labels,), batch), strict=True):
        if weight is not None and weight.shape != shape:
            raise ValueError(f"{name} must be {shape}; given shape {weight.shape}")
