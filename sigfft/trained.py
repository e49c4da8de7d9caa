"""Trained layers wherever they are stored: in a run's folder, in a head's file, or as arrays of any framework."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from sigfft.files import layers
from sigfft.files.names import read_names
from sigfft.heads import Head, Params, load_head, stored_layer


def load_weights(
    path: str | Path,
    tensor: str | None = None,
    bias: str | None = None,
    transposed: bool = False,
    n_labels: int | None = None,
    largest_label: int = -1,
) -> tuple[Float[np.ndarray, "labels dim"], Float[np.ndarray, " labels"] | None]:
    """The weight (n_labels, dim) and bias (n_labels,) of a trained layer, as `sigfft check --weights` reads them.

    Args:
      path: a .npy, .npz or .safetensors file, of which nothing is unpickled; a file that `sigfft.save_head` wrote; or a
        folder that `train.py` wrote. Of a head come the rows that it makes.
      tensor: name of the weight in an archive, by default `weight`, `W` or `kernel`, or the only two-dimensional array;
        of a run, name of the head, by default the last one.
      bias: name of the bias in an archive; for .npy, the path of another .npy file; "": there is none. Default: the
        array that its name says is the bias.
      transposed: the file holds (dim, n_labels), as Flax kernels do; what is returned is (n_labels, dim).
      n_labels: number of labels, where something else knows it: a weight that it fits transposed alone is transposed.
      largest_label: the largest label id in use, where it is known.

    Raises:
      ValueError: a format, name, dtype or shape that is not understood, or a value that is not finite; arrays of which
        it is not clear what they are; or an argument that a head answers itself.
    """
    path = Path(path)
    if path.is_dir() or layers.holds_head(path):
        _refuse(f"{path} is {_kind(path)}", bias=bias, transposed=transposed)
        return stored_layer(*load_trained_head(path, tensor))
    return layers.load_weights(path, tensor, bias, transposed, n_labels, largest_label)


def load_trained_head(path: str | Path, tensor: str | None = None) -> tuple[Head, Params]:
    """The head of a run's folder, by its name there or the last one, or of a file that `sigfft.save_head` wrote.

    Raises:
      ValueError: as `load_head` and `training.load_model`; or the file holds no head, but perhaps a weight.
    """
    path = Path(path)
    if path.is_dir():
        from sigfft.training import load_model  # seconds, which a file need not wait for

        model, params = load_model(path, tensor)
        return model.head, params["head"]
    if not layers.holds_head(path):
        raise ValueError(
            f"{path} holds no head, and so no projection of features: a run's folder or a head's file does"
        )
    _refuse(f"{path} is {_kind(path)}", tensor=tensor)
    return load_head(path)


def load_label_names(path: str | Path) -> tuple[str, ...] | None:
    """The names of labels that a run's folder keeps, None if it keeps none; or those of a file, one a line.

    Raises:
      ValueError: the file is no text, or the run's is damaged.
    """
    path = Path(path)
    if not path.is_dir():
        return read_names(path)
    from sigfft.training.workdir import Workdir

    names = Workdir(path).label_names()
    return None if names is None else tuple(names)


def _kind(path: Path) -> str:
    return "a run's folder" if path.is_dir() else "a head that sigfft wrote"


def _refuse(what: str, **options: str | bool | None) -> None:
    given = [f"{name}=" for name, value in options.items() if value not in (None, False)]
    if given:
        raise ValueError(f"{what}, which knows its weight and bias; leave out {', '.join(given)}")
