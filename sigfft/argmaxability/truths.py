"""Three truths about a head's label sets: of real numbers, of its stored weights, of the forward pass that serves it.

A closed form holds for real numbers; rounding W to float32 can undo it, and rounding inside the forward pass can undo
what the stored weights still allow. Each is decided by itself.
"""

from dataclasses import dataclass, fields
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from sigfft import labels as label_sets
from sigfft.argmaxability import cyclic, search, splitting
from sigfft.argmaxability.report import Report
from sigfft.argmaxability.system import homogenize
from sigfft.heads import Head, Params, stored_layer

DTYPES = ("float32", "bfloat16", "float16")
_LARGEST = 1024.0  # of an activation: far from float16's overflow, and its logits far from underflow
_SCALES = 2.0 ** (np.arange(8) / 8)  # each rounds the same direction differently
_ENOUGH = 2.0**-5  # bfloat16 moves a unit z by 2**-10 or so, a logit by that / √dim: some 30 standard deviations
_LOGITS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class HeadReport(Report):
    """A report on the head's stored weights, with the closed form and the forward pass beside it.

    `save` writes what is proved: the verdicts on the stored weights.

    Attributes:
      ideal: (m,) the closed form. "undecided" where it says nothing: heads without a guarantee, or sets beyond it.
      deployed: (m,) "argmaxable" where an activation in `dtype`, run through the jitted `head.decode` in a batch on
        the default device, yields exactly the set. Otherwise "undecided": none was found, and none is ruled out.
      dtype: of the activations and logits of that forward pass.
    """

    ideal: np.ndarray
    deployed: np.ndarray
    dtype: str

    @property
    def stored(self) -> np.ndarray:
        """(m,) what is proved of the weights as stored: `status`."""
        return self.status

    def truths(self) -> str:
        """How many sets are argmaxable in each sense, by cardinality."""
        cardinality = label_sets.cardinality(self.label_sets, self.layer.n_labels)
        lines = [f"{'labels':>8} {'sets':>9} {'ideal':>9} {'stored':>9} {'deployed':>9}  {self.dtype}"]
        for k in [*np.unique(cardinality).tolist(), None]:
            chosen = np.ones(len(self), bool) if k is None else cardinality == k
            counts = [int((t[chosen] == "argmaxable").sum()) for t in (self.ideal, self.stored, self.deployed)]
            lines.append(f"{'all' if k is None else k:>8} {chosen.sum():>9} " + " ".join(f"{c:>9}" for c in counts))
        return "\n".join(lines)


def head_report(head: Head, params: Params, report: Report, dtype: str = "float32") -> HeadReport:
    """A report on a head's rows, completed by the closed form and by the forward pass.

    The witnesses of the report are tried first; a set that they do not reproduce gets an activation of larger margin,
    unless it is proved unargmaxable.

    Args:
      head: the head.
      params: its parameters.
      report: of `check` on its rows and bias.
      dtype: "float32", "bfloat16" or "float16".

    Raises:
      ValueError: another dtype.
    """
    rule, padded = report.layer.rule, report.label_sets
    z = np.full((len(padded), head.dim), np.nan)
    for i, witness in enumerate(report.witness):
        if witness is not None:
            z[i] = witness
    done = reproduced(head, params, z, padded, rule, dtype)
    open_sets, inverse, _ = label_sets.dedupe(padded[~done & (report.status != "unargmaxable")])
    done[~done & (report.status != "unargmaxable")] = deployed(head, params, open_sets, rule, dtype)[inverse]
    given = {field.name: getattr(report, field.name) for field in fields(Report)}
    return HeadReport(**given, ideal=ideal(head, padded), deployed=_status(done), dtype=dtype)


def ideal(head: Head, padded: Int[np.ndarray, "sets width"]) -> np.ndarray:
    """(m,) statuses in real arithmetic, from the alternation rule on the head's circle of labels.

    A set of at most k labels changes sign at most 2k times around the circle, and is argmaxable. Beyond 2k changes
    it is unargmaxable if W has no other columns, and left open if it has. Holds for every decision rule.
    """
    if head.circle is None:
        return np.full(len(padded), "undecided", dtype="<U12")
    n, points = head.n_labels, head.circle.points
    if points is not None:
        place = np.append(np.argsort(np.argsort(points)), n)
        padded = np.sort(place[padded], axis=1)
    possible = cyclic.argmaxable(padded, n, head.circle.max_frequency)
    return np.where(possible, "argmaxable", "unargmaxable" if head.circle.alone else "undecided").astype("<U12")


def deployed(
    head: Head,
    params: Params,
    padded: Int[np.ndarray, "sets width"],
    rule: str = "threshold",
    dtype: str = "float32",
    *,
    thorough: bool = False,
) -> Bool[np.ndarray, " sets"]:
    """Whether an activation that `splitting.widen` finds is reproduced; see `reproduced`.

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
    head: Head, params: Params, padded: Int[np.ndarray, "sets width"], rule: str = "threshold"
) -> Float[np.ndarray, "sets dim"]:
    """Activations of margins that survive rounding to bfloat16, or the largest that a quick search finds; else NaN."""
    z, margin = splitting.widen(head, params, padded, rule, enough=_ENOUGH / head.dim**0.5)
    z[margin <= 0] = np.nan
    return z


def search_rows(
    head: Head, params: Params, padded: Int[np.ndarray, "sets width"], rule: str
) -> Float[np.ndarray, "sets dim"]:
    """Activations by the search of `check` on the stored rows, without its linear programs; NaN where it finds none."""
    if not len(padded):
        return np.zeros((0, head.dim))
    system = homogenize(*stored_layer(head, params), rule)
    found = search.search(system, search.Basis.of(system), padded)
    z = system.witness(np.stack([f.solution for f in found]))
    z[[f.lower <= 0 for f in found]] = np.nan
    return z


def reproduced(
    head: Head,
    params: Params,
    z: Float[np.ndarray, "sets dim"],
    padded: Int[np.ndarray, "sets width"],
    rule: str = "threshold",
    dtype: str = "float32",
) -> Bool[np.ndarray, " sets"]:
    """Whether activations, scaled and cast to `dtype`, yield exactly their sets in the forward pass that serves them.

    The pass is `head.decode`, jitted, on a batch, on the default device. Without a bias the scale of an activation is
    free, and some are tried; with a bias it is kept. NaN is never reproduced.

    Raises:
      ValueError: an unknown dtype.
    """
    check_dtype(dtype)
    done = np.zeros(len(padded), bool)
    free = head.bias(params, jnp.zeros(1, jnp.int32)) is None
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
            yields = _yields(head, params, cast, jnp.asarray(padded[batch]), rule)
            done[at] = np.asarray(yields)[: len(at)]
    return done


@partial(jax.jit, static_argnames=("head", "rule"))
def _yields(
    head: Head, params: Params, z: Float[Array, "sets dim"], padded: Int[Array, "sets width"], rule: str
) -> Bool[Array, " sets"]:
    logits = head.decode(params, z)
    active = padded < head.n_labels
    own = jnp.take_along_axis(logits, jnp.where(active, padded, 0), axis=1)
    number = ~jnp.isnan(logits).any(axis=1)
    if rule == "threshold":
        right = jnp.where(active, own > 0, True).all(axis=1) & ((logits > 0).sum(axis=1) == active.sum(axis=1))
        return right & number
    lowest = jnp.where(active, own, jnp.inf).min(axis=1)
    others = logits.at[jnp.arange(len(padded))[:, None], padded].set(-jnp.inf, mode="drop")
    return (lowest > others.max(axis=1)) & number


def _status(argmaxable: Bool[np.ndarray, " sets"]) -> np.ndarray:
    return np.where(argmaxable, "argmaxable", "undecided").astype("<U12")


def check_dtype(dtype: str) -> None:
    """Raise ValueError unless `dtype` is one of DTYPES."""
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}; given {dtype!r}")
