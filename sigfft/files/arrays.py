"""Named arrays in a file, .npz or .safetensors, and the one of an .npy: shapes before values, and nothing unpickled."""

import contextlib
import io
import lzma
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

_File = io.BufferedIOBase | IO[bytes]  # a member of an archive is the one, and is said to be the other
_PICKLED = "pickled arrays are refused, since reading one can run code; save plain arrays of floats"
_HEADER_BYTES = 1 << 14  # NumPy refuses longer headers, but reads them first, up to 4 GB of a zip bomb
_INFLATED, _BOMB = 1 << 30, 100  # bytes; trained weights are compressed twice or so, zeros a thousandfold
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class Arrays(NamedTuple):
    """The arrays of an open file."""

    shapes: Mapping[str, tuple[int, ...]]  # shape of each, by name
    read: Callable[[str], np.ndarray]  # name -> values, at their stored dtype
    metadata: Mapping[str, str]  # what a .safetensors file says of itself


def open_arrays(path: Path) -> contextlib.AbstractContextManager[Arrays]:
    """The arrays of an .npz or .safetensors file, while the block lasts.

    Raises:
      ValueError: the file is damaged, truncated or of another format; or what is read is a pickle, or of a dtype that
        NumPy lacks.
    """
    return _npz(path) if path.suffix == ".npz" else _safetensors(path)


def read_npy(path: Path, mapped: bool = False) -> np.ndarray:
    """The array of an .npy file; `mapped`: its values are left there until they are asked for.

    Raises:
      ValueError: as `open_arrays`.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if not mapped:
            return _values(file, size, str(path))
        _plain_header(file, size, str(path))
    return np.load(path, mmap_mode="r", allow_pickle=False)


@contextlib.contextmanager
def _npz(path: Path) -> Iterator[Arrays]:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{path} is not a whole .npz archive: damaged, truncated or of another format")
    try:
        with zipfile.ZipFile(path) as archive:

            def shape(member: zipfile.ZipInfo) -> tuple[int, ...]:
                with archive.open(member) as file:
                    return _header(file, f"{path}, {member.filename}")[0]

            def read(name: str) -> np.ndarray:
                size = members[name].file_size
                if size > max(_INFLATED, _BOMB * members[name].compress_size):
                    fault = f"{members[name].compress_size} bytes of the archive stand for {size}, as in a zip bomb"
                    raise ValueError(f"{path}, {name}: {fault}; save it by numpy.savez, uncompressed")
                with archive.open(members[name]) as file:
                    return _values(file, size, f"{path}, {name}")

            members = {m.filename.removesuffix(".npy"): m for m in archive.infolist() if m.filename.endswith(".npy")}
            yield Arrays({name: shape(member) for name, member in members.items()}, read, {})
    except (EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged or truncated: {error}") from error


def _values(file: _File, size: int, what: str) -> np.ndarray:
    _plain_header(file, size, what)
    file.seek(0)
    try:
        return np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, OverflowError, MemoryError) as error:
        raise ValueError(f"{what} cannot be read: {error}") from error


def _plain_header(file: _File, size: int, what: str) -> None:
    """Raises ValueError unless the values after the header are as many as it says, and no pickle."""
    shape, dtype = _header(file, what)
    expected, found = math.prod(shape) * dtype.itemsize, size - file.tell()
    if dtype.hasobject:
        raise ValueError(f"{what}: {_PICKLED}")
    if expected != found or min(shape, default=0) < 0:
        said = f"{dtype} of shape {shape}, {expected} bytes"
        raise ValueError(f"{what}: damaged or truncated: its header says {said}; it has {found}")


def _header(file: _File, what: str) -> tuple[tuple[int, ...], np.dtype]:
    start = file.read(6)
    if start != np.lib.format.MAGIC_PREFIX:
        raise ValueError(f"{what}: {_PICKLED if start[:1] == bytes([128]) else 'not a .npy file'}")
    head = io.BytesIO(start + file.read(_HEADER_BYTES))
    try:
        shape, _, dtype = _HEADERS[np.lib.format.read_magic(head)](head)
    except Exception as error:  # NumPy parses Python source here: a flipped byte raises any of a dozen kinds
        raise ValueError(f"{what}: damaged or truncated: its header cannot be read ({error})") from error
    file.seek(head.tell())
    return shape, dtype


@contextlib.contextmanager
def _safetensors(path: Path) -> Iterator[Arrays]:
    import ml_dtypes  # noqa: F401  NumPy learns bfloat16 from it
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as archive:

            def read(name: str) -> np.ndarray:
                try:
                    return archive.get_tensor(name)
                except (AttributeError, TypeError) as error:
                    fault = f"{name} is {archive.get_slice(name).get_dtype()}, which NumPy does not know"
                    raise ValueError(f"{path}: {fault}; save it as float32") from error

            names = list(archive.keys())
            shapes = {name: tuple(archive.get_slice(name).get_shape()) for name in names}
            yield Arrays(shapes, read, archive.metadata() or {})
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file: {error}") from error
