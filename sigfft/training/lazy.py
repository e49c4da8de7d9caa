"""Steps that read and write only those rows of an embedding table that a batch names, and leave all others as they are.

A table of tens of thousands of rows is most of a model's parameters, and a batch reads few of them. Its gradient, its
norm and Adam are of the rows that some device reads, which are taken out of the table and its moments before the step
and put back behind it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from sigfft.data import Dataset, SparseFeatures
from sigfft.data.pipeline import BatchOrder
from sigfft.encoders import Examples
from sigfft.encoders.entries import marked
from sigfft.training.config import Config
from sigfft.training.model import Model

Tables = Mapping[str, str]  # of an encoder: names of parameters, and of the ids in an example that name their rows
Sizes = Mapping[str, int]  # at most so many rows of each table are read by a batch
_MULTIPLE = 256  # of rows: sizes that differ by little compile to one program


class Read(NamedTuple):
    """What the batch of all devices reads of the tables."""

    rows: dict[str, Int[Array, " size"]]  # by parameter: ascending, then the table's length where there are no more
    examples: Examples  # of one device, whose ids are places in `rows`, or its length for padding
    whole: Bool[Array, ""]  # whether no batch reads more rows than there is room for


def most_rows(model: Model, config: Config, data: Dataset) -> dict[str, int]:
    """The most rows of each table that a batch of the run reads, rounded up; nothing where a step is of whole tables.

    It looks through the batches of all steps.
    """
    tables = model.encoder.tables if config.optim.lazy_embeddings else {}
    if not isinstance(data.features, SparseFeatures):
        return {}
    order = BatchOrder(len(data), config.optim.batch_size, seed=config.seed, shuffle=True, num_epochs=None)
    most = 0
    for step in range(config.optim.steps if tables else 0):
        most = max(most, data.features.count_distinct(order[step]))
        if most + _MULTIPLE > data.features.n_features:
            break  # nearly all
    return dict.fromkeys(tables, -(-most // _MULTIPLE) * _MULTIPLE)


def read(tables: Tables, sizes: Sizes, encoder: Mapping[str, Any], examples: Examples, axis_name: str) -> Read:
    """The rows that the examples of all devices along an axis read.

    Args:
      tables: of the encoder.
      sizes: room for the rows of each table; all of it where nothing is said.
      encoder: the encoder's parameters.
      examples: of one device.
      axis_name: of the devices that share the batch.
    """
    rows, own, whole = {}, dict(examples), jnp.ones((), bool)
    for name, source in tables.items():
        length = len(encoder[name])
        size, ids = min(sizes.get(name, length), length), jnp.asarray(examples[source])
        marks = jax.lax.pmax(marked(ids, length), axis_name)
        places = jnp.cumsum(marks, dtype=ids.dtype) - 1
        (rows[name],) = jnp.nonzero(marks, size=size, fill_value=length)
        own[source] = places.at[ids].get(mode="fill", fill_value=size)
        whole &= places[-1] < size
    return Read(rows, own, whole)


def taken(tree: Any, rows: Mapping[str, Int[Array, " size"]]) -> Any:
    """A tree of parameters, or of an optimiser's state, with the given rows of its tables alone."""

    def take(path, leaf):
        name = _table(path, rows)
        return leaf if name is None else leaf.at[rows[name]].get(mode="fill", fill_value=0, **_ASCENDING)

    return jax.tree.map_with_path(take, tree)


def put(tree: Any, part: Any, rows: Mapping[str, Int[Array, " size"]]) -> Any:
    """The tree with what `taken` gave of it, changed since, in its place."""

    def put_leaf(path, leaf, own):
        name = _table(path, rows)
        return own if name is None else leaf.at[rows[name]].set(own, mode="drop", **_ASCENDING)

    return jax.tree.map_with_path(put_leaf, tree, part)


_ASCENDING = {"indices_are_sorted": True}  # and not unique: what there is no room for is named more than once


def _table(path: tuple[Any, ...], rows: Mapping[str, Any]) -> str | None:
    names = [getattr(key, "key", None) for key in path[-2:]]
    return names[1] if len(names) == 2 and names[0] == "encoder" and names[1] in rows else None
