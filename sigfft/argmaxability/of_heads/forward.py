"""The forward pass that serves a head: which label sets an activation in its dtype yields there."""

from functools import partial
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.of_heads import admm
from sigfft.argmaxability.rules import Rule, named
from sigfft.argmaxability.search.basis import Basis
from sigfft.argmaxability.search.system import System
from sigfft.argmaxability.search.working_set import search
from sigfft.heads import Head, Params, stored_layer

DtypeName = Literal["float32", "bfloat16", "float16"]
DTYPES = get_args(DtypeName)
_LARGEST = 1024.0  # of an activation: far from float16's overflow, and its logits far from underflow
_SCALES = 2.0 ** (np.arange(8) / 8)  # each rounds the same direction differently
_ENOUGH = 2.0**-5  # bfloat16 moves a unit z by 2**-10 or so, a logit by that / √dim: some 30 standard deviations
_LOGITS_AT_ONCE = 1 << 22


def deployed(
    head: Head,
    params: Params,
    padded: Int[np.ndarray, "sets width"],
    rule: str | Rule = "threshold",
    dtype: str = "float32",
    *,
    thorough: bool = False,
) -> Bool[np.ndarray, " sets"]:
    """Whether an activation that `admm.widen` finds is reproduced; see `reproduced`.

    Args:
      head: any head.
      params: its parameters.
      padded: label sets.
      rule: as `check`.
      dtype: "float32", "bfloat16" or "float16".
      thorough: search the sets that are left by Newton's method on the rows, as `check` does. It finds smaller margins,
        holds W three times in float64, and takes seconds for each such set of a large layer.
    """
    check_dtype(dtype)
    z = proposed(head, params, padded, rule)
    done = reproduced(head, params, z, padded, rule, dtype)
    if thorough and not done.all():
        left = np.flatnonzero(~done)
        done[left] = reproduced(head, params, search_rows(head, params, padded[left], rule), padded[left], rule, dtype)
    return done


def proposed(
    head: Head, params: Params, padded: Int[np.ndarray, "sets width"], rule: str | Rule = "threshold"
) -> Float[np.ndarray, "sets dim"]:
    """Activations of margins that survive rounding to bfloat16, or the largest that a quick search finds; else NaN."""
    z, margin = admm.widen(head, params, padded, rule, enough=_ENOUGH / head.dim**0.5)
    z[margin <= 0] = np.nan
    return z


def search_rows(
    head: Head, params: Params, padded: Int[np.ndarray, "sets width"], rule: str | Rule
) -> Float[np.ndarray, "sets dim"]:
    """Activations by the search of `check` on the stored rows, without its linear programs; NaN where it finds none."""
    if not len(padded):
        return np.zeros((0, head.dim))
    system = System.of(Layer.of(*stored_layer(head, params), rule))
    found = search(system, Basis.of(system), padded)
    z = system.witness(np.stack([f.solution for f in found]))
    z[[f.lower <= 0 for f in found]] = np.nan
    return z


def reproduced(
    head: Head,
    params: Params,
    z: Float[np.ndarray, "sets dim"],
    padded: Int[np.ndarray, "sets width"],
    rule: str | Rule = "threshold",
    dtype: str = "float32",
    *,
    features: bool = False,
) -> Bool[np.ndarray, " sets"]:
    """Whether activations, scaled and cast to `dtype`, yield exactly their sets in the forward pass that serves them.

    The pass is `head.decode`, jitted, on a batch, on the default device; for `features` in the place of activations it
    is `head.logits`. Without a bias the scale of an activation is free, and some are tried; with a bias it is kept, and
    so is that of features. NaN is never reproduced.

    Raises:
      ValueError: an unknown dtype.
    """
    check_dtype(dtype)
    done = np.zeros(len(padded), bool)
    free = not features and head.bias(params, jnp.zeros(1, jnp.int32)) is None
    finite = np.isfinite(z).all(axis=1)
    size = max(1, min(len(padded), _LOGITS_AT_ONCE // head.n_labels))
    for scale in _SCALES if free else (1.0,):
        left = np.flatnonzero(finite & ~done)
        for start in range(0, len(left), size):
            at = left[start : start + size]
            batch = np.resize(at, size)  # one shape: compiled once
            largest = np.maximum(np.abs(z[batch]).max(axis=1, keepdims=True), 1e-300)
            values = z[batch] * (scale * _LARGEST / largest if free else 1.0)
            with np.errstate(over="ignore"):  # beyond the largest float16: infinite, and not reproduced
                cast = jnp.asarray(values.astype(dtype))
            yields = _yields(head, params, cast, jnp.asarray(padded[batch]), named(rule), features)
            done[at] = np.asarray(yields)[: len(at)]
    return done


@partial(jax.jit, static_argnames=("head", "rule", "features"))
def _yields(
    head: Head,
    params: Params,
    x: Float[Array, "sets size"],
    padded: Int[Array, "sets width"],
    rule: Rule,
    features: bool,
) -> Bool[Array, " sets"]:
    return rule.yields((head.logits if features else head.decode)(params, x), padded)


def check_dtype(dtype: str) -> None:
    """Raise ValueError unless `dtype` is one of DTYPES."""
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}; given {dtype!r}")
