"""Heads in files: a head from its kind and arguments, and its parameters beside them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy

from sigfft.files import replacing
from sigfft.files.arrays import open_arrays
from sigfft.files.documents import parsed
from sigfft.heads.bottleneck import BottleneckHead
from sigfft.heads.dft import DFTHead
from sigfft.heads.head import Head, Params
from sigfft.heads.retrofitted import RetrofitHead
from sigfft.heads.sigmoid import SigmoidHead

KINDS: dict[str, type[Head]] = {kind.kind: kind for kind in (BottleneckHead, DFTHead, RetrofitHead, SigmoidHead)}
_RENAMED = {"retrofit": {"dim": "old_dim", "bias": "has_bias"}}  # arguments in files of before 0.1


def make(kind: str, arguments: Mapping[str, Any]) -> Head:
    """The head whose `kind` and `arguments` these are, as `save_head` and runs store them.

    Files of before 0.1 may say `n_fft` null, which meant n_labels then.

    Raises:
      ValueError: an unknown kind, or arguments that the head of this kind does not take.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of head {kind!r}; the kinds are {', '.join(KINDS)}")
    given = {_RENAMED.get(kind, {}).get(name, name): value for name, value in arguments.items()}
    if given.get("n_fft", 0) is None:
        given["n_fft"] = given["n_labels"]
    try:
        return KINDS[kind](**given)
    except TypeError as error:
        raise ValueError(f"a {kind} head cannot be made from {dict(arguments)}: {error}") from error


def save_head(path: str | Path, head: Head, params: Params) -> None:
    """Write a head to a .safetensors file: its parameters by name, its kind and arguments as metadata.

    Raises:
      ValueError: these are not the parameters of the head, such as those without what Linen has in "given".
      OSError: nothing can be written there, or the disk is full; there is no part of a file then.
    """
    if (given := _shapes(params)) != (expected := _shapes(jax.eval_shape(head.init, jax.random.key(0)))):
        raise ValueError(f"a {head.kind} head has the parameters {expected}; given {given}")
    metadata = {"kind": head.kind, "arguments": json.dumps(head.arguments, default=float)}
    arrays = {name: np.asarray(value, order="C") for name, value in params.items()}  # safetensors reads no strides
    with replacing(path) as part:
        part.write_bytes(safetensors.numpy.save(arrays, metadata))  # save_file raises no OSError where a disk is full


def load_head(path: str | Path) -> tuple[Head, Params]:
    """Read what `save_head` wrote.

    Raises:
      ValueError: the file is no safetensors file, or names no head of this package.
    """
    with open_arrays(Path(path)) as arrays:
        metadata, params = arrays.metadata, {name: jnp.asarray(arrays.read(name)) for name in arrays.shapes}
    try:
        head = make(metadata["kind"], parsed(metadata["arguments"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} holds tensors but no head ({error}): expected a file that sigfft.save_head wrote"
        ) from error
    given, expected = _shapes(params), _shapes(jax.eval_shape(head.init, jax.random.key(0)))
    if given != expected:
        raise ValueError(f"{path} holds {given}; expected the parameters of its {head.kind} head, {expected}")
    return head, params


def _shapes(params: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in params.items()}
