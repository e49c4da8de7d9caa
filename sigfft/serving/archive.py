"""The file of an export: a zip archive of JSON, raw arrays and serialized functions. Nothing in it is a pickle."""

import contextlib
import json
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from sigfft.files import replacing
from sigfft.files.documents import parsed

_ABOUT, _KIND, _FORMAT = "about.json", "sigfft export", 1
_LARGEST_ABOUT = 1 << 28  # bytes: names of a million labels take a tenth; a zip bomb takes all memory
_DAMAGE = (
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)


class Contents(NamedTuple):
    """What the file holds.

    Attributes:
      about: what JSON can hold.
      arrays: by name, of any dtype that JAX knows.
      functions: serialized, by name.
    """

    about: dict[str, Any]
    arrays: Mapping[str, np.ndarray]
    functions: Mapping[str, bytes]


def write(path: str | os.PathLike, contents: Contents) -> None:
    """Writes the file, whole or not at all.

    Raises:
      OSError: nothing can be written there.
    """
    arrays = [(name, np.dtype(array.dtype).name, array.shape) for name, array in contents.arrays.items()]
    about = {"kind": _KIND, "format": _FORMAT, **contents.about, "arrays": arrays, "functions": [*contents.functions]}
    with replacing(path) as part, zipfile.ZipFile(part, "w") as archive:
        archive.writestr(_ABOUT, json.dumps(about, default=float), zipfile.ZIP_DEFLATED)
        for name, function in contents.functions.items():
            archive.writestr(_function(name), function)
        for i, array in enumerate(contents.arrays.values()):
            with archive.open(_array(i), "w", force_zip64=True) as member:
                member.write(_bytes(array))


def read(path: str | os.PathLike) -> Contents:
    """What `write` wrote.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is damaged, truncated, of another kind or of a later format.
    """
    Path(path).stat()
    with _opened(path) as archive:
        if archive.getinfo(_ABOUT).file_size > _LARGEST_ABOUT:
            raise ValueError(f"{_ABOUT} is larger than {_LARGEST_ABOUT >> 20} MiB")
        about = parsed(archive.read(_ABOUT))
        if about["kind"] != _KIND:
            raise ValueError(f"it is {about['kind']!r}")
        later = about["format"] > _FORMAT
    if later:
        raise ValueError(f"{path} is an export of format {about['format']}; this version reads up to {_FORMAT}")
    with _opened(path) as archive:
        compressed = {own.filename for own in archive.infolist() if own.compress_type != zipfile.ZIP_STORED}
        if compressed - {_ABOUT}:
            raise ValueError("arrays and functions are compressed")  # as in a zip bomb
        functions = {name: archive.read(_function(name)) for name in about["functions"]}
        arrays = {
            name: np.frombuffer(archive.read(_array(i)), jnp.dtype(dtype)).reshape(shape)
            for i, (name, dtype, shape) in enumerate(about["arrays"])
        }
    return Contents(about, arrays, functions)


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _DAMAGE as error:
        raise ValueError(
            f"{path} is damaged, truncated, or no file that sigfft.serving.save wrote ({error})"
        ) from error


def _function(name: str) -> str:
    return f"functions/{name}"


def _array(index: int) -> str:
    return f"arrays/{index}"


def _bytes(array: np.ndarray) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
