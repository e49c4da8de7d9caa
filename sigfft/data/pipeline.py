"""From a source's name to padded batches: load a data set, then stream it through grain.

Batches are a function of (dataset, seed, step): a stream may start at any step, at no cost, and hosts that share a
batch split the same global batch whatever their number.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import grain
import numpy as np
import tensorflow_datasets as tfds

from sigfft import labels
from sigfft.data import records
from sigfft.data.dataset import Batch, Dataset, DenseFeatures, SparseFeatures, keep_largest
from sigfft.data.order import BatchOrder
from sigfft.data.synthetic import synthetic
from sigfft.data.xmc import xmc

SOURCES: Mapping[str, Callable[..., tfds.core.GeneratorBasedBuilder]] = {"synthetic": synthetic, "xmc": xmc}


def load(source: str, cache_dir: Path | str, *, max_features: int | None = None, **options: Any) -> dict[str, Dataset]:
    """The splits of a data set, by name: "train", "test", and "dev" where the source has one.

    Args:
      source: "xmc" or "synthetic".
      cache_dir: where prepared records are kept; the second call reads them from there.
      max_features: of each point, keep this many features of largest |value| (`keep_largest`); sparse data only.
      **options: the source's own: `data_dir` of `xmc.xmc`, the fields of `synthetic.SyntheticSpec`.

    Raises:
      ValueError: an unknown source, or what the source refuses.
    """
    if source not in SOURCES:
        raise ValueError(f"unknown data source {source!r}; expected one of {', '.join(sorted(SOURCES))}")
    return read(SOURCES[source](cache_dir, **options), max_features=max_features)


def read(builder: tfds.core.GeneratorBasedBuilder, *, max_features: int | None = None) -> dict[str, Dataset]:
    """The splits of a prepared builder, of `xmc`, `synthetic` or any other with the same names.

    Its records hold `labels`, and either `features`, or `feature_ids` and `feature_values`; its metadata holds
    `n_labels`, and `n_features` where features are sparse.

    Raises:
      ValueError: `max_features` is less than 1, or given for dense features.
    """
    columns = {split: records.read_columns(builder, split) for split in builder.info.splits}
    n_labels = int(builder.info.metadata["n_labels"])
    widest = max(_widest(split["labels"]) for split in columns.values())
    features: Mapping[str, SparseFeatures | DenseFeatures]
    if "feature_ids" in builder.info.features:
        features = _sparse(columns, builder, max_features)
    elif max_features is None:
        features = _dense(columns)
    else:
        raise ValueError(f"max_features={max_features} is for sparse features; {builder.name} is dense, leave it None")
    return {
        name: Dataset(features[name], labels.from_csr(*_csr(split["labels"]), n_labels, widest), n_labels)
        for name, split in columns.items()
    }


def batches(
    dataset: Dataset, batch_size: int, *, start_step: int = 0, prefetch: int = 2, **options: Any
) -> grain.IterDataset[Batch]:
    """A stream of batches of the same shapes; what they hold is told in `Dataset.gather`.

    The iterator has grain's `get_state` and `set_state`; its state belongs to a stream of the same arguments.

    Args:
      dataset: one split.
      batch_size: points of a global batch, shared by all processes.
      start_step: how many batches to leave out at the start, at no cost: a run resumed at this step sees exactly
        what it would have seen without the interruption.
      prefetch: batches gathered ahead by a thread; 0: each is gathered when asked for.
      **options: of `BatchOrder`: `seed`, `shuffle`, `num_epochs`, `remainder`, `process_index`, `process_count`.

    Raises:
      ValueError: `start_step` is beyond the last batch, or as `BatchOrder`.
    """
    order = BatchOrder(len(dataset), batch_size, **options)
    if not 0 <= start_step <= len(order):
        raise ValueError(f"start_step={start_step} lies outside the stream, which has {len(order)} batches")
    read_options = grain.ReadOptions(num_threads=min(prefetch, 1), prefetch_buffer_size=prefetch)
    return grain.MapDataset.source(order)[start_step:].map(dataset.gather).to_iter_dataset(read_options)


def _sparse(
    columns: dict[str, dict[str, records.Column]],
    builder: tfds.core.GeneratorBasedBuilder,
    max_features: int | None,
) -> dict[str, SparseFeatures]:
    widest = max(_widest(split["feature_ids"]) for split in columns.values())
    width = widest if max_features is None else min(widest, max_features)
    n_features = int(builder.info.metadata["n_features"])
    features = {}
    for name, split in columns.items():
        indptr, ids = _csr(split["feature_ids"])
        kept = keep_largest(indptr, ids, split["feature_values"].values, width)
        features[name] = SparseFeatures(*kept, n_features=n_features, width=width)
    return features


def _dense(columns: dict[str, dict[str, records.Column]]) -> dict[str, DenseFeatures]:
    return {
        name: DenseFeatures(split["features"].values.reshape(len(split["features"].indptr) - 1, -1))
        for name, split in columns.items()
    }


def _csr(column: records.Column) -> tuple[np.ndarray, np.ndarray]:
    return column.indptr, column.values


def _widest(column: records.Column) -> int:
    return max(1, int(np.diff(column.indptr).max(initial=1)))
