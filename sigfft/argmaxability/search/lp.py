"""Linear programming by HiGHS over a working set of rows: the fallback of the search.

HiGHS's tolerances stop at 1e-10 and it drops matrix entries below 1e-9, so its answers are only ever proposals: a
solution, or a support whose multipliers are recomputed, that others must prove.
"""

import numpy as np
from jaxtyping import Float, Int

from sigfft.argmaxability.proofs.certificate import Certificate
from sigfft.argmaxability.search.basis import Basis
from sigfft.argmaxability.search.finding import Finding, certify, upper_bound
from sigfft.argmaxability.search.support import null_vector
from sigfft.argmaxability.search.system import System

_TOLERANCES = (1e-10, 1e-9, 1e-8, 1e-7)  # HiGHS accepts no less; where it gives up, it is asked for less
_ROUNDS = 200


def max_margin(
    system: System, basis: Basis, label_set: Int[np.ndarray, " width"], working: Int[np.ndarray, " rows"]
) -> Finding:
    """Maximise t with s_i row_i·x >= t and |x_j| <= 1 over few rows, adding those that the optimum violates.

    Args:
      system: the rows and the rule.
      basis: its whitened rows.
      label_set: one padded set.
      working: ids of the first rows.

    Raises:
      RuntimeError: HiGHS stopped without an answer.
    """
    signs = system.signs(label_set[None])[0]
    asks = ~system.silent
    working = np.union1d(working[asks[working]], np.flatnonzero(asks)[: basis.rows.shape[1] + 1])
    best, lower, upper = np.zeros(system.units.shape[1]), -1.0, 1.0
    for _ in range(_ROUNDS):
        rows = basis.rows[working] * signs[working, None]
        x, duals = _solve(rows)
        upper = min(upper, upper_bound(system.units[working] * signs[working, None], duals))
        certificate = _certificate(system, rows, duals, working)
        if certificate is not None:
            return Finding(best, lower - system.unit_error, upper, certificate, working)
        solution = basis.to_solution @ x
        solution /= max(float(np.linalg.norm(solution)), 1e-300)
        margins = system.margins(label_set[None], solution[None])[0]
        if margins.min() > lower:
            best, lower = solution, float(margins.min())
        violated = np.flatnonzero(margins <= min(0.0, margins[working].min()))
        joining = violated[np.argsort(margins[violated])[: basis.rows.shape[1]]]
        before, working = len(working), np.union1d(working, joining)
        if lower > 0 or len(working) == before:
            break
    return Finding(best, lower - system.unit_error, upper, None, working)


def _solve(rows: Float[np.ndarray, "rows rank"]) -> tuple[Float[np.ndarray, " rank"], Float[np.ndarray, " rows"]]:
    """The maximin x in the unit box, and the multipliers of the rows (they sum to 1 at the optimum)."""
    from scipy.optimize import linprog

    bounds: list[tuple[float | None, float | None]] = [(-1, 1)] * rows.shape[1] + [(None, None)]
    for tolerance in _TOLERANCES:
        result = linprog(
            np.append(np.zeros(rows.shape[1]), -1.0),
            A_ub=np.column_stack([-rows, np.ones(len(rows))]),
            b_ub=np.zeros(len(rows)),
            bounds=bounds,
            method="highs-ds",
            options={"primal_feasibility_tolerance": tolerance, "dual_feasibility_tolerance": tolerance},
        )
        if result.status == 0 and result.x is not None:
            return result.x[:-1], np.maximum(0.0, -result.ineqlin.marginals)
    raise RuntimeError(f"HiGHS stopped without an answer: {result.message}")


def _certificate(system: System, rows: np.ndarray, duals: np.ndarray, working: np.ndarray) -> Certificate | None:
    """The rows that HiGHS gave a multiplier, if positive ones on them cancel exactly enough."""
    on = np.flatnonzero(duals > 1e-12)
    if not len(on) or np.linalg.norm(duals @ rows) > 1e-6:
        return None
    exact = null_vector(rows, on)
    if exact is None:
        return None
    weights = np.zeros(len(rows))
    weights[exact[0]] = exact[1]
    return certify(system, rows, weights, working)
