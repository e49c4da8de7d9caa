"""Verification of a file of verdicts: every claim proved again, exactly and without a solver."""

import json
import reprlib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Array, Float
from threadpoolctl import threadpool_limits

from sigfft import labels
from sigfft.argmaxability.layer import Layer, array_digest, layout_hint
from sigfft.argmaxability.proofs.certificate import proves_certificates
from sigfft.argmaxability.proofs.verdicts import STATUSES, Line, VerificationError, read_lines
from sigfft.argmaxability.proofs.witness import proves_witnesses
from sigfft.argmaxability.rules import named
from sigfft.domains import domain_of
from sigfft.projection import Projection

PROOFS = {"argmaxable": "witness", "unargmaxable": "certificate"}


@threadpool_limits.wrap(limits=1, user_api="blas")  # threads that wait for each other slow small inverses 20-fold
def verify(
    path: str | Path,
    weight: Float[np.ndarray | Array, "_labels _dim"],
    bias: Float[np.ndarray | Array, " labels"] | None = None,
    label_sets: labels.LabelSets | None = None,
    *,
    projection: Projection | None = None,
    transposed: bool = False,
    batch_size: int | np.integer = 1024,
) -> dict[str, int]:
    """Prove every verdict of a file that `Report.save` wrote, against the weights it claims to be about.

    Margins are not proved, but must agree with the status. A certificate's multipliers must be near exact ones: see
    `Certificate`.

    Args:
      path: the file.
      weight: (n_labels, dim), or (dim, n_labels) if transposed.
      bias: (n_labels,) or None.
      label_sets: sets that must each have a verdict in the file, whatever its status; as `check`. In any order, and
        the file may hold verdicts on other sets. None: the file alone says what it is about.
      projection: that of the head, where the verdicts are about features.
      transposed: the weight is a kernel (dim, n_labels), as Flax stores it.
      batch_size: verdicts proved at a time.

    Returns:
      How many verdicts there are of each status.

    Raises:
      VerificationError: the first claim that is false, unproved or damaged, with its line number; or lines are
        missing; or one of the label sets has no verdict.
      ValueError: weight and bias do not fit each other, or ids of the label sets are out of range.
    """
    layer = Layer.of(weight, bias, projection=projection, transposed=transposed)
    asked = [] if label_sets is None else labels.unpack(layer.pad(label_sets), layer.n_labels)
    decided: set[tuple[int, ...]] = set()
    counts: dict[str, int] = dict.fromkeys(STATUSES, 0)
    batch: list[tuple[int, Line]] = []
    try:
        for number, line in read_lines(path, lambda line: _check(line, layer)):
            counts[line.verdict.status] += 1
            if asked:
                decided.add(tuple(sorted(line.labels)))
            batch.append((number, line))
            if len(batch) == batch_size:
                full, batch = batch, []
                _prove(path, full, layer)
    finally:  # where a line was refused, an earlier false claim comes first
        _prove(path, batch, layer)
    for i, ids in enumerate(asked):
        if tuple(sorted(ids)) not in decided:
            raise VerificationError(f"{path} has no verdict on set {i} of the label sets, {reprlib.repr(ids)}")
    return counts


def _check(line: Line, layer: Layer) -> None:
    """Raise ValueError unless a verdict is about this weight and bias, and not at odds with itself."""
    for name in ("projection", "n_labels", "dim", "weight", "bias"):  # one file may hold several rules and domains
        claimed, given = getattr(line.layer, name), getattr(layer.digest, name)
        if name == "projection" and (claimed is None) != (given is None):
            which = (
                ("features of a head: give", "--features") if given is None else ("z: leave out", "without --features")
            )
            raise ValueError(f"the verdict is about {which[0]} projection= (on the command line: {which[1]})")
        if claimed != given:
            swapped = line.layer.weight == array_digest(layer.weight.T)
            hint = f"; {layout_hint(layer.transposed)}" if swapped else ""
            raise ValueError(f"{name} is {claimed}, but {given} was given: the verdict is about other weights{hint}")
    status, (low, high) = line.verdict.status, line.verdict.margin
    consistent = {"argmaxable": high > 0, "unargmaxable": low <= 0, "undecided": low <= 0 <= high}
    if not (low <= high and consistent[status]):
        raise ValueError(f"the margin [{low}, {high}] contradicts the status {status!r}")
    domain_of(line.layer.domain)
    named(line.layer.rule).check_sets(labels.pad([line.labels], layer.n_labels), layer.n_labels)
    if status != "undecided" and _proof(line) is None:
        raise ValueError(f"{status} without a {PROOFS[status]}")


def _prove(path: str | Path, batch: list[tuple[int, Line]], layer: Layer) -> None:
    """Raise on the first verdict of the batch whose witness or certificate does not prove its status."""
    groups = defaultdict(list)
    for number, line in batch:
        if line.verdict.status in PROOFS:
            groups[line.layer.rule, json.dumps(line.layer.domain), line.verdict.status].append((number, line))
    false = []
    for (rule, domain, status), lines in groups.items():
        under = replace(layer, rule=named(rule), domain=domain_of(json.loads(domain)))
        proofs = [_proof(line) for _, line in lines]
        padded = labels.pad([line.labels for _, line in lines], layer.n_labels)
        if status == "argmaxable":
            proved = proves_witnesses(under, padded, proofs)
        else:
            proved = proves_certificates(under, padded, proofs)
        false += [(lines[i][0], PROOFS[status]) for i in np.flatnonzero(~proved)]
    if false:
        raise VerificationError(f"{path}, line {min(false)[0]}: the {min(false)[1]} does not prove the status")


def _proof(line: Line) -> Any:
    return getattr(line.verdict, PROOFS[line.verdict.status])
