"""Entries of padded rows, such as ids of features: loops that visit those that are there and pass over padding."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from sigfft.varying import vary_like

CHUNK = 1024  # entries at a time


class Entries(NamedTuple):
    """Some entries of a batch, in the order of its examples; beyond the last one `ids` are padding."""

    ids: Int[Array, " chunk"]
    examples: Int[Array, " chunk"]
    columns: Int[Array, " chunk"]


def over_entries(
    visit: Callable[[Array, Entries], Array], start: Array, ids: Int[Array, "batch width"], n_rows: int, like: Any = ()
) -> Array:
    """`start` after `visit` has seen all entries of a batch, `CHUNK` at a time.

    Time is that of the entries up to the last of each example, and not of `width`.

    Args:
      visit: (total, entries) -> total.
      start: total of no entry.
      ids: rows of a table; those of `n_rows` or more are padding, best at the end of each example.
      n_rows: rows of the table.
      like: what else `visit` reads: under `jax.shard_map` the total varies over the devices that it varies over.
    """
    columns = jnp.arange(1, ids.shape[1] + 1)
    ends = jnp.cumsum(jnp.max(jnp.where(ids < n_rows, columns, 0), axis=1, initial=0))
    # `scan` is the faster one, and wants a number of examples: an exported model has none yet.
    method = "scan" if isinstance(ids.shape[0], int) else "compare_all"

    def step(carry):
        first, total = carry
        places = first + jnp.arange(CHUNK)
        examples = jnp.searchsorted(ends, places, side="right", method=method).astype(ids.dtype)
        before = jnp.where(examples > 0, ends[jnp.maximum(examples, 1) - 1], 0)
        own = (places - before).astype(ids.dtype)
        entries = Entries(ids.at[examples, own].get(mode="fill", fill_value=n_rows), examples, own)
        return first + CHUNK, visit(total, entries)

    carry = vary_like((jnp.zeros_like(ends[0]), start), like, ends)
    return jax.lax.while_loop(lambda carry: carry[0] < ends[-1], step, carry)[1]


def marked(ids: Int[Array, "batch width"], n_rows: int) -> Int[Array, " rows"]:
    """1 for each row of a table of `n_rows` that a batch reads, 0 for others."""

    def mark(marks, entries):
        return marks.at[entries.ids].set(1, mode="drop")

    return over_entries(mark, jnp.zeros((n_rows,), jnp.int32), ids, n_rows)
