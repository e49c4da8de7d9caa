"""Trained layers wherever they are stored: in a run's folder, in a head's file, or as arrays of any framework."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sigfft.files.layers import holds_head, load_weights
from sigfft.heads import Head, Params, load_head, stored_layer


def load_layer(
    path: str | Path, tensor: str | None = None, bias: str | None = None, transposed: bool = False, **known: Any
) -> tuple[Float[np.ndarray, "labels dim"], Float[np.ndarray, " labels"] | None]:
    """The weight and bias of a trained layer: those stored, or those that a head makes.

    `path` is a folder that `train.py` wrote, a file that `sigfft.save_head` wrote, or any file of `load_weights`, whose
    other arguments these are: `known` may be `n_labels` and `largest_label`. Of a run, `tensor` names the head, by
    default the last one.

    Raises:
      ValueError: as `load_weights`, `load_head` and `training.load_model`; or an argument that a head answers itself.
    """
    path = Path(path)
    if path.is_dir() or holds_head(path):
        _refuse(f"{path} is {_kind(path)}", bias=bias, transposed=transposed)
        return stored_layer(*load_trained_head(path, tensor))
    return load_weights(path, tensor, bias, transposed, **known)


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
    if not holds_head(path):
        raise ValueError(
            f"{path} holds no head, and so no projection of features: a run's folder or a head's file does"
        )
    _refuse(f"{path} is {_kind(path)}", tensor=tensor)
    return load_head(path)


def _kind(path: Path) -> str:
    return "a run's folder" if path.is_dir() else "a head that sigfft wrote"


def _refuse(what: str, **options: str | bool | None) -> None:
    given = [f"{name}=" for name, value in options.items() if value not in (None, False)]
    if given:
        raise ValueError(f"{what}, which knows its weight and bias; leave out {', '.join(given)}")
