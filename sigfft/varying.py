"""What `jax.shard_map` keeps track of: over which mesh axes an array's values vary from device to device."""

from typing import Any

import jax


def vary_like(tree: Any, *like: Any) -> Any:
    """The arrays of `tree`, said to vary over every axis that an array of `tree` or `like` varies over.

    A scan's carry must be of one type throughout, and a hand-written gradient of its primal's; what starts equal on all
    devices must be said to vary before it meets data that does. The gradient of what is replicated is then summed over
    the devices by JAX itself. Outside `shard_map`, and under `check_vma=False`, nothing varies and nothing happens.
    """
    axes = frozenset().union(*(_varying(leaf) for leaf in jax.tree.leaves((tree, like))))

    def vary(leaf):
        missing = axes - _varying(leaf)
        return jax.lax.pcast(leaf, tuple(sorted(missing)), to="varying") if missing else leaf

    return jax.tree.map(vary, tree) if axes else tree


def _varying(leaf: Any) -> frozenset[str]:
    return jax.typeof(leaf).manual_axis_type.varying
