"""Stages that decide a batch of label sets: cheap ones first, and a status only where its proof holds exactly."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int
from threadpoolctl import threadpool_limits

from sigfft.argmaxability import progress
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.certificate import Certificate, proves_certificates, restate_certificate
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.argmaxability.proofs.witness import ExactWitness, Witness, proves_witnesses
from sigfft.argmaxability.search import probe, refine, working_set
from sigfft.argmaxability.search.basis import Basis
from sigfft.argmaxability.search.clock import Clock, OutOfTime
from sigfft.argmaxability.search.finding import Finding
from sigfft.argmaxability.search.system import System

_UNKNOWN = Verdict("undecided", (-1.0, 1.0), "none")


@dataclass(frozen=True)
class Problem:
    """What every batch shares; its large arrays reach worker processes as memory maps."""

    layer: Layer
    system: System
    basis: Basis

    @classmethod
    @threadpool_limits.wrap(limits=1, user_api="blas")  # on busy cores threads that wait for each other are slower
    def of(cls, layer: Layer) -> "Problem":
        """A layer in the form that the stages share."""
        system = System.of(layer)
        return cls(layer, system, Basis.of(system))


def decide(
    problem: Problem, padded: Int[np.ndarray, "sets width"], probes: int = 0, time_limit: float = math.inf
) -> list[Verdict]:
    """Verdicts of one batch of distinct label sets: each stage takes what the cheaper ones left open.

    Args:
      problem: the layer.
      padded: the label sets.
      probes: random activations tried for each set before the search.
      time_limit: seconds after which a set is left undecided; those that a batch shares are split evenly.
    """
    system, basis = problem.system, problem.basis
    verdicts = [_silent_label(problem, label_set) or _UNKNOWN for label_set in padded]
    findings = [Finding.nothing(system.width) for _ in padded]

    def stage(name: str, find: Callable[[np.ndarray], list[Finding]]) -> None:
        begun, left = time.perf_counter(), _undecided(verdicts)
        if not left:
            return
        found = find(padded[left])
        proved = _prove(problem, padded[left], found, name)
        seconds = (time.perf_counter() - begun) / len(left)
        for i, finding, verdict in zip(left, found, proved, strict=True):
            verdicts[i], findings[i] = _both(verdicts[i], verdict, seconds), finding
        progress.decided(len(verdicts) - len(_undecided(verdicts)))

    if probes:
        stage("probe", lambda sets: probe.best_directions(system, sets, probes))
    if basis.exact is None:
        stage("search", lambda sets: working_set.search(system, basis, sets, clock=Clock(time_limit * len(sets))))
    slow = _undecided(verdicts)
    for done, i in enumerate(slow):
        size = int((padded[i] < problem.layer.n_labels).sum())
        progress.waits_for(f"{len(slow) - done} slow sets left, this one of {size} labels")
        verdicts[i] = _refined(problem, padded[i], verdicts[i], findings[i], time_limit)
        progress.decided(len(verdicts) - len(slow) + done + 1)
    return verdicts


def _refined(problem: Problem, label_set: np.ndarray, verdict: Verdict, finding: Finding, time_limit: float) -> Verdict:
    """The verdict on one set: a proof, unless its time has run out."""
    clock = Clock(time_limit - verdict.seconds)
    try:
        for better in refine.proposals(problem.system, problem.basis, label_set, finding, clock):
            verdict = _both(verdict, _prove(problem, label_set[None], [better], "refine")[0], 0.0)
            if verdict.status != "undecided":
                break
    except OutOfTime:
        verdict = replace(verdict, reason=f"the time limit of {time_limit:g} s was reached")
    return replace(verdict, seconds=verdict.seconds + clock.spent)


def _undecided(verdicts: list[Verdict]) -> list[int]:
    return [i for i, verdict in enumerate(verdicts) if verdict.status == "undecided"]


def _both(earlier: Verdict, later: Verdict, seconds: float) -> Verdict:
    """The later verdict with the bounds of both, and the time of both."""
    low, high = max(earlier.margin[0], later.margin[0]), min(earlier.margin[1], later.margin[1])
    return replace(later, margin=(low, max(low, high)), seconds=earlier.seconds + seconds)


def _silent_label(problem: Problem, label_set: np.ndarray) -> Verdict | None:
    """A set with a label that is off for every activation: that label alone is the certificate."""
    layer, silent = problem.layer, problem.system.silent
    for label in label_set[label_set < layer.n_labels].tolist():
        proof = Certificate((label,), (1.0,))
        if silent[label] and proves_certificates(layer, label_set[None], [proof])[0]:
            return Verdict("unargmaxable", (-1.0, 0.0), "trivial", certificate=proof)
    return None


def _prove(problem: Problem, padded: Int[np.ndarray, "sets width"], found: list[Finding], method: str) -> list[Verdict]:
    """Verdicts from findings: a status only where its proof holds exactly."""
    layer, error = problem.layer, problem.system.unit_error
    # a margin's bounds decide nothing: until there is a proof they hold 0
    verdicts = [Verdict("undecided", (min(f.lower, 0.0), max(f.upper, 0.0)), method, reason=f.note) for f in found]
    hopeful = [i for i, f in enumerate(found) if f.certificate is None and f.lower + error > 0]
    if hopeful:
        witnesses = problem.system.witness(np.stack([found[i].solution for i in hopeful]))
        proved = proves_witnesses(layer, padded[hopeful], witnesses)
        for i, witness, holds in zip(hopeful, witnesses, proved, strict=True):
            if holds:
                verdicts[i] = _argmaxable(found[i], method, witness)
    for i, finding in enumerate(found):
        if verdicts[i].status == "undecided" and finding.exact is not None:
            witness = _exact_witness(problem, padded[i], finding.exact)
            verdicts[i] = verdicts[i] if witness is None else _argmaxable(finding, method, witness)
    claims = [(i, f.certificate) for i, f in enumerate(found) if f.certificate is not None]
    if claims:
        at, proofs = [i for i, _ in claims], [c for _, c in claims]
        for (i, proof), holds in zip(claims, proves_certificates(layer, padded[at], proofs), strict=True):
            stated = proof if holds else restate_certificate(layer, padded[i], proof)
            if stated is not None:
                low = min(found[i].lower, 0.0)
                verdicts[i] = Verdict("unargmaxable", (low, 0.0), method, certificate=stated)
    return verdicts


def _argmaxable(finding: Finding, method: str, witness: Witness) -> Verdict:
    low = max(finding.lower, 0.0)
    return Verdict("argmaxable", (low, max(low, finding.upper)), method, witness)


def _exact_witness(problem: Problem, label_set: np.ndarray, solution: list[int]) -> Witness | None:
    """A proved witness from an exact solution: in floats where they can hold it, else of as few digits as it takes."""
    layer, exponents = problem.layer, problem.system.exponents
    x = [value << int(power) for value, power in zip(solution, exponents - exponents.min(), strict=True)]
    length = max(map(int.bit_length, x))
    for bits in (0, 64, 128, 256, 512, 1024, 2048, 4096, length):
        shorter = [value >> max(0, length - bits) for value in x] if bits else x
        denominator = 1 if layer.positive is None else shorter[layer.positive]
        if denominator <= 0:
            continue
        witness = ExactWitness(tuple(shorter[: layer.dim]), denominator)
        candidate = witness if bits else witness.nearest(layer.has_constant)
        if proves_witnesses(layer, label_set[None], [candidate])[0]:
            return candidate
    return None
