"""Supports: from any positive combination of rows that cancels to one of few rows, a vertex of the cone of them.

A search ends with hundreds of positive multipliers, of which any D + 1 or fewer may suffice. Few labels are quick to
prove in exact arithmetic, and explain the conflict.
"""

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int

_NEGLIGIBLE = 1e-11  # of the largest term: below it a multiplier is rounding
_RESIDUAL = 1e-12  # of Σ y_i row_i for unit rows; the exact proof comes after


def reduce_support(
    rows: Float[np.ndarray, "rows rank"], multipliers: Float[np.ndarray, " rows"]
) -> tuple[Int[np.ndarray, " support"], Float[np.ndarray, " support"]] | None:
    """At most rank + 1 of the rows, and positive y with Σ y_i row_i = 0 up to rounding; None if that fails.

    The multipliers are pushed to a basic solution, as simplex codes do after an interior method: with Σ y_i fixed by
    one more column, each row outside a basis is driven to zero, or takes the place of the basic row that blocks it.

    Args:
      rows: signed rows.
      multipliers: λ ≥ 0 with Σ λ_i row_i = 0 up to rounding.

    Reference: Carathéodory's theorem; Megiddo, On finding primal- and dual-optimal bases (1991).
    """
    on = np.flatnonzero(multipliers > _NEGLIGIBLE * multipliers.max(initial=0.0))
    if not len(on):
        return None
    # rows are weighted by their multiplier: all ones solve the system, and large terms make the better basis
    weighted = np.column_stack([rows[on], np.ones(len(on))]) * multipliers[on, None]
    basis, others, table = _tableau(weighted)
    values, entering = np.ones(len(basis)), np.ones(len(others))
    for j, row in enumerate(table):
        distance, leaves = _limit(values, row)
        values += min(distance, entering[j]) * row
        if distance >= entering[j]:
            continue  # the row is at zero, and the basis still positive
        values[leaves] = entering[j] - distance
        # a pivot: the blocked row takes the place of the basic one, and the rows to come are written in the new basis
        basis[leaves] = others[j]
        rest = table[j + 1 :]
        ratio = rest[:, leaves] / row[leaves]
        rest -= ratio[:, None] * row
        rest[:, leaves] = ratio
    keep = values > _NEGLIGIBLE * values.max()
    # rounding has piled up over the pivots: the multipliers are solved for anew on the rows that are left
    return null_vector(rows, on[basis[keep]])


def null_vector(
    rows: Float[np.ndarray, "rows rank"], support: Int[np.ndarray, " support"]
) -> tuple[Int[np.ndarray, " support"], Float[np.ndarray, " support"]] | None:
    """The positive y with Σ y_i row_i = 0 and Σ y_i = 1 on `support`, or None if there is none."""
    system = np.column_stack([rows[support], np.ones(len(support))]).T
    target = np.zeros(len(system))
    target[-1] = 1.0
    if system.shape[0] == system.shape[1]:
        lu, order, singular = scipy.linalg.lapack.dgetrf(system)
        y = scipy.linalg.lapack.dgetrs(lu, order, target)[0] if not singular else np.zeros(len(support))
    else:
        y = scipy.linalg.lstsq(system, target, check_finite=False)[0]
    if not (y > 0).all() or np.abs(system @ y - target).max() > _RESIDUAL:
        return None
    return support, y


def _limit(values: np.ndarray, row: np.ndarray) -> tuple[float, int]:
    """How far values + t row stays positive, and which value ends it."""
    falling = (row < -_NEGLIGIBLE).nonzero()[0]
    if not len(falling):
        return np.inf, -1
    ratios = values[falling] / -row[falling]
    least = ratios.argmin()
    return max(float(ratios[least]), 0.0), int(falling[least])


def _tableau(weighted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Independent rows that span all rows, the other rows, and the others' coordinates in them."""
    n_rows, width = weighted.shape
    lu, swaps, _ = scipy.linalg.lapack.dgetrf(weighted)  # partial pivoting picks the rows of the basis
    pivots = np.abs(np.diag(lu))
    if n_rows >= width and pivots.min() > 1e-9 * pivots.max():
        order = np.arange(n_rows)
        for i, other in enumerate(swaps):
            order[i], order[other] = order[other], order[i]
        rank, square, rest, lower = width, lu[:width], lu[width:].T, True
    else:  # rows of lower rank
        upper, order = scipy.linalg.qr(weighted.T, mode="r", pivoting=True, check_finite=False)
        sizes = np.abs(np.diag(upper))
        rank = int((sizes > 1e-11 * sizes[0]).sum())
        square, rest, lower = upper[:rank, :rank], upper[:rank, rank:], False
    # LU: others = (L2 L1⁻¹) basis. QR: others = (R1⁻¹ R2)ᵀ basis.
    table = scipy.linalg.solve_triangular(
        square, rest, lower=lower, trans="T" if lower else "N", unit_diagonal=lower, check_finite=False
    )
    return order[:rank], order[rank:], np.ascontiguousarray(table.T)
