"""TFDS records without TensorFlow: prepared once as array_record, decoded once into packed arrays.

A record holds arrays of int32 or float32, each stored as its bytes (`array_feature`). Decoding a record costs far more
than using it, so nothing is decoded while training: a split is read whole into one flat array per feature.
"""

import contextlib
import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from jaxtyping import Int, Shaped
from tensorflow_datasets.proto import tf_example_pb2


@dataclasses.dataclass(frozen=True)
class Column:
    """One feature of all records: record i is `values[indptr[i]:indptr[i + 1]]`."""

    indptr: Int[np.ndarray, " records_plus_1"]
    values: Shaped[np.ndarray, " entries"]


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


def _column(blobs: list[bytes], dtype: np.dtype) -> Column:
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
