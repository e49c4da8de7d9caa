"""Read a trained layer from a file or a run: weight (n_labels, dim) and bias (n_labels,), at their stored dtype."""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

FLOATS = ("float16", "bfloat16", "float32", "float64")
_PICKLED = "pickled arrays are refused, since reading one can run code; save plain arrays of floats"
_USUAL = (("weight", "bias"), ("W", "b"))  # taken where no tensor is named


def load_weights(
    path: str | Path,
    tensor: str | None = None,
    bias: str | None = None,
    transposed: bool = False,
    n_labels: int | None = None,
    largest_label: int = -1,
) -> tuple[Float[np.ndarray, "labels dim"], Float[np.ndarray, " labels"] | None]:
    """The weight and bias of one layer, from .npy, .npz, .safetensors or a run's folder. Nothing is unpickled.

    Args:
      path: the file, whose suffix gives the format; or a folder that `train.py` wrote.
      tensor: name of the weight in an archive. Default: `weight` (with `bias`, if there) or `W` (with `b`), or the
        only two-dimensional array. Of a run: the name of the head; default: the last.
      bias: name of the bias in the archive; for .npy, the path of another .npy file.
      transposed: the file holds (dim, n_labels), as Flax kernels do. Also noticed without being told where the length
        of the bias, `n_labels` or `largest_label` fits the second axis alone.
      n_labels: number of labels, where something else knows it (a label file's header).
      largest_label: the largest label id in use.

    Raises:
      ValueError: a format, name, dtype or shape that is not understood; a value that is not finite; a pickle.
    """
    path = Path(path)
    if path.is_dir():
        return _read_run(path, tensor)
    if path.suffix not in _READERS:
        raise ValueError(
            f"{path}: weights are read from {', '.join(_READERS)} or a run's folder; given {path.suffix or 'no suffix'}"
        )
    try:
        weight, offset = _READERS[path.suffix](path, tensor, bias)
    except (EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged or truncated: {error}") from error
    weight = _floats(weight, 2, f"{path}: the weight")
    offset = None if offset is None else _floats(offset, 1, f"{path}: the bias")
    weight = _labels_first(weight, offset, transposed, n_labels, largest_label)
    if offset is not None and len(offset) != len(weight):
        raise ValueError(f"{path}: the bias has {len(offset)} values for {len(weight)} labels, weight {weight.shape}")
    return np.ascontiguousarray(weight), offset


def _read_run(path: Path, head_name: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    import jax.numpy as jnp

    from sigfft.training import load_model

    model, params = load_model(path, head_name)
    labels = jnp.arange(model.head.n_labels)
    bias = model.head.bias(params["head"], labels)
    return np.asarray(model.head.rows(params["head"], labels)), None if bias is None else np.asarray(bias)


def _read_npy(path: Path, tensor: str | None, bias: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    if tensor is not None:
        raise ValueError(
            f"{path} holds one unnamed array; drop the tensor name {tensor!r}, or use .npz or .safetensors"
        )
    return _numpy(path), None if bias is None else _numpy(Path(bias))


def _numpy(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        start = file.read(6)
        if start != np.lib.format.MAGIC_PREFIX:
            raise ValueError(f"{path}: {_PICKLED if start[:1] == bytes([128]) else 'not a .npy file'}")
        file.seek(0)
        try:
            return np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            raise ValueError(f"{path}: {_plain(error)}") from error


def _read_npz(path: Path, tensor: str | None, bias: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{path} is not a whole .npz archive: damaged, truncated or of another format")
    with np.load(path, allow_pickle=False) as archive:

        def read(name: str) -> np.ndarray:
            try:
                return archive[name]
            except ValueError as error:
                raise ValueError(f"{path}, {name}: {_plain(error)}") from error

        return _named(path, archive.files, read, tensor, bias)


def _read_safetensors(path: Path, tensor: str | None, bias: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    import ml_dtypes  # noqa: F401  NumPy learns bfloat16 from it
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as archive:
            return _named(path, list(archive.keys()), archive.get_tensor, tensor, bias)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file: {error}") from error


_READERS = {".npy": _read_npy, ".npz": _read_npz, ".safetensors": _read_safetensors}


def _named(
    path: Path, names: list[str], read: Callable[[str], np.ndarray], tensor: str | None, bias: str | None
) -> tuple[np.ndarray, np.ndarray | None]:
    for name in (tensor, bias):
        if name is not None and name not in names:
            raise ValueError(f"{path} has no tensor {name!r}; it has {', '.join(sorted(names))}")
    if tensor is None:
        for usual, its_bias in _USUAL:
            if usual in names:
                tensor, bias = usual, bias or (its_bias if its_bias in names else None)
                break
        else:
            flat = [name for name in names if read(name).ndim == 2]
            if len(flat) != 1:
                raise ValueError(
                    f"{path}: name the weight with --tensor; it has {', '.join(sorted(names)) or 'nothing'}"
                )
            tensor = flat[0]
    return read(tensor), None if bias is None else read(bias)


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


def _labels_first(
    weight: np.ndarray, bias: np.ndarray | None, transposed: bool, n_labels: int | None, largest_label: int
) -> np.ndarray:
    if transposed:
        return weight.T
    known = n_labels if bias is None else len(bias)
    first, second = weight.shape
    fits_second = second == known if known is not None else largest_label < second
    fits_first = first == known if known is not None else largest_label < first
    return weight.T if fits_second and not fits_first else weight


def _plain(error: ValueError) -> str:
    return _PICKLED if "pickle" in str(error) else f"damaged or truncated: {error}"
