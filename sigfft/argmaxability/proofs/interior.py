"""Interiors: whether M h = target has a solution inside a domain, and M full row rank. No solver is imported."""

from fractions import Fraction

import numpy as np
from flint import fmpq_mat, nmod_mat
from jaxtyping import Float, Int

from sigfft.argmaxability.proofs.exact import PRIME, integers, matrix
from sigfft.domains import Domain

_EPS = 2.0**-52


def has_full_row_rank(m: Float[np.ndarray, "dim feature_dim"], columns: Int[np.ndarray, " dim"] | None = None) -> bool:
    """Whether the rows of M are proved independent: by an approximate inverse of some columns, or modulo a prime."""
    if columns is not None and _inverse(m[:, columns]) is not None:
        return True
    residues = [value % PRIME for value in integers(m).ravel().tolist()]
    return nmod_mat(len(m), m.shape[1], residues, PRIME).rank() == len(m)


def has_solution(
    m: Float[np.ndarray, "dim feature_dim"],
    target: Float[np.ndarray, " dim"],
    h: Float[np.ndarray, " feature_dim"],
    columns: Int[np.ndarray, " dim"],
    domain: Domain,
) -> bool:
    """Whether some exact solution of M h = target, near the given h, is proved to lie in the domain.

    It differs from h in the given columns B of M alone, by B⁻¹ (target − M h). With R near B⁻¹ and ‖I − R B‖ < 1, no
    entry of that is larger than ‖R (target − M h)‖ / (1 − ‖I − R B‖), in the maximum norm; all of it is rounded up.
    Where that does not settle it, the difference is solved for exactly.

    Reference: Rump, Verification methods: rigorous results using floating-point arithmetic (2010), section 10.
    """
    if not (np.isfinite(h).all() and domain.holds(h) and len(np.unique(columns)) == len(m)):
        return False
    room = min(h[columns].min() - domain.low, domain.high - h[columns].max())
    found = _inverse(m[:, columns])
    gamma = (m.shape[1] + 8) * _EPS
    if found is not None:
        inverse, defect = found
        left = target - m @ h
        error = gamma * (np.abs(m) @ np.abs(h) + np.abs(target))
        moved = np.abs(inverse @ left) + np.abs(inverse) @ (error + gamma * np.abs(left))
        if moved.max() * (1 + 4 * gamma) < (1 - defect) * room * (1 - gamma):
            return True
    return _solved_inside(m, target, h, columns, domain)


def _solved_inside(m: np.ndarray, target: np.ndarray, h: np.ndarray, columns: np.ndarray, domain: Domain) -> bool:
    """The same by rational arithmetic alone."""
    whole = integers(np.concatenate([m.ravel(), target]))  # one factor for both
    kernel, goal = whole[: m.size].reshape(m.shape), whole[m.size :]
    point = np.array([Fraction(value) for value in h.tolist()])
    common = max(value.denominator for value in point)  # all are powers of two
    left = goal * common - kernel @ np.array([int(value * common) for value in point], object)
    try:
        step = fmpq_mat(matrix(kernel[:, columns])).solve(fmpq_mat(matrix(left[:, None])))
    except ZeroDivisionError:
        return False
    moved = [Fraction(int(value.p), int(value.q) * common) for value in step.entries()]
    solution = [point[i] + change for i, change in zip(columns.tolist(), moved, strict=True)]
    return all(domain.low < value < domain.high for value in solution)


def _inverse(square: Float[np.ndarray, "dim dim"]) -> tuple[Float[np.ndarray, "dim dim"], float] | None:
    """An approximate inverse R, and a bound below 1 of ‖I − R B‖ in the maximum norm: then B is regular."""
    try:
        inverse = np.linalg.inv(square)
    except np.linalg.LinAlgError:
        return None
    gamma = (len(square) + 8) * _EPS
    defect = np.abs(np.eye(len(square)) - inverse @ square) + gamma * (np.abs(inverse) @ np.abs(square) + 1.0)
    bound = float(defect.sum(axis=1).max() * (1 + gamma))
    return (inverse, bound) if bound < 1 else None
