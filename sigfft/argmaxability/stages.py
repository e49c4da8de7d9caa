"""Stages that decide a batch of label sets: cheap ones first, and a status only where its proof holds exactly."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.certificate import (
    Certificate,
    proves_certificates,
    proves_witnesses,
    restate_certificate,
)
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.argmaxability.search import lp, probe, working_set
from sigfft.argmaxability.search.basis import Basis
from sigfft.argmaxability.search.finding import Finding
from sigfft.argmaxability.search.system import System


@dataclass(frozen=True)
class Problem:
    """What every batch shares; its large arrays reach worker processes as memory maps."""

    layer: Layer
    system: System
    basis: Basis

    @classmethod
    def of(cls, layer: Layer) -> "Problem":
        """A layer in the form that the stages share."""
        system = System.of(layer)
        return cls(layer, system, Basis.of(system))


def decide(problem: Problem, padded: Int[np.ndarray, "sets width"], probes: int = 0) -> list[Verdict]:
    """Verdicts of one batch of distinct label sets: each stage takes what the cheaper ones left open."""
    verdicts: list[Verdict | None] = [_silent_label(problem.system, label_set) for label_set in padded]
    findings: dict[int, Finding] = {}

    def stage(name: str, find: Callable[[np.ndarray], list[Finding]]) -> None:
        left = np.array([i for i, v in enumerate(verdicts) if v is None or v.status == "undecided"], int)
        if not len(left):
            return
        begun = time.perf_counter()
        found = find(left)
        proved = _prove(problem, padded[left], found, name)
        seconds = (time.perf_counter() - begun) / len(left)
        for i, finding, verdict in zip(left.tolist(), found, proved, strict=True):
            earlier = verdicts[i]
            if earlier is not None:  # both stages' bounds hold
                low, high = max(earlier.margin[0], verdict.margin[0]), min(earlier.margin[1], verdict.margin[1])
                verdict = replace(verdict, margin=(low, max(low, high)))
            verdicts[i] = replace(verdict, seconds=seconds + (earlier.seconds if earlier else 0.0))
            findings[i] = finding

    system, basis = problem.system, problem.basis
    if probes:
        stage("probe", lambda left: probe.best_directions(system, padded[left], probes))
    stage("search", lambda left: working_set.search(system, basis, padded[left]))
    stage("lp", lambda left: [_linear_program(problem, padded[i], findings[i]) for i in left.tolist()])
    return [v for v in verdicts if v is not None]


def _linear_program(problem: Problem, label_set: np.ndarray, earlier: Finding) -> Finding:
    """A solver that gives up leaves the set as it was, and the others of the batch alone."""
    try:
        return lp.max_margin(problem.system, problem.basis, label_set, earlier.working)
    except RuntimeError as error:
        return replace(earlier, note=str(error))


def _silent_label(system: System, label_set: np.ndarray) -> Verdict | None:
    """A set with a label that is off for every activation: that label alone is the certificate."""
    silent = [i for i in label_set[label_set < system.layer.n_labels].tolist() if system.silent[i]]
    if not silent:
        return None
    return Verdict("unargmaxable", (-1.0, 0.0), "trivial", certificate=Certificate((silent[0],), (1.0,)))


def _prove(problem: Problem, padded: np.ndarray, found: list[Finding], method: str) -> list[Verdict]:
    """Verdicts from findings: a status only where its proof holds exactly."""
    layer, error = problem.layer, problem.system.unit_error
    # A margin's bounds decide nothing: a solution that floats cannot hold as a witness leaves its set undecided.
    open_margins = [(min(f.lower, 0.0), max(f.upper, 0.0)) for f in found]
    verdicts = [
        Verdict("undecided", bounds, method, reason=f.note) for f, bounds in zip(found, open_margins, strict=True)
    ]
    hopeful = [i for i, f in enumerate(found) if f.certificate is None and f.lower + error > 0]
    if hopeful:
        witnesses = problem.system.witness(np.stack([found[i].solution for i in hopeful]))
        proved = proves_witnesses(layer, padded[hopeful], witnesses)
        for i, witness, holds in zip(hopeful, witnesses, proved, strict=True):
            if holds:
                low = max(found[i].lower, 0.0)
                verdicts[i] = Verdict("argmaxable", (low, max(low, found[i].upper)), method, witness)
    claims = [(i, f.certificate) for i, f in enumerate(found) if f.certificate is not None]
    if claims:
        at, proofs = [i for i, _ in claims], [c for _, c in claims]
        for (i, proof), holds in zip(claims, proves_certificates(layer, padded[at], proofs), strict=True):
            stated = proof if holds else restate_certificate(layer, padded[i], proof)
            if stated is not None:
                low = min(found[i].lower, 0.0)
                verdicts[i] = Verdict("unargmaxable", (low, 0.0), method, certificate=stated)
    return verdicts
