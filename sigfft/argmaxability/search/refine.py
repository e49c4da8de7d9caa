"""Refinement: decides one label set whatever its margin, by linear programs in frames that follow its cone.

Each frame's program is solved to HiGHS's tolerances. Its x is made exact and looked at on all rows; the rows that hold
it down are proposed as a certificate. Where neither is a proof, the rows near the optimum are made white, which
stretches the cone they leave by up to 1e9, and the next program sees that much deeper.

Reference: Gleixner, Steffy, Wolter, Iterative refinement for linear programming (2016), which scales the residual
problems of a fixed basis; a frame scales all directions, and needs no basis from the solver.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from sigfft.argmaxability import progress
from sigfft.argmaxability.proofs.certificate import Certificate
from sigfft.argmaxability.proofs.exact import LEAST, entries, matrix
from sigfft.argmaxability.search import lp, simplex, support
from sigfft.argmaxability.search.basis import Basis
from sigfft.argmaxability.search.clock import Clock
from sigfft.argmaxability.search.finding import Finding, upper_bound
from sigfft.argmaxability.search.frame import Frame
from sigfft.argmaxability.search.system import System

_NEAR = 1e-7  # rows within this margin of the optimum shape the next frame
_FIRST = 5  # rows of the first program, per dimension, of those that the search worked on
_FRAMES = 100  # the pivots that follow the last one take far longer


def proposals(
    system: System, basis: Basis, label_set: Int[np.ndarray, " width"], earlier: Finding, clock: Clock
) -> Iterator[Finding]:
    """Findings of one label set, each with a solution or a certificate to be proved, from frame after frame.

    Args:
      system: the rows and the rule.
      basis: its whitened rows.
      label_set: one padded set.
      earlier: what the search found; its working rows are the first ones here.
      clock: how long it may take.

    Raises:
      OutOfTime: the clock has run down.
    """
    signs, asks = system.signs(label_set[None])[0], ~system.silent
    frame, upper = basis.frame, earlier.upper

    def look(x: np.ndarray, thin: bool) -> tuple[np.ndarray, np.ndarray]:
        nonlocal frame
        frame, products = frame.look(system, signs, x, thin)
        return frame.rows, products

    least = np.argsort(signs[earlier.working] * (system.units[earlier.working] @ earlier.solution))
    working = earlier.working[least[: _FIRST * system.width]]
    for program in range(_FRAMES):
        clock.look()
        progress.works_on(f"linear program {program + 1}")
        try:
            optimum = lp.max_margin(frame.rows, signs, asks, working, clock, look)
        except lp.NoAnswer:
            break
        signed = system.units[optimum.working] * signs[optimum.working, None]
        upper = min(upper, upper_bound(signed, optimum.multipliers, system.row_error))
        holding = optimum.working[optimum.multipliers > 1e-12]
        if optimum.margins.min() > 0:
            solution = frame.solution(optimum.x)
            finding, violated = _looked_at(system, signs, solution, upper)
            if not len(violated):
                yield finding
            working = np.union1d(optimum.working, violated)
            frame = frame.cleared(system, working)
            margins = signs[working] * (frame.rows[working] @ optimum.x)
            if margins.min() <= 0:  # these rows had lost their digits: once more, with all of them
                continue
            shaping = np.union1d(working[margins <= _NEAR * np.abs(optimum.x).max()], holding)
        else:
            proof = _certificate(system, frame, signs, holding)
            if proof is not None:
                yield Finding(np.zeros(system.width), -1.0, upper, proof, optimum.working)
            working = optimum.working
            frame = frame.cleared(system, working)
            shaping = _thin(frame.rows, optimum)
            margins = optimum.margins[working]
            if margins.min() > 0:  # thin, not empty
                near = margins <= max(10 * margins.min(), _NEAR * np.abs(optimum.x).max())
                shaping = np.union1d(working[near], holding)
        frame = frame.stretched(shaping)
        frame = frame.cleared(system, working)
    frame = basis.frame if basis.is_sharp else basis.frame.sharpened(system, np.arange(len(signs)))[0]
    progress.works_on("exact simplex")
    end = simplex.solve(system, frame, signs, clock)
    if end.x is None:
        lengths = np.array([max(0, share.bit_length() - 60) for share in end.shares])
        shares = np.array([float(share >> shift) for share, shift in zip(end.shares, lengths.tolist(), strict=True)])
        proof = _scaled(end.holding, shares, lengths - system.whole(end.holding)[1])
        yield Finding(np.zeros(system.width), -1.0, upper, proof, end.holding)
    else:
        yield _looked_at(system, signs, frame.solution(end.x), upper)[0]


def _looked_at(system: System, signs: np.ndarray, exact: list[int], upper: float) -> tuple[Finding, np.ndarray]:
    """An exact solution with its margin in floats; and the rows that are exactly on the wrong side of it."""
    shift = max(0, max(map(int.bit_length, exact)) - 500)
    solution = np.array([float(value >> shift) for value in exact])
    solution /= np.linalg.norm(solution)
    margins = np.where(system.silent, np.inf, signs * (system.units @ solution))
    doubtful = np.flatnonzero(margins <= system.unit_error)
    whole = system.whole(doubtful)[0] * signs[doubtful].astype(int).astype(object)[:, None]
    wrong = (entries(matrix(whole) * matrix(np.array(exact, object)[:, None])) <= 0)[:, 0]
    lower = float(margins.min()) - system.unit_error
    return Finding(solution, lower, upper, None, doubtful, exact=exact), doubtful[wrong.astype(bool)]


def _thin(rows: np.ndarray, optimum: lp.Optimum) -> np.ndarray:
    """The rows that hold the optimum down, without as many of the least as it takes for a cone to be left, thin or not.

    They all but cancel, and a multiplier that is 0 in truth may be of either sign in floats.
    """
    order = np.argsort(-optimum.multipliers)
    holding = optimum.working[order[: int((optimum.multipliers > 1e-12).sum())]]
    while len(holding) >= rows.shape[1]:
        singular = np.linalg.svd(rows[holding], compute_uv=False)
        if singular[-1] <= 1e-6 * singular[0]:
            break
        holding = holding[:-1]
    return holding


def _certificate(system: System, frame: Frame, signs: np.ndarray, holding: np.ndarray) -> Certificate | None:
    """Multipliers of the stored rows that hold the optimum down, solved for in the frame, where they are well told."""
    if not 0 < len(holding) <= system.width + 1:
        return None
    frame, sizes, exponents = frame.sharpened(system, holding)
    found = support.null_vector(frame.rows * signs[:, None], holding)
    if found is None:
        return None
    return _scaled(holding, found[1] / sizes, -exponents)


def _scaled(ids: np.ndarray, multipliers: np.ndarray, exponents: np.ndarray) -> Certificate:
    """The certificate of multipliers times 2^exponents, divided by the largest; none falls to zero."""
    mantissas, powers = np.frexp(multipliers)
    powers = powers + exponents
    y = np.ldexp(mantissas, np.maximum(powers - powers.max(), 2 * LEAST))
    return Certificate(tuple(ids.tolist()), tuple(np.maximum(y / y.max(), 2.0**LEAST).tolist()))
