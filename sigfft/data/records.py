"""TFDS records without TensorFlow: prepared once as array_record, decoded once into the arrays of a `Dataset`.

A record holds arrays of int32 or float32, each stored as its bytes (`array_feature`). Decoding a record costs far more
than using it, so nothing is decoded while training: a split is read whole into one flat array per feature.
"""

import contextlib
import dataclasses
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from jaxtyping import Int, Shaped
from numpy.typing import DTypeLike
from tensorflow_datasets.proto import tf_example_pb2

from sigfft import labels
from sigfft.data.dataset import Dataset, DenseFeatures, SparseFeatures, Splits, keep_largest


@dataclasses.dataclass(frozen=True)
class Column:
    """One feature of all records: record i is `values[indptr[i]:indptr[i + 1]]`."""

    indptr: Int[np.ndarray, " records_plus_1"]
    values: Shaped[np.ndarray, " entries"]


Columns = Mapping[str, Mapping[str, Column]]  # by split and by name


def array_feature(dtype: type[np.number], size: int | None = None) -> tfds.features.Tensor:
    """A TFDS feature for one-dimensional arrays of `size` entries, or of any length."""
    return tfds.features.Tensor(shape=(size,), dtype=dtype, encoding=tfds.features.Encoding.BYTES)


def prepare(
    builder_class: type[tfds.core.GeneratorBasedBuilder], config: tfds.core.BuilderConfig, cache_dir: Path | str
) -> tfds.core.GeneratorBasedBuilder:
    """The builder of `config` with its records on disk under `cache_dir`, written now if they are not there yet.

    Records appear whole or not at all: TFDS writes to a temporary folder that is renamed at the end. Several
    processes may prepare the same records at once: the first rename wins. `config.name` must change with the content.
    TFDS's progress bars are switched off for good, and its announcements are kept from stdout.
    """
    tfds.disable_progress_bar()
    with _quiet():
        builder = builder_class(data_dir=cache_dir, config=config)
        if builder.is_prepared():
            return builder
        try:
            builder.download_and_prepare(file_format="array_record")
        except OSError:
            if not builder_class(data_dir=cache_dir, config=config).is_prepared():
                raise
        return builder_class(data_dir=cache_dir, config=config)


def read_columns(builder: tfds.core.GeneratorBasedBuilder, split: str) -> dict[str, Column]:
    """All records of one split, in the order they were generated, as one flat array per feature."""
    source = builder.as_data_source(split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
    names = list(builder.info.features)
    blobs: dict[str, list[bytes]] = {name: [] for name in names}
    for record in source.__getitems__(range(len(source))):
        features = tf_example_pb2.Example.FromString(record).features.feature
        for name in names:
            blobs[name].append(features[name].bytes_list.value[0])
    return {name: _column(blobs[name], builder.info.features[name].np_dtype) for name in names}


def sparse_splits(builder: tfds.core.GeneratorBasedBuilder, max_features: int = 0) -> Splits:
    """The splits of a prepared builder whose records hold `labels`, `feature_ids` and `feature_values`.

    Args:
      builder: its metadata holds `n_labels` and `n_features`.
      max_features: of each point, keep this many features of largest |value| (`keep_largest`); 0: all.

    Raises:
      ValueError: `max_features` is negative.
    """
    columns = {split: read_columns(builder, split) for split in builder.info.splits}
    widest = _widest(columns, "feature_ids")
    width = min(widest, max_features) if max_features else widest
    features = {}
    for name, split in columns.items():
        ids, values = split["feature_ids"], split["feature_values"].values
        kept = keep_largest(ids.indptr, ids.values, values, width)
        features[name] = SparseFeatures(*kept, n_features=int(builder.info.metadata["n_features"]), width=width)
    return _splits(builder, columns, features)


def dense_splits(builder: tfds.core.GeneratorBasedBuilder) -> Splits:
    """The splits of a prepared builder whose records hold `labels` and `features`; its metadata holds `n_labels`."""
    columns = {split: read_columns(builder, split) for split in builder.info.splits}
    features = {
        name: DenseFeatures(split["features"].values.reshape(len(split["features"].indptr) - 1, -1))
        for name, split in columns.items()
    }
    return _splits(builder, columns, features)


def _splits(
    builder: tfds.core.GeneratorBasedBuilder,
    columns: Columns,
    features: Mapping[str, SparseFeatures | DenseFeatures],
) -> Splits:
    n_labels, widest = int(builder.info.metadata["n_labels"]), _widest(columns, "labels")
    padded = {
        name: labels.from_csr(split["labels"].indptr, split["labels"].values, n_labels, widest)
        for name, split in columns.items()
    }
    return {name: Dataset(features[name], padded[name], n_labels) for name in columns}


def _widest(columns: Columns, name: str) -> int:
    return max(1, *(int(np.diff(split[name].indptr).max(initial=1)) for split in columns.values()))


def _column(blobs: list[bytes], dtype: DTypeLike) -> Column:
    sizes = np.array([len(blob) for blob in blobs]) // np.dtype(dtype).itemsize
    return Column(np.concatenate([[0], np.cumsum(sizes)]), np.frombuffer(b"".join(blobs), dtype))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # TFDS prints to stdout what it prepares, and warns that a config is not one that its class lists.
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)
