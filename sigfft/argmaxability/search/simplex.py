"""The simplex method in exact arithmetic: the last resort, which always ends.

    max t  subject to  a_i·x >= t,  |x_j| <= 1        a_i = s_i row_i, in a frame

Its dual has D + 1 equations, Σ y_i a_i + u − v = 0 and Σ y_i = 1: a basis holds rows, and bounds of coordinates that no
row has taken the place of yet. Where no bound is left with a share, the multipliers y are a certificate. Floats only
say which rows to look at.

Reference: Bland, New finite pivoting rules for the simplex method (1977), which is followed where t does not fall.
"""

import operator
from typing import NamedTuple

import numpy as np
from flint import fmpq_mat, fmpz_mat
from jaxtyping import Int

from sigfft.argmaxability.proofs.exact import entries, matrix
from sigfft.argmaxability.search.clock import Clock
from sigfft.argmaxability.search.frame import Frame
from sigfft.argmaxability.search.system import EPS, System

_ROWS = 2  # looked at exactly in one go, per dimension, of those that floats find lowest
_BITS = 512  # of x, where the rows are compared


class Vertex(NamedTuple):
    """Where the method ended: an exact x in the frame with a_i·x > 0 for all rows; or rows that cancel.

    `shares` are the multipliers of those rows as `System.whole` has them.
    """

    x: list[int] | None
    holding: Int[np.ndarray, " rows"]
    shares: list[int]


def solve(system: System, frame: Frame, signs: np.ndarray, clock: Clock) -> Vertex:
    """Decide whether the signed rows have a common x, exactly.

    Args:
      system: the rows.
      frame: coordinates in which floats are a good guide.
      signs: of the rows.
      clock: how long it may take.

    Raises:
      OutOfTime: the clock has run down.
    """
    return _Simplex(system, frame, signs).run(clock)


class _Simplex:
    """Labels of columns: the id of a row, or −1 − j for the bound of coordinate j, on the side `sides[j]`."""

    def __init__(self, system: System, frame: Frame, signs: np.ndarray):
        self.system, self.frame, self.signs = system, frame, signs.astype(int)
        self.asks, self.rank = np.flatnonzero(~system.silent), frame.rows.shape[1]
        self.made: dict[int, list[int]] = {}
        self.seen: set[int] = set()  # rows that an x has broken: mostly a later one breaks one of them again
        first = int(self.asks[0])
        self.make(np.array([first]))
        self.basis = [first, *(-1 - j for j in range(self.rank))]
        self.sides = [1 if value <= 0 else -1 for value in self.made[first][:-1]]

    def run(self, clock: Clock) -> Vertex:
        """Pivot until x separates, or nothing but rows has a share."""
        stalled, lowest, unit = 0, 1, 0  # t has not fallen below lowest / unit in so many steps
        while True:
            clock.look()
            square = fmpz_mat([self.column(label) for label in self.basis])
            point, scale = _solved(square, [[int(label < 0)] for label in self.basis])
            x, t = [-value for value in point[0][:-1]], point[0][-1]
            if t * unit < lowest * scale:
                stalled, lowest, unit = 0, t, scale
            else:
                stalled += 1
            entering = self.entering(x, t, scale, careful=stalled > 2 * self.rank)
            if entering is None and t > 0:
                return Vertex(x, np.zeros(0, int), [])
            right = [[value, 0] for value in self.column(self.basis[0] if entering is None else entering)]
            right[-1][1] = 1
            (falls, shares), _ = _solved(square.transpose(), right)
            if entering is None or not any(s for s, label in zip(shares, self.basis, strict=True) if label < 0):
                held = sorted((label, share) for share, label in zip(shares, self.basis, strict=True) if share)
                return Vertex(None, np.array([label for label, _ in held]), [share for _, share in held])
            self.basis[self.leaving(falls, shares)] = entering

    def entering(self, x: list[int], t: int, scale: int, careful: bool) -> int | None:
        """The column that x breaks most, or where `careful` the one of the least label; None where x separates."""
        unit = max(scale, *map(abs, x))  # beyond the bounds, x may be larger than floats
        floats = np.array([value / unit for value in x])
        margins = self.signs[self.asks] * (self.frame.rows[self.asks] @ floats)
        error = (self.rank + 16) * EPS * np.linalg.norm(floats)
        order = self.asks[np.argsort(margins)]
        if margins.min() > -error:
            lowest = order[: int((margins <= error).sum())]
            if all(value > 0 for value in self.products(lowest, x)):
                return None
        left = order[: int((margins <= t / unit + error).sum())]
        entering, shift = None, max(0, min(t, scale).bit_length() - _BITS)
        short = [value >> shift for value in x], t >> shift, scale >> shift
        if not careful:  # so many digits tell the order most often; what they do not tell, all of them do
            entering = self.broken(left[np.isin(left, list(self.seen))], *short, careful)
        if entering is None and shift and not careful:
            entering = self.broken(left, *short, careful)
        if entering is None:
            entering = self.broken(left, x, t, scale, careful)
        if entering is not None and entering < 0:
            self.sides[-1 - entering] = -1 if x[-1 - entering] > 0 else 1
        return entering

    def broken(self, left: Int[np.ndarray, " ids"], x: list[int], t: int, scale: int, careful: bool) -> int | None:
        """As `entering`, of the bounds and of the rows that are left, lowest first."""
        held, unit = set(self.basis), max(scale, *map(abs, x))
        over = [(j, abs(value)) for j, value in enumerate(x) if abs(value) > scale and -1 - j not in held]
        broken = [((scale - size) / unit, -1 - j) for j, size in over]
        left = left[[i not in held for i in left.tolist()]]
        for some in np.split(left, range(_ROWS * self.rank, len(left), _ROWS * self.rank)):
            for i, value in zip(some.tolist(), self.products(some, x), strict=True):
                size = self.made[i][-1]
                if value < t * size:
                    broken.append(((value - t * size) / (unit * size), i))
                    self.seen.add(i)
            if broken and not careful:
                break
        if not broken:
            return None
        return min(label for _, label in broken) if careful else min(broken)[1]

    def products(self, ids: Int[np.ndarray, " ids"], x: list[int]) -> list[int]:
        """a_i·x of some rows; Python multiplies as fast as it would make the matrices of flint."""
        self.make(ids)
        return [sum(map(operator.mul, self.made[i], x)) for i in ids.tolist()]

    def leaving(self, falls: list[int], shares: list[int]) -> int:
        """The place whose share falls to zero first; of equals that of the least label, so that there is no circle."""
        best = -1
        for place, (fall, share) in enumerate(zip(falls, shares, strict=True)):
            if fall <= 0:
                continue
            ahead = -1 if best < 0 else share * falls[best] - shares[best] * fall
            if ahead < 0 or (ahead == 0 and self.basis[place] < self.basis[best]):
                best = place
        return best

    def column(self, label: int) -> list[int]:
        """A signed row in the frame and the size that its margin is measured in; or a bound, which has no margin."""
        if label >= 0:
            return self.made[label]
        return [self.sides[j] if j == -1 - label else 0 for j in range(self.rank)] + [0]

    def make(self, ids: Int[np.ndarray, " ids"]) -> None:
        """Columns of rows that have not been needed before."""
        new = np.array([i for i in ids.tolist() if i not in self.made], int)
        if len(new):
            made = entries(matrix(self.system.whole(new)[0]) * matrix(self.frame.basis))
            for i, row in zip(new.tolist(), made.tolist(), strict=True):
                signed = [value * int(self.signs[i]) for value in row]
                self.made[i] = [*signed, 1 << max(map(int.bit_length, signed))]


def _solved(matrix: fmpz_mat, right: list[list[int]]) -> tuple[list[list[int]], int]:
    """The columns of the solution, each times the same positive number, and that number."""
    numerators, scale = fmpq_mat(matrix).solve(fmpq_mat(fmpz_mat(right))).numer_denom()
    sign = 1 if scale > 0 else -1
    columns = [[sign * int(value) for value in column] for column in numerators.transpose().tolist()]
    return columns, sign * int(scale)
