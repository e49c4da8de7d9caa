"""Frames: coordinates in which the rows that matter to one label set are white, however thin its cone.

A change of basis changes neither the solutions of a sign system nor its certificates. In floats a cone of margin 1e-20
cannot be told from an empty one; in a basis that stretches it by 1e20 it can. The basis is a matrix of integers, and
rows are multiplied by it exactly before they are rounded: each entry has all its digits, whatever cancelled.
"""

import fractions
from dataclasses import dataclass, replace

import numpy as np
from flint import fmpz_mat
from jaxtyping import Float, Int

from sigfft.argmaxability.proofs.exact import entries, integers, matrix
from sigfft.argmaxability.search.system import EPS, System, rounded

_STRETCH = 1e9  # at most so much in one step: floats see that far
_BLUR = 1e-6  # a step costs a row 9 of its 16 digits at most
_BROKEN = 10  # rows per dimension that are made of those that an x breaks
_BITS = 64  # of the basis at first, and more with each step


@dataclass(frozen=True, eq=False)
class Frame:
    """Unit rows in the coordinates x' of x = basis @ x', up to a positive factor.

    Attributes:
      basis: (D, rank), whole numbers of any size.
      rows: (constraints, rank), of length 1; all digits of those that were `sharpened` are right.
      errors: estimates of how far the rows are off; a row that a stretch all but cancels loses its digits.
      depth: how often it was stretched.
    """

    basis: np.ndarray
    rows: Float[np.ndarray, "constraints rank"]
    errors: Float[np.ndarray, " constraints"]
    depth: int = 0

    @classmethod
    def of(cls, rows: Float[np.ndarray, "constraints rank"], to_solution: Float[np.ndarray, "D rank"]) -> "Frame":
        """The frame of a float basis, and of unit rows in it."""
        return cls(integers(to_solution), *_unit(rows, np.full(len(rows), EPS * np.linalg.norm(to_solution, 2))))

    def sharpened(
        self, system: System, ids: Int[np.ndarray, " ids"]
    ) -> tuple["Frame", Float[np.ndarray, " ids"], Int[np.ndarray, " ids"]]:
        """The frame with some rows made exactly and rounded once; and their lengths before, as size · 2^exponent."""
        whole, exponents = system.whole(ids)
        made = matrix(whole) * matrix(self.basis)
        rows, sizes, shifts = rounded(entries(made))
        every, errors = self.rows.copy(), self.errors.copy()
        every[ids], errors[ids] = rows, EPS
        return replace(self, rows=every, errors=errors), sizes, shifts + exponents

    def cleared(self, system: System, ids: Int[np.ndarray, " ids"]) -> "Frame":
        """The frame with all digits of some rows, of which those are made that have lost any."""
        return self.sharpened(system, ids[self.errors[ids] > EPS])[0]

    @property
    def blurred(self) -> Int[np.ndarray, " ids"]:
        """Rows that have lost more digits than a program can do without."""
        return np.flatnonzero(self.errors > _BLUR)

    def stretched(self, ids: Int[np.ndarray, " ids"]) -> "Frame":
        """The frame in which the given rows are white, as far as one step gets; other rows follow in floats."""
        _, singular, directions = np.linalg.svd(self.rows[ids], full_matrices=True)
        sizes = np.zeros(len(directions))
        sizes[: len(singular)] = singular
        step = directions.T / np.maximum(sizes, sizes[0] / _STRETCH)
        product = matrix(self.basis) * matrix(integers(step))
        basis = _cut(product, _BITS + 40 * (self.depth + 1))
        rows, errors = _unit(self.rows @ step, (self.errors + EPS) * np.linalg.norm(step, 2))
        return Frame(basis, rows, errors, self.depth + 1)

    def look(
        self,
        system: System,
        signs: Float[np.ndarray, " constraints"],
        x: Float[np.ndarray, " rank"],
        thin: bool,
    ) -> tuple["Frame", Float[np.ndarray, " constraints"]]:
        """row·x of all rows, and the frame with a share of those made that x breaks: the worst, and some of all others.

        Of other blurred rows the sign alone is told, by an infinite product: x is multiplied by all rows exactly, which
        is much less work than to make all of them. Where x is in a thin cone it says little about them, and they count
        as broken.
        """
        ids = self.blurred[~system.silent[self.blurred]]
        if not len(ids):
            return self, self.rows @ x
        frame, products = self, -np.inf * signs
        if not thin:
            cosines = system.cosines(self.solution(x))
            wrong = ids[signs[ids] * cosines[ids] <= 0]
            share = _BROKEN * len(x)
            worst = wrong[np.argsort(signs[wrong] * cosines[wrong])[:share]]
            frame = self.sharpened(system, np.union1d(worst, wrong[:: 1 + len(wrong) // share]))[0]
            products = np.inf * signs
        return frame, np.where(frame.errors <= _BLUR, frame.rows @ x, products)

    def floats(self) -> Float[np.ndarray, "D rank"]:
        """The basis, rounded, and divided so that no entry is larger than 1."""
        values = self.basis.ravel().tolist()
        scale = 1 << max(map(int.bit_length, values))
        return np.array([float(fractions.Fraction(value, scale)) for value in values]).reshape(self.basis.shape)

    def solution(self, x: Float[np.ndarray, " rank"] | list[int]) -> list[int]:
        """x, in floats or in whole numbers, in the coordinates of the system, exactly, up to a positive factor."""
        given = np.array(x, object) if isinstance(x, list) else integers(x)
        return entries(matrix(self.basis) * matrix(given[:, None]))[:, 0].tolist()


def _cut(product: fmpz_mat, bits: int) -> np.ndarray:
    """A matrix divided by a power of two: so many bits are left of the largest entry of each column, or more."""
    whole = entries(product)
    least = min(max(map(int.bit_length, column)) for column in whole.T.tolist())
    return whole >> max(0, least - bits)


def _unit(rows: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of length 1, and their errors in that unit; a zero row stays zero."""
    sizes = np.linalg.norm(rows, axis=1)
    sizes = np.where(sizes > 0, sizes, 1.0)
    return rows / sizes[:, None], errors / sizes
