"""What a search finds of one label set: a solution, bounds of the margin, perhaps a certificate."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sigfft.argmaxability.proofs.certificate import Certificate
from sigfft.argmaxability.search import support
from sigfft.argmaxability.search.system import EPS, System, lengths


@dataclass
class Finding:
    """One label set: the best solution, the margin's bounds, perhaps a certificate."""

    solution: Float[np.ndarray, " D"]
    lower: float
    upper: float
    certificate: Certificate | None
    working: Int[np.ndarray, " rows"]
    note: str = "no proof either way was found"
    exact: list[int] | None = None  # the solution without its rounding, up to a positive factor

    @classmethod
    def nothing(cls, width: int) -> "Finding":
        """What is known of a set that no search has seen."""
        return cls(np.zeros(width), -1.0, 1.0, None, np.zeros(0, int))


def upper_bound(
    rows: Float[np.ndarray, "rows D"], multipliers: Float[np.ndarray, " rows"], row_error: float = 0.0
) -> float:
    """‖Σ λ_i s_i u_i‖ / Σ λ_i, rounded up: no unit z has a larger margin, whatever λ ≥ 0. Rows are signed unit rows."""
    total = multipliers.sum()
    if not total > 0:
        return 1.0
    return min(1.0, float(np.linalg.norm(multipliers @ rows) / total) + (len(rows) + 16) * EPS + row_error)


def certify(
    system: System, rows: Float[np.ndarray, "rows rank"], multipliers: Float[np.ndarray, " rows"], ids: np.ndarray
) -> Certificate | None:
    """A certificate on few labels from signed unit rows that cancel: its multipliers are those of the stored rows."""
    reduced = support.reduce_support(rows, multipliers)
    if reduced is None:
        return None
    at, y = reduced
    labels = ids[at]
    sizes = lengths(system.rows[labels])
    smallest = sizes.min()  # before dividing: 1 / sizes may overflow
    y = y * (smallest / sizes)
    y /= y.max()
    order = np.argsort(labels)
    return Certificate(tuple(labels[order].tolist()), tuple(y[order].tolist()))
