"""Features of a frozen encoder, computed once for a whole split and kept in files."""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import jax
import numpy as np
from jaxtyping import Float32

from sigfft.data import Batch, Dataset, DenseFeatures, Splits, batches
from sigfft.files import replacing
from sigfft.files.arrays import read_npy
from sigfft.training.devices import local_shardings, split_over_devices
from sigfft.training.encoder import ENCODED, EncoderParams, PureEncoder

_LOG = logging.getLogger(__name__)


def encoded_splits(
    encoder: PureEncoder, params: EncoderParams, splits: Splits, batch_size: int, cache_dir: Path
) -> Splits:
    """The splits with the encoder's features in place of its inputs, without dropout.

    Features are kept in `cache_dir`/features/, in a file that is named after a digest of the encoder, its parameters
    and the inputs: a later run with the same finds them there.

    Args:
      encoder: the encoder.
      params: its parameters.
      splits: what to encode.
      batch_size: points at a time, over the devices of this process; rounded up to a multiple of them.
      cache_dir: where files are kept.
    """
    described = json.dumps({**encoder.to_json(), "jax": [jax.__version__, jax.default_backend()]}, sort_keys=True)
    of_encoder = hashlib.blake2b(described.encode(), digest_size=16)
    for path, leaf in jax.tree.leaves_with_path(params):
        _add(of_encoder, jax.tree_util.keystr(path), np.asarray(leaf))
    replicated, split_first = local_shardings()
    of_batch = jax.pmap(encoder.features, in_axes=(None, 0), devices=jax.local_devices())
    placed = jax.device_put(jax.device_get(params), replicated)
    size = -(-batch_size // jax.local_device_count()) * jax.local_device_count()

    def encoded(name: str, data: Dataset) -> Dataset:
        digest = of_encoder.copy()
        for batch in _inputs(data, size):
            for key, array in sorted(batch.items()):
                _add(digest, key, array)
        path, shape = cache_dir / "features" / f"{digest.hexdigest()}.npy", (len(data), encoder.feature_dim)
        values = _read(path, shape)
        if values is None:
            _LOG.info("computing the features of the %s split, %d × %d, in %s", name, *shape, path)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as part, part.open("wb") as file:
                _write_header(file, shape)
                for start, batch in zip(range(0, len(data), size), _inputs(data, size), strict=True):
                    features = of_batch(placed, split_over_devices(batch, split_first))
                    rows = np.asarray(features, np.float32).reshape(size, -1)[: len(data) - start]
                    file.write(rows.tobytes())
            values = read_npy(path, mapped=True)
        return dataclasses.replace(data, features=DenseFeatures(values, ENCODED))

    return {name: encoded(name, data) for name, data in splits.items()}


def _inputs(data: Dataset, size: int) -> Iterator[Batch]:
    for batch in batches(data, size):
        yield {name: array for name, array in batch.items() if name not in ("labels", "mask")}


def _add(digest: "hashlib.blake2b", name: str, array: np.ndarray) -> None:
    digest.update(f"{name} {array.dtype} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())


def _read(path: Path, shape: tuple[int, int]) -> Float32[np.ndarray, "points feature_dim"] | None:
    """What an earlier run wrote; None where there is nothing, or nothing whole."""
    if not path.is_file():
        return None
    try:
        values = read_npy(path, mapped=True)
    except ValueError as error:
        _LOG.warning("%s; its features are computed anew", error)
        return None
    return values if values.shape == shape and values.dtype == np.float32 else None


def _write_header(file: IO[bytes], shape: tuple[int, int]) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
