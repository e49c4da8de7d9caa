"""Linear programming by HiGHS: the fallback of the search, and the published check as a reference form.

HiGHS's tolerances stop at 1e-10 and it drops matrix entries below 1e-9, so its answers are only ever proposals: a
solution, or a support whose multipliers are recomputed, that others must prove.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sigfft.argmaxability.certificate import Certificate
from sigfft.argmaxability.search import Basis, Finding, certify
from sigfft.argmaxability.support import null_vector
from sigfft.argmaxability.system import EPS, System, homogenize, lengths, pad_sets, unit_rows

_TOLERANCES = (1e-10, 1e-9, 1e-8, 1e-7)  # HiGHS accepts no less; where it gives up, it is asked for less
_ROUNDS = 200


@dataclass(frozen=True)
class Chebyshev:
    """The Chebyshev radius of a label set's region, and its centre; both None where the region is empty."""

    radius: float | None
    centre: Float[np.ndarray, " dim"] | None

    def argmaxable(self, epsilon: float = 0.0) -> bool:
        """Whether the region holds a ball of radius above `epsilon`: the paper's ε-argmaxability."""
        return self.radius is not None and self.radius > epsilon


def chebyshev(
    weight: Float[np.ndarray, "labels dim"],
    labels: Sequence[int],
    bias: Float[np.ndarray, " labels"] | None = None,
    box: float = 1e4,
) -> Chebyshev:
    """The largest ball inside a label set's region under the threshold rule: one LP with all rows, in floating point.

    maximise ε subject to s_i (w_i·z + b_i) >= ε ‖w_i‖ and |z_j| <= box. A label with zero weights takes no room; where
    it is on and its bias is not positive, or off and its bias is, the region is empty.

    Args:
      weight: (n_labels, dim).
      labels: ids of the active labels.
      bias: (n_labels,) or None.
      box: bound on each coordinate of z; the radius of a set without a bias grows with it.

    Raises:
      ValueError: bad weights or ids, or a box that is not positive.
      RuntimeError: HiGHS gave neither an optimum nor a proof of infeasibility.

    Reference: Grivas, Vergari and Lopez, Taming the Sigmoid Bottleneck (2024), arXiv 2310.10443, section 4.
    """
    if not box > 0:
        raise ValueError(f"box must be positive; given {box}")
    system = homogenize(weight, bias, "threshold")
    signs = system.signs(pad_sets([labels], system))[0, : system.n_labels]
    rows = system.stored[:, : system.dim]
    sizes = lengths(rows)
    offset = np.zeros(len(rows)) if bias is None else system.stored[:, system.dim]
    asks = sizes > 0
    if ((signs > 0) != (offset > 0))[~asks].any():  # not left to the solver's tolerance
        return Chebyshev(None, None)
    signs, units = signs[asks], unit_rows(rows[asks])
    with np.errstate(over="ignore"):
        distances = np.nan_to_num(offset[asks] / sizes[asks])
    from scipy.optimize import linprog  # takes longer to import than all of sigfft; most checks never get here

    result = linprog(
        np.append(np.zeros(system.dim), -1.0),
        A_ub=np.column_stack([-signs[:, None] * units, np.ones(len(units))]),
        b_ub=signs * distances,
        bounds=[(-box, box)] * system.dim + [(0, None)],
        method="highs",
    )
    if result.status == 2:
        return Chebyshev(None, None)
    if result.status != 0 or result.x is None:
        raise RuntimeError(f"HiGHS stopped without an answer: {result.message}")
    return Chebyshev(float(result.x[-1]), result.x[:-1])


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
        upper = _upper_bound(system.units[working] * signs[working, None], duals, upper)
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


def _upper_bound(rows: np.ndarray, multipliers: np.ndarray, upper: float) -> float:
    total = multipliers.sum()
    if not total > 0:
        return upper
    return min(upper, float(np.linalg.norm(multipliers @ rows) / total) + (len(rows) + 16) * EPS)


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
