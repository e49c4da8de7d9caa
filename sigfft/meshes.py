"""Meshes with explicit axes (`jax.make_mesh` makes them so): JAX wants each operation to say how its result is sharded.

A function of ours says it once, for what it returns: inside, the compiler shards as under automatic axes.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

Result = TypeVar("Result")


def automatic(function: Callable[..., Result], specs: Callable[..., Any], *args: Any) -> Result:
    """`function(*args)`, computed with explicit axes of the arguments' mesh as automatic ones.

    Args:
      function: of pytrees of arrays.
      specs: of the same arguments: a pytree of PartitionSpecs for the result, or for parts of it.
      *args: arrays, on any mesh or none. Where no axis is explicit, nothing but the function is called.
    """
    mesh = explicit_mesh(args)
    if mesh is None:
        return function(*args)
    is_spec = lambda leaf: isinstance(leaf, PartitionSpec)  # noqa: E731
    shardings = jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs(*args), is_leaf=is_spec)
    return jax.sharding.auto_axes(function, out_sharding=shardings)(*args)


def explicit_mesh(arrays: Any) -> Any:
    """The mesh of a pytree's arrays that has explicit axes, or None."""
    meshes = (jax.typeof(leaf).sharding.mesh for leaf in jax.tree.leaves(arrays))
    return next((mesh for mesh in meshes if AxisType.Explicit in mesh.axis_types), None)


def spec_of(array: Any, *rest: Any, axes: int | None = None) -> PartitionSpec:
    """How the first `axes` axes are sharded, as far as that is explicit (-1: all but the last); and then `rest`."""
    return PartitionSpec(*_entries(array)[:axes], *rest)


def labels_axis(per_label: dict[str, Any], *besides: Any) -> Any:
    """The mesh axes over which parameters of one row a label are sharded, as far as that is explicit.

    None where arrays `besides`, such as the batch, are sharded over one of them.
    """
    entries = {entry for value in per_label.values() if (entry := _entries(value)[0]) is not None}
    taken = {axis for array in besides for entry in _entries(array) for axis in axes_of(entry)}
    free = [entry for entry in entries if not taken & set(axes_of(entry))]
    return free[0] if len(entries) == 1 and free else None


def _entries(array: Any) -> tuple[Any, ...]:
    spec = jax.typeof(array).sharding.spec
    return (*spec, *[None] * (array.ndim - len(spec)))


def axes_of(entry: Any) -> tuple[str, ...]:
    """The mesh axes that an entry of a PartitionSpec names."""
    return () if entry is None else (entry,) if isinstance(entry, str) else tuple(entry)
