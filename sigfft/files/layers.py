"""Trained layers in files: weight (n_labels, dim) and bias (n_labels,), at their stored dtype."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sigfft.files.arrays import Arrays, open_arrays, read_npy

FLOATS = ("float16", "bfloat16", "float32", "float64")
_SUFFIXES = (".npy", ".npz", ".safetensors")
_HEAD = {"kind", "arguments"}  # metadata of `sigfft.save_head`
_USUAL = ("weight", "W", "kernel")  # taken where no tensor is named


def load_weights(
    path: str | Path,
    tensor: str | None = None,
    bias: str | None = None,
    transposed: bool = False,
    n_labels: int | None = None,
    largest_label: int = -1,
) -> tuple[Float[np.ndarray, "labels dim"], Float[np.ndarray, " labels"] | None]:
    """The weight and bias of one layer, from .npy, .npz or .safetensors. Nothing is unpickled.

    Args:
      path: the file, whose suffix gives the format.
      tensor: name of the weight in an archive. Default: `weight`, `W` or `kernel`, or the only two-dimensional array.
      bias: name of the bias in the archive; for .npy, the path of another .npy file; "": there is none. Default: the
        array named as the weight is, with `bias` or `b` for `weight`, `W` or `kernel` (`out/kernel`, `out/bias`).
      transposed: the file holds (dim, n_labels), as Flax kernels do. Also noticed without being told where the length
        of the bias or `n_labels` fits the second axis alone.
      n_labels: number of labels, where something else knows it (a label file's header).
      largest_label: the largest label id in use.

    Raises:
      ValueError: a format, name, dtype or shape that is not understood; a value that is not finite; a pickle; an
        array that may be the bias, or a weight that may be transposed, where nothing tells; or a head, whose arrays
        are no layer: `sigfft.load_head` reads it.
    """
    path = Path(path)
    if path.suffix not in _SUFFIXES:
        raise ValueError(f"{path}: weights are read from {', '.join(_SUFFIXES)}; given {path.suffix or 'no suffix'}")
    if path.suffix == ".npy":
        if tensor is not None:
            raise ValueError(f"{path} holds one unnamed array; leave out tensor={tensor!r}, or use .npz or safetensors")
        weight, offset = read_npy(path), read_npy(Path(bias)) if bias else None
    else:
        with open_arrays(path) as arrays:
            if arrays.metadata.keys() >= _HEAD:
                raise ValueError(f"{path} is a head that sigfft wrote; read it with sigfft.load_head")
            weight, offset = _read_named(path, arrays, tensor, bias, n_labels)
    weight = _floats(weight, 2, f"{path}: the weight")
    offset = None if offset is None else _floats(offset, 1, f"{path}: the bias")
    if transposed or _is_transposed(path, weight.shape, n_labels if offset is None else len(offset), largest_label):
        weight = weight.T
    if offset is not None and len(offset) != len(weight):
        raise ValueError(f"{path}: the bias has {len(offset)} values for {len(weight)} labels, weight {weight.shape}")
    return np.ascontiguousarray(weight), offset


def holds_head(path: Path) -> bool:
    """Whether a file is a head that `sigfft.save_head` wrote, as its metadata say."""
    if path.suffix != ".safetensors" or path.is_dir():
        return False
    with open_arrays(path) as arrays:
        return arrays.metadata.keys() >= _HEAD


def _read_named(
    path: Path, arrays: Arrays, tensor: str | None, bias: str | None, n_labels: int | None
) -> tuple[np.ndarray, np.ndarray | None]:
    names = sorted(arrays.shapes)
    for name in (tensor, bias or None):
        if name is not None and name not in names:
            raise ValueError(f"{path} has no tensor {name!r}; it has {', '.join(names)}")
    if tensor is None:
        matrices = [name for name in names if len(arrays.shapes[name]) == 2]
        usual = [name for name in _USUAL if name in names] or (matrices if len(matrices) == 1 else [])
        if not usual:
            raise ValueError(f"{path}: name the weight by tensor=; it has {', '.join(names) or 'no array'}")
        tensor = usual[0]
    if bias is None and len(arrays.shapes[tensor]) == 2:
        bias = _find_bias(path, arrays.shapes, tensor, n_labels)
    return arrays.read(tensor), arrays.read(bias) if bias else None


def _find_bias(path: Path, shapes: Mapping[str, tuple[int, ...]], tensor: str, n_labels: int | None) -> str | None:
    """The array whose name says that it is the bias of `tensor`; None where nothing could be one."""
    layer = re.sub(r"(^|[./_])(weight|kernel|W|w)$", "", tensor)
    its_name = re.compile(rf"{re.escape(layer)}[./_](bias|b)" if layer else "bias|b")
    found = [name for name in shapes if its_name.fullmatch(name)]
    if len(found) == 1:
        return found[0]
    lengths = shapes[tensor] if n_labels is None else (n_labels,)
    fitting = [name for name, shape in shapes.items() if len(shape) == 1 and shape[0] in lengths]
    if fitting:
        raise ValueError(
            f"{path}: the bias of {tensor} may be {', '.join(sorted(fitting)[:3])}{', ...' if fitting[3:] else ''}; "
            'give its name by bias=, or bias="" if there is none'
        )
    return None


def _floats(array: np.ndarray, rank: int, what: str) -> np.ndarray:
    if array.ndim != rank:
        raise ValueError(f"{what} must have {rank} axes; given shape {array.shape}")
    if array.dtype.kind in "iu" and (np.abs(array.astype(np.float64)) <= 2**53).all():
        array = array.astype(np.float64)
    if array.dtype.name not in FLOATS:
        hint = "; NumPy files lose bfloat16: use safetensors or float32" if array.dtype.kind == "V" else ""
        raise ValueError(f"{what} must be {', '.join(FLOATS)} or small integers; given {array.dtype}{hint}")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise ValueError(f"{what} must be finite; {array[tuple(bad[0])]} at index {bad[0].tolist()}")
    return array


def _is_transposed(path: Path, shape: tuple[int, ...], n_labels: int | None, largest_label: int) -> bool:
    first, second = shape
    if n_labels is not None:
        return second == n_labels != first
    if first <= largest_label < second:
        raise ValueError(
            f"{path}: label id {largest_label} is not one of the {first} labels, 0 .. {first - 1}; "
            f"the weight {tuple(shape)} may be stored transposed: say transposed=True if it is"
        )
    return False
