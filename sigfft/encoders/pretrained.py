"""What files give an encoder to start from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sigfft.files.arrays import open_arrays, read_npy


class Pretrained(NamedTuple):
    """A start from files.

    Attributes:
      arguments: of the encoder's constructor, which the files decide.
      params: of its state, as nested dicts; a parameter that is missing starts at random.
    """

    arguments: Mapping[str, Any] = {}
    params: Mapping[Any, Any] = {}


def read_vectors(path: Path, n_tokens: int) -> np.ndarray:
    """Vectors of the tokens of a vocabulary, float32 (n_tokens, dim): that of token i in row i.

    The file is an .npy, or a .safetensors file or .npz with one array.

    Raises:
      ValueError: the file is missing or another one, or holds another array.
    """
    if path.suffix not in (".npy", ".npz", ".safetensors") or not path.is_file():
        raise ValueError(f"encoder.pretrained={path} must be an .npy, .npz or .safetensors file of vectors that exists")
    if path.suffix == ".npy":
        vectors = read_npy(path)
    else:
        with open_arrays(path) as arrays:
            if len(arrays.shapes) != 1:
                names = ", ".join(sorted(arrays.shapes)[:5]) or "none"
                raise ValueError(f"{path} must hold one array, the vectors of all tokens; it has {names}")
            vectors = arrays.read(next(iter(arrays.shapes)))
    if vectors.ndim != 2 or len(vectors) != n_tokens:
        expected = f"({n_tokens}, dim), a row for each token of the vocabulary"
        raise ValueError(f"{path} has the shape {vectors.shape}; expected {expected}, in its order")
    return finite(vectors, str(path))


def finite(values: np.ndarray, what: str) -> np.ndarray:
    """The values as float32; raises ValueError unless all are finite there. `what` names them."""
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            single = values.astype(np.float32)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{what} holds {values.dtype}; expected real numbers: save it as float32") from error
    if not np.isfinite(single).all():
        raise ValueError(f"{what} must be finite in float32; it holds {values[~np.isfinite(single)][0]}")
    return single
