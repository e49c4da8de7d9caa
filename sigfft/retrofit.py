"""Give a trained output layer the guarantee, without changing what it computes."""

import json
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from jaxtyping import Float
from safetensors import SafetensorError, safe_open

from sigfft import heads
from sigfft.files import replacing
from sigfft.heads import Head, Params, retrofit_head


def retrofit(
    weight: Float[np.ndarray, "labels dim"],
    bias: Float[np.ndarray, " labels"] | None,
    max_cardinality: int,
    *,
    spread: int = 0,
    n_fft: int | None = None,
    order: Sequence[int] | None = None,
    extra_features: int = 0,
) -> tuple[Head, Params]:
    """A head with the logits of the given layer, that can output every set of up to k labels once fine-tuned.

    Cyclic and spread columns are appended to W, and their projection starts at zero. `sigfft.plan` says which spread
    lets the guarantee survive floating point; `sigfft.check` of the old layer and `sigfft.check_head` of the new one
    say what it buys. See `sigfft.retrofit_head` for what z is, and for when inputs can reach all of it.

    Args:
      weight: (n_labels, dim), of any framework; a Flax kernel is its transpose.
      bias: (n_labels,) or None.
      max_cardinality: k.
      spread: as `sigfft.dft_head`.
      n_fft: as `sigfft.dft_head`.
      order: as `sigfft.dft_head`.
      extra_features: as `sigfft.retrofit_head`.

    Returns:
      The head and its parameters, float32 as every head's.

    Raises:
      ValueError: shapes that do not fit, values that are not finite in float32, or sizes that cannot be.
    """
    weight, bias = np.asarray(weight), None if bias is None else np.asarray(bias)
    if weight.ndim != 2 or not weight.size:
        raise ValueError(f"weight must be (n_labels, dim), both at least 1; given shape {weight.shape}")
    n_labels, dim = weight.shape
    if bias is not None and bias.shape != (n_labels,):
        hint = "; is the weight transposed?" if bias.shape == (dim,) else ""
        raise ValueError(f"bias must be (n_labels,) = ({n_labels},); given shape {bias.shape}{hint}")
    head = retrofit_head(
        n_labels,
        dim,
        max_cardinality,
        spread=spread,
        n_fft=n_fft,
        order=order,
        bias=bias is not None,
        extra_features=extra_features,
    )
    params = {
        "projection_kernel": jnp.zeros((head.feature_dim, head.dim - dim), jnp.float32),
        "projection_bias": jnp.zeros((head.dim - dim,), jnp.float32),
        "weight": _float32(weight, "weight"),
    }
    return head, params if bias is None else params | {"bias": _float32(bias, "bias")}


def save_head(path: str | Path, head: Head, params: Params) -> None:
    """Write a head to a .safetensors file: its parameters by name, its kind and arguments as metadata."""
    metadata = {"kind": head.kind, "arguments": json.dumps(dict(head.arguments))}
    with replacing(path) as part:
        safetensors.numpy.save_file({name: np.asarray(value) for name, value in params.items()}, part, metadata)


def load_head(path: str | Path) -> tuple[Head, Params]:
    """Read what `save_head` wrote.

    Raises:
      ValueError: the file is no safetensors file, or names no head of this package.
    """
    try:
        with safe_open(path, framework="numpy") as archive:
            metadata = archive.metadata() or {}
            params = {name: jnp.asarray(archive.get_tensor(name)) for name in archive.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file: {error}") from error
    try:
        head = heads.make(metadata["kind"], json.loads(metadata["arguments"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} holds tensors but no head ({error}): expected a file that sigfft.save_head wrote"
        ) from error
    given, expected = _shapes(params), _shapes(jax.eval_shape(head.init, jax.random.key(0)))
    if given != expected:
        raise ValueError(f"{path} holds {given}; expected the parameters of its {head.kind} head, {expected}")
    return head, params


def _shapes(params: Params) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in params.items()}


def _float32(array: np.ndarray, name: str) -> jnp.ndarray:
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(
            f"{name} must be finite in float32; index {np.argwhere(~np.isfinite(values))[0].tolist()} is not"
        )
    return jnp.asarray(values)
