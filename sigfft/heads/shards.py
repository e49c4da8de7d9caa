"""What each device of an explicit mesh does with its own examples and its own labels."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Shaped

from sigfft.heads.head import Head, Params, per_label_params
from sigfft.meshes import automatic, axes_of, explicit_mesh, labels_axis, spec_of


@dataclass(frozen=True)
class Shards:
    """How examples and labels are spread over a mesh's explicit axes, of which there may be none.

    Attributes:
      n_labels: of the head.
      mesh: with explicit axes, or None.
      examples: what a PartitionSpec says of the axis of examples.
      labels: what it says of the axis of labels.
    """

    n_labels: int
    mesh: Any = None
    examples: Any = None
    labels: Any = None

    @classmethod
    def of(cls, head: Head, params: Params, features: Array | np.ndarray) -> "Shards":
        """The examples' are those of the first axis of the features, the labels' those of the per-label params."""
        mesh = explicit_mesh((params, features))
        if mesh is None:
            return cls(head.n_labels)
        batch, own = spec_of(features, axes=-1), per_label_params(head, params)
        return cls(head.n_labels, mesh, batch[0] if batch else None, labels_axis(own, features) if own else None)

    @property
    def held(self) -> int:
        """Labels of each device."""
        return self.n_labels // math.prod(self.mesh.shape[axis] for axis in axes_of(self.labels))

    def offset(self) -> Array | int:
        """Of the first label of this device."""
        return jax.lax.axis_index(axes_of(self.labels)) * self.held if self.labels is not None else 0

    def over_labels(self, tree: Any) -> Any:
        """Sums over the devices that hold other labels of the same examples."""
        return tree if self.labels is None else jax.lax.psum(tree, axes_of(self.labels))

    def over_examples(self, tree: Any) -> Any:
        """Sums over the devices that hold other examples."""
        return tree if self.examples is None else jax.lax.psum(tree, axes_of(self.examples))

    def gathered(self, tree: Any) -> Any:
        """Joins arrays (batch, m) of the devices that hold other labels: (batch, devices · m), the same on all."""
        if self.labels is None:
            return tree
        names = axes_of(self.labels)
        devices, own = math.prod(self.mesh.shape[name] for name in names), jax.lax.axis_index(names)

        def place(array: Array) -> Array:  # a sum of what each has, since an all_gather counts as varying
            wide = jnp.zeros((len(array), devices, array.shape[1]), array.dtype)
            return wide.at[:, own].set(array).reshape(len(array), -1)

        return self.over_labels(jax.tree.map(place, tree))

    def run(
        self, local: Callable[[Any, Any], tuple[Any, Any, Any]], by_label: Any, by_example: Any
    ) -> tuple[Any, Any, Any]:
        """`local(by_label, by_example)` on each device, with its share of both.

        Args:
          local: what a device does; the methods above are for it. It returns what has a row for each of its examples,
            what has one for each of its labels, and what all devices have alike.
          by_label: a pytree of arrays (n_labels, ...).
          by_example: a pytree of arrays (batch, ...); see `sigfft.meshes.flat`.
        """
        if self.mesh is None:
            return local(by_label, by_example)
        labels, examples = PartitionSpec(self.labels), PartitionSpec(self.examples)
        specs = jax.tree.map(lambda _: labels, by_label), jax.tree.map(lambda _: examples, by_example)
        put = lambda array, spec: jax.sharding.reshard(array, NamedSharding(self.mesh, spec))  # noqa: E731
        placed = jax.tree.map(put, (by_label, by_example), specs)
        return jax.shard_map(local, mesh=self.mesh, in_specs=specs, out_specs=(examples, labels, PartitionSpec()))(
            *placed
        )

    def unflat(self, array: Shaped[Array, "..."], batch: tuple[int, ...]) -> Shaped[Array, "..."]:
        """An array of examples, of the leading axes that they had."""
        if len(batch) == 1:
            return array
        shape, spec = (*batch, *array.shape[1:]), PartitionSpec(self.examples) if batch else PartitionSpec()
        return automatic(lambda a: a.reshape(shape), lambda _: spec, array)
