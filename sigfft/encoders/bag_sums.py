"""Sums of weighted rows of a table, of bags that are padded to one width."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sigfft.encoders.entries import Entries, over_entries
from sigfft.varying import vary_like


def weighted_sums(
    table: Float[Array, "rows dim"], ids: Int[Array, "batch width"], values: Float[Array, "batch width"], dtype: Any
) -> Float[Array, "batch dim"]:
    """Σ_j values[i, j] · table[ids[i, j]] for each example i, where an id of `rows` or more is padding.

    Time and memory are those of the entries that are there, as `over_entries` tells, and so are its gradient's, besides
    one table of zeros. There is no forward-mode derivative.

    Args:
      table: the rows.
      ids: rows of each example, best with all padding at the end.
      values: their factors.
      dtype: that rows are rounded to before they are multiplied, as values have been; sums are of the table's.
    """
    # A gradient of our own is of what varies over devices as the batch does; JAX sums that of a table that does not.
    return _sums(*vary_like((table, ids, values)), dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _sums(
    table: Float[Array, "rows dim"], ids: Int[Array, "batch width"], values: Float[Array, "batch width"], dtype: Any
) -> Float[Array, "batch dim"]:
    def add(total, entries):
        rows = _rows(table, entries, dtype) * _factors(values, entries, table.dtype)
        return total.at[entries.examples].add(rows, mode="drop", indices_are_sorted=True)

    start = jnp.zeros((ids.shape[0], table.shape[1]), table.dtype)
    return over_entries(add, start, ids, len(table), (table, values))


def _forward(table, ids, values, dtype):
    return _sums(table, ids, values, dtype), (table, ids, values)


def _backward(dtype, kept, gradient):
    table, ids, values = kept

    def add_rows(total, entries):
        own = gradient[entries.examples] * _factors(values, entries, table.dtype)
        return total.at[entries.ids].add(own, mode="drop")

    def set_values(total, entries):
        own = (gradient[entries.examples] * _rows(table, entries, dtype)).sum(1).astype(total.dtype)
        return total.at[entries.examples, entries.columns].add(own, mode="drop")

    of_table = over_entries(add_rows, jnp.zeros_like(table), ids, len(table), (gradient, values))
    of_values = over_entries(set_values, jnp.zeros_like(values), ids, len(table), (gradient, table))
    return of_table, None, of_values


_sums.defvjp(_forward, _backward)


def _rows(table: Float[Array, "rows dim"], entries: Entries, dtype: Any) -> Float[Array, "chunk dim"]:
    return table.at[entries.ids].get(mode="fill", fill_value=0).astype(dtype).astype(table.dtype)


def _factors(values: Float[Array, "batch width"], entries: Entries, dtype: Any) -> Float[Array, "chunk 1"]:
    own = values.at[entries.examples, entries.columns].get(mode="fill", fill_value=0)
    return own.astype(dtype)[:, None]
