"""Losses of a head whose per-label parameters are sharded over labels on a mesh with explicit axes.

Each device visits the labels whose parameters it has; nothing as long as the label space travels.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int

from sigfft.heads import Head, Params, per_label_params
from sigfft.losses.weights import Weights
from sigfft.meshes import automatic, axes_of, spec_of


class Shard(NamedTuple):
    """What a device has of labels and examples.

    Attributes:
      held: number of labels.
      offset: the id of the first.
      labels: the mesh axes over which labels are sharded.
      examples: the mesh axes over which the batch is sharded; there may be none.
    """

    held: int
    offset: Int[Array, ""]
    labels: tuple[str, ...]
    examples: tuple[str, ...]


def over_shards(
    local: Callable[[Shard, Params, Array, Array, Weights], Array],
    head: Head,
    params: Params,
    features: Float[Array, "*batch feature_dim"],
    labels: Int[Array, "*batch max_cardinality"],
    weights: Weights,
    axes: Any,
    *,
    per_example: bool,
) -> Float[Array, "..."]:
    """What `local(shard, own, z, labels, weights)` returns on each device, summed by it over labels.

    Args:
      local: of arrays with one batch axis, those of the device.
      head: the output layer.
      params: its parameters; those per label are sharded over `axes`.
      features: of the whole batch.
      labels: of the whole batch.
      weights: of all labels and the whole batch.
      axes: from `sigfft.meshes.labels_axis`.
      per_example: whether `local` returns the device's (batch,), or () of all examples.
    """
    mesh = next(mesh for leaf in jax.tree.leaves(params) if (mesh := jax.typeof(leaf).sharding.mesh).axis_names)
    z = head.project(params, features)
    leading = spec_of(z, axes=-1)
    batch, by_label = PartitionSpec(leading[0] if leading else None), PartitionSpec(axes)
    own = per_label_params(head, params)
    z, labels, examples = automatic(flat, lambda *_: (batch, batch, batch), z, labels, weights.examples)
    given = (own, z, labels, weights._replace(examples=examples))
    of_weights: dict[str, Any] = {"labels": by_label, "positive": by_label, "examples": batch}
    specs = (
        jax.tree.map(lambda _: by_label, own),
        batch,
        batch,
        Weights(**{name: None if getattr(given[3], name) is None else spec for name, spec in of_weights.items()}),
    )
    placed = jax.tree.map(lambda array, spec: jax.sharding.reshard(array, NamedSharding(mesh, spec)), given, specs)
    held = head.n_labels // math.prod(mesh.shape[axis] for axis in axes_of(axes))

    def on_device(own, z, labels, weights):
        shard = Shard(held, jax.lax.axis_index(axes) * held, axes_of(axes), axes_of(batch[0]))
        return local(shard, own, z, labels, weights)

    out = batch if per_example else PartitionSpec()
    result = jax.shard_map(on_device, mesh=mesh, in_specs=specs, out_specs=out)(*placed)
    if not per_example or features.ndim == 2:
        return result
    return automatic(lambda values, _: values.reshape(features.shape[:-1]), lambda *_: leading, result, features)


def flat(z: Array, labels: Array, examples: Array | None) -> tuple[Array, Array, Array | None]:
    """Arrays of one batch axis, whatever leading axes there were."""
    examples = None if examples is None else examples.reshape(-1)
    return z.reshape(-1, z.shape[-1]), labels.reshape(-1, labels.shape[-1]), examples
