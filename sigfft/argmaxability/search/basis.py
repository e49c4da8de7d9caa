"""Whitened coordinates of a sign system, and the least-squares solutions that a search starts from."""

import functools
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int

from sigfft.argmaxability.search import whitening
from sigfft.argmaxability.search.frame import Frame
from sigfft.argmaxability.search.system import System

_NOTHING = 1e-13  # singular values of directions that floats do not see, in units of the largest


@dataclass(frozen=True)
class Basis:
    """Coordinates in which the unit rows of a system are white: rows = units @ to_solution, Gram matrix ∝ identity.

    Directions that no row has are left out, so the rank may be below D. A change of basis changes neither the
    solutions nor the certificates; it makes Newton's δ mean the same in every direction.
    """

    rows: Float[np.ndarray, "constraints rank"]
    to_solution: Float[np.ndarray, "D rank"]
    exact: Frame | None = None  # where floats lose too many digits: then `to_solution` is a hint, and this is the basis
    deficient: System | None = None  # of which floats see no more than this rank; the rationals may

    @classmethod
    def of(cls, system: System) -> "Basis":
        """Whiten the unit rows of a system by its singular vectors; where floats see rounding only, exactly."""
        triangle = scipy.linalg.qr(system.units, mode="r", check_finite=False)[0][: system.width]
        _, singular, directions = scipy.linalg.svd(triangle, check_finite=False)  # of the triangle: that of all rows
        if not singular[0]:  # no row asks anything
            return cls(np.zeros((len(system.units), 1)), np.eye(system.width)[:, :1])
        well = singular >= whitening.WELL * singular[0]
        if not (well | (singular <= _NOTHING * singular[0])).all():
            frame = whitening.exactly(system)
            return cls(frame.rows, frame.floats(), exact=frame)
        scale = singular[well] * np.sqrt(well.sum() / len(system.units))  # rows of length 1, on average
        to_solution = directions[: len(singular)][well].T / scale
        rows = system.units @ to_solution
        return cls(rows, to_solution, deficient=system if well.sum() < system.width else None)

    @functools.cached_property
    def frame(self) -> Frame:
        """The frame that `refine` begins with."""
        if self.deficient is not None:
            return whitening.exactly(self.deficient)
        return self.exact or Frame.of(self.rows, self.to_solution)

    @property
    def is_sharp(self) -> bool:
        """Whether all rows of `frame` have all their digits."""
        return self.exact is not None or self.deficient is not None


def start(system: System, basis: Basis, padded: Int[np.ndarray, "sets width"]) -> Float[np.ndarray, "sets rank"]:
    """Least squares to -1 on the inactive rows, with the active ones held at 1 where they are few.

    The Gram matrix is g I, so x = -(t + Pᵀμ) / g, with t the sum of all rows, P the active ones and P x = 1.
    """
    rows, rank = basis.rows, basis.rows.shape[1]
    bounds = system.layer.n_labels + system.layer.has_constant  # behind it are a domain's, which push as labels do
    total, gram = rows[:bounds].sum(axis=0) - rows[bounds:].sum(axis=0), len(rows) / rank
    cardinality = (padded < system.layer.n_labels).sum(axis=1)
    x = np.empty((len(padded), rank))
    for i in np.flatnonzero(cardinality > rank // 2):
        x[i] = (2 * rows[system.held(padded[i])].sum(axis=0) - total) / gram
    few = np.flatnonzero(cardinality <= rank // 2)
    if len(few):
        x[few] = _held(system, rows, padded[few, : max(1, cardinality[few].max())], total, gram)
    return x


def _held(system: System, rows: np.ndarray, padded: np.ndarray, total: np.ndarray, gram: float) -> np.ndarray:
    sets, columns = np.nonzero(padded < system.layer.n_labels)
    active = np.zeros((*padded.shape, rows.shape[1]))
    active[sets, columns] = rows[padded[sets, columns]]
    behind = rows[system.layer.n_labels :][: system.layer.has_constant]
    if len(behind):
        active = np.concatenate([active, np.broadcast_to(behind, (len(padded), *behind.shape))], axis=1)
    inner = active @ active.transpose(0, 2, 1)
    diagonal = np.einsum("bkk->bk", inner)
    diagonal += 0.01 * diagonal.mean(axis=1, keepdims=True) + 1e-9  # padding, and rows that depend on others
    push = np.linalg.solve(inner, gram + active @ total[:, None])
    return -(total - (active.transpose(0, 2, 1) @ push)[..., 0]) / gram


def unit(solutions: Float[np.ndarray, "sets D"]) -> Float[np.ndarray, "sets D"]:
    """Each solution divided by its length."""
    return solutions / np.maximum(np.linalg.norm(solutions, axis=1, keepdims=True), 1e-300)
