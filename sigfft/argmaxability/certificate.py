"""The proofs: which witnesses and certificates are true, and whether a file of verdicts is. No solver is imported."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from threadpoolctl import threadpool_limits

from sigfft import labels as label_sets
from sigfft.argmaxability import exact
from sigfft.argmaxability.lines import STATUSES, missing, parse

PROOFS = {"argmaxable": "witness", "unargmaxable": "certificate"}
_BATCH = 1024  # verdicts proved at a time


class VerificationError(ValueError):
    """A verdict file holds a claim that is false, unproved, damaged, or about other weights."""


@dataclass(frozen=True)
class Certificate:
    """Labels and positive multipliers y with Σ y_i s_i row_i = 0: no activation satisfies these labels at once.

    The rows are the stored ones, augmented by the rule; the id `n_labels` is the row that makes the bias count 1 > 0.
    """

    labels: tuple[int, ...]
    multipliers: tuple[float, ...]


def array_digest(array: np.ndarray) -> dict:
    """Name an array by its content: dtype, shape, and the SHA-256 of its C-order little-endian bytes."""
    raw = array.byteswap() if array.dtype.str[0] == ">" else array
    return {"dtype": array.dtype.name, "shape": list(array.shape), "sha256": hashlib.sha256(raw.tobytes()).hexdigest()}


def proves_witness(
    weight: np.ndarray, bias: np.ndarray | None, rule: str, labels: Sequence[int], witness: np.ndarray
) -> bool:
    """Whether the activation `witness` yields exactly `labels`; see `proves_witnesses`."""
    padded = np.append(np.asarray(labels, np.int64), len(weight))[None]
    return bool(proves_witnesses(weight, bias, rule, padded, np.asarray(witness)[None])[0])


def proves_witnesses(
    weight: Float[np.ndarray, "labels dim"],
    bias: Float[np.ndarray, " labels"] | None,
    rule: str,
    padded: Int[np.ndarray, "sets width"],
    witnesses: Float[np.ndarray, "sets dim"],
) -> Bool[np.ndarray, " sets"]:
    """Whether each activation yields exactly its label set: every inequality of the rule strictly, ties excluded.

    threshold: s_i (w_i·z + b_i) > 0; a label with zero weight and bias is off. top_k and argmax: every active
    logit exceeds every inactive one. Decided exactly on the stored values.

    Raises:
      ValueError: shapes or dtypes do not fit, a weight is not finite, or an argmax set has not exactly one label.
    """
    exact.check_layer(weight, bias)
    exact.check_rule(rule, padded, len(weight))
    rows = exact.system_rows(weight, bias, "threshold", np.arange(len(weight)))
    z = exact.exact64(witnesses, "witnesses")
    if z.shape != (len(padded), weight.shape[1]):
        raise ValueError(f"witnesses must be (sets, dim) = {(len(padded), weight.shape[1])}; given {z.shape}")
    if bias is not None:
        z = np.column_stack([z, np.ones(len(z))])
    holds = exact.signs_hold if rule == "threshold" else exact.separates
    proved = np.isfinite(z).all(axis=1)
    step = max(1, (1 << 22) // len(rows))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        rounding = exact.rounding(rows)
        for start in range(0, len(padded), step):
            logits = z[start : start + step] @ rows.T
            for j, values in enumerate(logits, start):
                active = padded[j][padded[j] < len(rows)]
                proved[j] = proved[j] and holds(rows, z[j], active, values, rounding * exact.length(z[j]))
    return proved


def proves_certificate(
    weight: np.ndarray, bias: np.ndarray | None, rule: str, labels: Sequence[int], certificate: Certificate
) -> bool:
    """Whether `certificate` proves that no activation yields `labels`; see `proves_certificates`."""
    padded = np.append(np.asarray(labels, np.int64), len(weight))[None]
    return bool(proves_certificates(weight, bias, rule, padded, [certificate])[0])


def proves_certificates(
    weight: Float[np.ndarray, "labels dim"],
    bias: Float[np.ndarray, " labels"] | None,
    rule: str,
    padded: Int[np.ndarray, "sets width"],
    certificates: Sequence[Certificate],
) -> Bool[np.ndarray, " sets"]:
    """Whether exact positive multipliers with Σ y_i s_i row_i = 0 exist on the labels of each certificate.

    A support has at most D + 1 labels, D the width of an augmented row. The stored multipliers are floats near the
    exact ones; see `exact.cancels_verified` (tried first where there are D + 1) and `exact.cancels_exactly`.

    Raises:
      ValueError: as `proves_witnesses`.

    Reference: Gordan's theorem of the alternative; the support's size by Carathéodory's theorem.
    """
    exact.check_layer(weight, bias)
    exact.check_rule(rule, padded, len(weight))
    proved = np.zeros(len(padded), bool)
    for i, certificate in enumerate(certificates):
        ids, y = np.asarray(certificate.labels), np.asarray(certificate.multipliers, np.float64)
        if not _well_formed(ids, y, len(weight) + (bias is not None)):
            continue
        active = np.isin(ids, padded[i]) | (ids == len(weight))
        rows = exact.system_rows(weight, bias, rule, ids) * np.where(active, 1.0, -1.0)[:, None]
        if len(ids) <= rows.shape[1] + 1 and (active | rows.any(axis=1)).all():  # an inactive zero row asks nothing
            proved[i] = exact.cancels_verified(rows, y) or exact.cancels_exactly(rows, y)
    return proved


@threadpool_limits.wrap(limits=1, user_api="blas")  # threads that wait for each other slow small inverses 20-fold
def verify(path: str | Path, weight: np.ndarray, bias: np.ndarray | None = None) -> dict[str, int]:
    """Prove every verdict of a file that `Report.save` wrote, against the weights it claims to be about.

    Margins are not proved, but must agree with the status. Returns how many verdicts there are of each status.

    Raises:
      VerificationError: the first claim that is false, unproved or damaged, with its line number; or lines are missing.
      ValueError: weight and bias do not fit each other.
    """
    weight, bias = np.asarray(weight), None if bias is None else np.asarray(bias)
    exact.check_layer(weight, bias)
    digests = {"weight": array_digest(weight), "bias": None if bias is None else array_digest(bias)}
    about = {"n_labels": len(weight), "dim": weight.shape[1], **digests}
    counts, batch, declared = dict.fromkeys(STATUSES, 0), [], Counter[int | None]()
    with open(path, encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            try:
                batch.append((number, _read(line, about)))
            except ValueError as error:
                _prove(path, batch, weight, bias)  # an earlier false claim comes first
                raise VerificationError(f"{path}, line {number}: {error}") from error
            counts[batch[-1][1]["status"]] += 1
            declared[batch[-1][1].get("sets")] += 1
            if len(batch) == _BATCH:
                _prove(path, batch, weight, bias)
                batch = []
    _prove(path, batch, weight, bias)
    if missing(declared):
        raise VerificationError(f"{path} {missing(declared)}")
    return counts


def _well_formed(ids: np.ndarray, y: Float[np.ndarray, " support"], n_ids: int) -> bool:
    if ids.ndim != 1 or ids.shape != y.shape or not len(ids) or ids.dtype.kind not in "iu":
        return False
    inside = len(np.unique(ids)) == len(ids) and ids.min() >= 0 and ids.max() < n_ids
    return bool(inside and y.min() > 0 and y.max() < np.inf)


def _read(line: str, about: dict) -> dict:
    """One verdict, if it is whole, about these weights, and not at odds with itself; ValueError if not."""
    verdict = parse(line)
    for name, value in about.items():
        if verdict[name] != value:
            raise ValueError(f"{name} is {verdict[name]}, but {value} was given: the verdict is about other weights")
    status, (low, high) = verdict["status"], verdict["margin"]
    consistent = {"argmaxable": high > 0, "unargmaxable": low <= 0, "undecided": low <= 0 <= high}
    if not (low <= high and consistent[status]):
        raise ValueError(f"the margin [{low}, {high}] contradicts the status {status!r}")
    exact.check_rule(verdict["rule"], label_sets.pad([verdict["labels"]], about["n_labels"]), about["n_labels"])
    if status != "undecided" and not verdict[PROOFS[status]]:
        raise ValueError(f"{status} without a {PROOFS[status]}")
    if status == "argmaxable":
        verdict["witness"] = np.asarray(verdict["witness"], np.float64).reshape(about["dim"])
    if status == "unargmaxable":
        labels, multipliers = (tuple(verdict["certificate"][name]) for name in ("labels", "multipliers"))
        verdict["certificate"] = Certificate(labels, tuple(map(float, multipliers)))
    return verdict


def _prove(path: str | Path, batch: list[tuple[int, dict]], weight: np.ndarray, bias: np.ndarray | None) -> None:
    """Raise on the first verdict of the batch whose witness or certificate does not prove its status."""
    false = []
    for rule, status in {(v["rule"], v["status"]) for _, v in batch if v["status"] in PROOFS}:
        numbers, same = zip(*[(i, v) for i, v in batch if (v["rule"], v["status"]) == (rule, status)], strict=True)
        padded, proofs = label_sets.pad([v["labels"] for v in same], len(weight)), [v[PROOFS[status]] for v in same]
        if status == "argmaxable":
            proved = proves_witnesses(weight, bias, rule, padded, np.stack(proofs))
        else:
            proved = proves_certificates(weight, bias, rule, padded, proofs)
        false += [(numbers[i], PROOFS[status]) for i in np.flatnonzero(~proved)]
    if false:
        raise VerificationError(f"{path}, line {min(false)[0]}: the {min(false)[1]} does not prove the status")
