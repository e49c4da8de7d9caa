"""TFDS records without TensorFlow: prepared once as array_record, decoded once into the arrays of a `Dataset`.

A record holds arrays of numbers, each stored as its bytes. Decoding a record costs far more than using it, so
nothing is decoded while training: a split is read whole into one flat array per feature.
"""

import contextlib
import dataclasses
import errno
import io
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from jaxtyping import Int, Shaped
from tensorflow_datasets.proto import tf_example_pb2

from sigfft import labels
from sigfft.data.dataset import (
    Dataset,
    DenseFeatures,
    Features,
    ImageFeatures,
    Origin,
    SparseFeatures,
    Splits,
    TokenFeatures,
    keep_largest,
)
from sigfft.files import locks, naming_full_disk

_SIZES = ("n_labels", "n_features", "n_tokens", "image_size")  # that metadata may hold
Record = Mapping[str, Shaped[np.ndarray, " _entries"]]


@dataclasses.dataclass(frozen=True)
class Column:
    """One feature of all records: record i is `values[indptr[i]:indptr[i + 1]]`."""

    indptr: Int[np.ndarray, " records_plus_1"]
    values: Shaped[np.ndarray, " entries"]


@dataclasses.dataclass(eq=False)
class ArrayConfig(tfds.core.BuilderConfig):
    """What the records of a data set are made from; `name` must change with the content."""

    # dtype, and length or None, of each array of a record, by name
    arrays: Mapping[str, tuple[type[np.number], int | None]] = dataclasses.field(default_factory=dict)
    # about the whole, such as `n_labels`; `generate` may add to it
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    # gives the records of each split, in order. It is called before the first record is written, so that bad input ends
    # there, in its own words
    generate: Callable[[], Mapping[str, Iterable[Record]]] = dict


class _LocalInfo(tfds.core.DatasetInfo):
    """What TFDS knows of a data set that is in no bucket."""

    def initialize_from_bucket(self) -> None:
        """Asks nobody, where TFDS would ask its bucket, and leave an empty folder among the temporary ones."""


class ArrayBuilder(tfds.core.GeneratorBasedBuilder):
    """Records of one-dimensional arrays. A source has its own subclass, after which its folder is named."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First version."}

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            name: tfds.features.Tensor(shape=(size,), dtype=dtype, encoding=tfds.features.Encoding.BYTES)
            for name, (dtype, size) in self.builder_config.arrays.items()
        }
        return _LocalInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict(features),
            metadata=tfds.core.MetadataDict(self.builder_config.metadata),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, Record]]]:
        splits = self.builder_config.generate()
        self.info.metadata.update(self.builder_config.metadata)
        return {split: self._generate_examples(own) for split, own in splits.items()}

    def _generate_examples(self, records: Iterable[Record]) -> Iterator[tuple[int, Record]]:
        yield from enumerate(records)


def prepare(builder_class: type[ArrayBuilder], config: ArrayConfig, cache_dir: Path | str) -> ArrayBuilder:
    """The builder of `config` with its records on disk under `cache_dir`, written now if they are not there yet.

    Records appear whole or not at all: TFDS writes to a temporary folder that is renamed at the end. Of several
    processes one prepares while the others wait; where the file system cannot tell them apart, the first rename wins.
    Temporary folders that killed processes left are removed. TFDS's progress bars are switched off for good, and its
    announcements are kept from stdout.

    Raises:
      OSError: the records cannot be written, or the disk is full; the message names their folder.
    """
    tfds.disable_progress_bar()
    with _quiet():
        builder = builder_class(data_dir=cache_dir, config=config)
        folder = Path(builder.data_path).parent  # of all versions of these records
        _remove_incomplete(folder.parent)
        if builder.is_prepared():
            return builder
        with locks.exclusive(_lock_of(folder), wait=True):
            builder = builder_class(data_dir=cache_dir, config=config)
            if builder.is_prepared():  # by a process that this one has waited for
                return builder
            try:
                with _full_disk(builder.data_dir):
                    builder.download_and_prepare(file_format="array_record")
            except OSError:
                if not builder_class(data_dir=cache_dir, config=config).is_prepared():
                    raise
        return builder_class(data_dir=cache_dir, config=config)


def read_columns(builder: ArrayBuilder, split: str) -> dict[str, Column]:
    """All records of one split, in the order they were generated, as one flat array per feature."""
    source = builder.as_data_source(split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
    blobs: dict[str, list[bytes]] = {name: [] for name in builder.info.features}
    for record in source.__getitems__(range(len(source))):
        features = tf_example_pb2.Example.FromString(record).features.feature
        for name, own in blobs.items():
            own.append(features[name].bytes_list.value[0])
    columns = {}
    for name, own in blobs.items():
        values = np.frombuffer(b"".join(own), builder.info.features[name].np_dtype)
        counts = np.array([len(blob) for blob in own]) // values.itemsize
        columns[name] = Column(np.concatenate([[0], np.cumsum(counts)]), values)
    return columns


def read_splits(builder: ArrayBuilder, max_features: int = 0) -> Splits:
    """The splits of a prepared builder, whose records hold `labels` and what makes features.

    Args:
      builder: with records of `features`, of `feature_ids` and `feature_values`, of `tokens` or of `image`; its
        metadata holds `n_labels`, with `n_features` of sparse ones, `n_tokens` or `image_size`, and perhaps `origin`.
      max_features: of each sparse point, keep this many features of largest |value| (`keep_largest`); 0: all.

    Raises:
      ValueError: `max_features` is negative.
    """
    columns = {split: read_columns(builder, split) for split in builder.info.splits}
    metadata = dict(builder.info.metadata)
    sizes = {name: int(metadata[name]) for name in _SIZES if name in metadata}
    told = metadata.get("origin", {})
    names = told.get("names")
    origin = Origin(names and tuple(names), told.get("intake"), told.get("about", ""))

    def widest(name: str) -> int:
        return max(1, *(int(np.diff(own[name].indptr).max(initial=1)) for own in columns.values()))

    def features(own: Mapping[str, Column]) -> Features:
        if "features" in own:
            return DenseFeatures(own["features"].values.reshape(len(own["features"].indptr) - 1, -1))
        if "tokens" in own:
            return TokenFeatures(own["tokens"].indptr, own["tokens"].values, sizes["n_tokens"], widest("tokens"))
        if "image" in own:
            return ImageFeatures(own["image"].values.reshape(-1, *[sizes["image_size"]] * 2, 3))
        ids, values = own["feature_ids"], own["feature_values"].values
        width = min(widest("feature_ids"), max_features) if max_features else widest("feature_ids")
        return SparseFeatures(*keep_largest(ids.indptr, ids.values, values, width), sizes["n_features"], width)

    def dataset(own: Mapping[str, Column]) -> Dataset:
        ids = own["labels"]
        padded = labels.from_csr(ids.indptr, ids.values, sizes["n_labels"], widest("labels"))
        return Dataset(features(own), padded, sizes["n_labels"], origin)

    return {split: dataset(own) for split, own in columns.items()}


def _lock_of(records: Path) -> Path:
    """The lock of a process that prepares a folder of records: beside it."""
    return records.with_name(f"{records.name}.lock")


def _remove_incomplete(folder: Path) -> None:
    """Removes what killed processes left of their preparation of any records of this kind."""
    for records in {left.parent for left in folder.glob("*/incomplete.*")}:
        # One that is alive prepares there, or the cache can only be read: both may stay.
        with contextlib.suppress(locks.HeldError, OSError), locks.exclusive(_lock_of(records)) as in_doubt:
            for left in records.glob("incomplete.*") if in_doubt is None else ():
                shutil.rmtree(left)


@contextlib.contextmanager
def _full_disk(folder: Path | str) -> Iterator[None]:
    """Where the block finds no room for records, an OSError that names their folder."""
    with naming_full_disk(folder):
        try:
            yield
        except RuntimeError as error:  # of array_record, whose message ends in that of the operating system
            full = [number for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if os.strerror(number) in str(error)]
            if not full:
                raise
            raise OSError(full[0], os.strerror(full[0])) from error


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
