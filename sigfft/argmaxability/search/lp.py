"""Linear programs by HiGHS over a working set of rows: the largest margin in the unit box.

HiGHS's tolerances stop at 1e-10 and it drops matrix entries below 1e-9, so its answers are only ever proposals.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from sigfft.argmaxability.search.clock import Clock

Look = Callable[[np.ndarray, bool], tuple[np.ndarray, np.ndarray]]

_TOLERANCES = (1e-10, 1e-9, 1e-8, 1e-7)  # HiGHS accepts no less; where it gives up, it is asked for less
_ROUNDS = 200
_PIVOTS = (10, 50)  # per row and column, at first and again: few need more than 3, and some go in circles for ever
_THIN = 1e-6  # margins below this, in units of x, are hard on HiGHS, and a frame that is stretched makes them large


class NoAnswer(RuntimeError):
    """HiGHS has given up."""


class Optimum(NamedTuple):
    """The maximin x over all rows up to the tolerance, and the multipliers that say so."""

    x: Float[np.ndarray, " rank"]
    margins: Float[np.ndarray, " rows"]  # s_i row_i·x of all rows; infinite where a row asks nothing
    working: Int[np.ndarray, " working"]
    multipliers: Float[np.ndarray, " working"]  # they sum to 1


def max_margin(
    rows: Float[np.ndarray, "rows rank"],
    signs: Float[np.ndarray, " rows"],
    asks: Bool[np.ndarray, " rows"],
    working: Int[np.ndarray, " working"],
    clock: Clock,
    look: Look | None = None,
) -> Optimum:
    """Maximise t with s_i row_i·x >= t and |x_j| <= 1 over few rows, adding those that the optimum violates.

    It ends where x satisfies all rows, or the working ones leave no more than a thin cone.

    Args:
      rows: of unit length or so.
      signs: s_i.
      asks: rows that ask anything.
      working: ids of the first rows.
      clock: how long it may take.
      look: of x, and whether the working rows leave a thin cone at most: the rows, of which more may be known now, and
        row·x of each. Default: `rows`, in floats.

    Raises:
      NoAnswer: HiGHS stopped without an answer.
      OutOfTime: the clock has run down.
    """
    rank = rows.shape[1]
    working = np.union1d(working[asks[working]], np.flatnonzero(asks)[: rank + 1])
    for _ in range(_ROUNDS):
        clock.look()
        x, multipliers = _solve(rows[working] * signs[working, None], clock)
        thin = bool((signs[working] * (rows[working] @ x)).min() <= _THIN * np.abs(x).max())
        rows, products = look(x, thin) if look else (rows, rows @ x)
        margins = np.where(asks, signs * products, np.inf)
        violated = np.flatnonzero(margins < margins[working].min())
        joining = violated[np.argsort(margins[violated])[:rank]]
        optimum = Optimum(x, margins, working, multipliers)
        working = np.union1d(working, joining)
        if margins.min() > 0 or thin or len(working) == len(optimum.working):
            break  # an x, or rows that contradict each other or nearly do, or the optimum over all rows
    return optimum


def _solve(
    rows: Float[np.ndarray, "rows rank"], clock: Clock
) -> tuple[Float[np.ndarray, " rank"], Float[np.ndarray, " rows"]]:
    """The maximin x in the unit box, and the multipliers of the rows (they sum to 1 at the optimum)."""
    from scipy.optimize import linprog  # takes longer to import than all of sigfft; most checks never get here

    bounds: list[tuple[float | None, float | None]] = [(-1, 1)] * rows.shape[1] + [(None, None)]
    for pivots, tolerance in itertools.product(_PIVOTS, _TOLERANCES):
        result = linprog(
            np.append(np.zeros(rows.shape[1]), -1.0),
            A_ub=np.column_stack([-rows, np.ones(len(rows))]),
            b_ub=np.zeros(len(rows)),
            bounds=bounds,
            method="highs-ds",
            options={
                "primal_feasibility_tolerance": tolerance,
                "dual_feasibility_tolerance": tolerance,
                "time_limit": min(max(clock.left, 1e-3), 1e9),
                "maxiter": pivots * sum(rows.shape),
            },
        )
        if result.status == 0 and result.x is not None:
            return result.x[:-1], np.maximum(0.0, -result.ineqlin.marginals)
        clock.look()
    raise NoAnswer(f"HiGHS stopped without an answer: {result.message}")
