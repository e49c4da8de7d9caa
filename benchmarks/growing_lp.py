"""The fair peer of the checker: a linear program on few rows, to which violated rows are added."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.search.system import System

TOLERANCE = 1e-9


class Optimum(NamedTuple):
    """The margin t that the program ended with, and its x: a floating-point answer without a proof."""

    margin: float
    x: np.ndarray


def solve(weight: np.ndarray, labels: list[int], bias: np.ndarray | None = None) -> Optimum:
    """The largest t with s_i u_i·x >= t and |x_j| <= 1, u_i the unit rows, by HiGHS.

    It begins with the rows of the labels and some others, and dim of the most violated rows join at a time, until none
    is violated by more than 1e-9, or x satisfies all rows, which decides the set. It is slower with more rows at first.

    Args:
      weight: (n_labels, dim).
      labels: that are on.
      bias: (n_labels,) or None.
    """
    layer = Layer.of(weight, bias)
    return solve_system(System.of(layer), layer.pad([labels]))


def solve_system(system: System, padded: np.ndarray) -> Optimum:
    """`solve` for a layer that is read already: its unit rows are shared by all label sets, as the checker's are."""
    signs = system.signs(padded)[0]
    asks = np.flatnonzero(~system.silent)
    dim = system.width
    others = np.setdiff1d(asks, system.active(padded[0]))
    working = np.union1d(np.flatnonzero(signs > 0), others[:: max(1, 10 * len(others) // dim)])
    while True:
        rows = system.units[working] * signs[working, None]
        result = linprog(
            np.append(np.zeros(dim), -1.0),
            A_ub=np.column_stack([-rows, np.ones(len(rows))]),
            b_ub=np.zeros(len(rows)),
            bounds=[(-1, 1)] * dim + [(None, None)],
            method="highs",
        )
        if result.status != 0 or result.x is None:
            raise RuntimeError(f"HiGHS stopped without an answer: {result.message}")
        x, margin = result.x[:-1], float(result.x[-1])
        margins = np.where(system.silent, np.inf, signs * (system.units @ x))
        violated = np.setdiff1d(np.flatnonzero(margins < margin - TOLERANCE), working)
        if not len(violated) or margins.min() > TOLERANCE:
            return Optimum(margin, x)
        working = np.union1d(working, violated[np.argsort(margins[violated])[:dim]])
