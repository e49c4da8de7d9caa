"""The sign system of a layer: a label set asks for z with s_i (row_i · z) > 0 for every i."""

import functools
from dataclasses import dataclass, field

import numpy as np
from flint import fmpz_mat
from jaxtyping import Bool, Float, Int

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.exact import matrix

EPS = float(np.finfo(np.float64).eps)
_CANCELLED = 1 / 64  # a projected row so much shorter than its terms is made exactly
_RANGE = 900  # powers of two that rows made exactly are brought into


@dataclass(frozen=True, eq=False)
class System:
    """The rows that every label set of one layer shares; a label set only chooses the signs of its labels.

    The columns behind the weights, of the bias and of the level, are multiplied by powers of two, so that neither the
    search nor a margin depends on the scale of the weights. The layer's constraints, always on, follow its labels.
    """

    layer: Layer
    rows: Float[np.ndarray, "constraints D"]  # the layer's, times 2 ** exponents; beyond floats, multiples of them
    units: Float[np.ndarray, "constraints D"]  # rows / ‖row‖; a zero row stays zero
    exponents: Int[np.ndarray, " D"]
    silent: Bool[np.ndarray, " constraints"] = field(repr=False)  # zero rows: their logit is 0 for every activation

    @classmethod
    def of(cls, layer: Layer) -> "System":
        """The sign system of a layer, scaled."""
        rows = layer.rows(np.arange(layer.n_constraints))
        if layer.projection is not None:
            sizes = np.abs(rows).max(axis=1)
            _make_exactly(layer, rows, np.flatnonzero(~((sizes > 2.0**-_RANGE) & (sizes < 2.0**_RANGE))))
        weight = rows[: layer.n_labels, : layer.dim]
        exponents = np.array([0] * layer.dim + [_exponent(weight, column) for column in rows[:, layer.dim :].T], int)
        if len(exponents) > layer.dim:  # else all exponents are 0, and a copy of W is spared
            rows = np.ldexp(rows, exponents)
        if layer.projection is not None:
            _make_exactly(layer, rows, _cancelled(layer, rows, exponents), exponents)
        units = unit_rows(rows)
        return cls(layer, rows, units, exponents, np.asarray(~units.any(axis=1)))

    @property
    def width(self) -> int:
        """Columns, D."""
        return self.rows.shape[1]

    def whole(self, ids: Int[np.ndarray, " ids"]) -> tuple[np.ndarray, Int[np.ndarray, " ids"]]:
        """Some rows exactly: each is its whole numbers times 2^exponent."""
        return self.layer.whole(ids, self.exponents)

    @functools.cached_property
    def _every(self) -> tuple[fmpz_mat, Int[np.ndarray, " constraints"]]:
        """All rows exactly, as a matrix that is multiplied fast; and the bits of each row."""
        whole, _ = self.whole(np.arange(len(self.rows)))
        return matrix(whole), np.array([max(map(int.bit_length, row)) for row in whole.tolist()])

    def cosines(self, solution: list[int]) -> Float[np.ndarray, " constraints"]:
        """row·solution of all rows, exactly but for the last rounding, and divided by the sizes of both.

        Sizes are those of the largest entry, up to a factor of 2; the signs are exact.
        """
        every, sizes = self._every
        made = [int(value) for value in (every * fmpz_mat(len(solution), 1, solution)).entries()]
        shifts = [max(0, value.bit_length() - 60) for value in made]
        floats = np.array([value >> shift for value, shift in zip(made, shifts, strict=True)], float)
        return np.ldexp(floats, shifts - sizes - max(map(int.bit_length, solution)))

    @property
    def unit_error(self) -> float:
        """Bound on |fl(u_i·z) − u_i·z| / ‖z‖, u_i the exact unit rows.

        Reference: Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1.
        """
        return (self.units.shape[1] + 16) * EPS + self.row_error

    @property
    def row_error(self) -> float:
        """Bound on the length of the unit rows' error, where it is more than that of rounding them."""
        return 0.0 if self.layer.projection is None else (self.layer.weight.shape[1] + 16) * EPS / _CANCELLED

    def active(self, label_set: Int[np.ndarray, " width"]) -> Int[np.ndarray, " ids"]:
        """Ids of the constraints with sign +1: the labels of a padded set, and those that every set has."""
        return np.append(label_set[label_set < self.layer.n_labels], np.arange(self.layer.n_labels, len(self.rows)))

    def held(self, label_set: Int[np.ndarray, " width"]) -> Int[np.ndarray, " ids"]:
        """Of the active ones those that a search holds from the start: all but the bounds of a domain, often many."""
        ids, n = label_set[label_set < self.layer.n_labels], self.layer.n_labels
        return np.append(ids, np.arange(n, n + self.layer.has_constant))

    def signs(self, padded: Int[np.ndarray, "sets width"]) -> Float[np.ndarray, "sets constraints"]:
        """The dense signs of a few label sets: make them for a batch, never for a data set."""
        return self.flip(padded, np.full((len(padded), len(self.rows)), -1.0))

    def flip(
        self, padded: Int[np.ndarray, "sets width"], values: Float[np.ndarray, "sets constraints"]
    ) -> Float[np.ndarray, "sets constraints"]:
        """`values`, changed in place: negated where the sign is +1."""
        sets, columns = np.nonzero(padded < self.layer.n_labels)
        values[sets, padded[sets, columns]] *= -1
        values[:, self.layer.n_labels :] *= -1
        return values

    def margins(
        self, padded: Int[np.ndarray, "sets width"], solutions: Float[np.ndarray, "sets D"]
    ) -> Float[np.ndarray, "sets constraints"]:
        """s_i (u_i·z) for each set's own z; infinite where the row is zero and asks nothing."""
        margins = self.flip(padded, -solutions @ self.units.T)
        margins[:, self.silent] = np.inf
        return margins

    def yielded(self, solutions: Float[np.ndarray, "*sets D"], cardinality: int) -> Bool[np.ndarray, "*sets labels"]:
        """The labels that are on at solutions of any set; `cardinality` as `Rule.yielded`."""
        return self.layer.rule.yielded(solutions @ self.rows[: self.layer.n_labels].T, cardinality)

    def witness(self, solution: Float[np.ndarray, "*sets D"]) -> Float[np.ndarray, "*sets dim"]:
        """Activations of the layer from solutions of the system: the stored coordinate of the bias scaled to 1."""
        if self.layer.positive is None:
            return solution[..., : self.layer.dim]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratios = solution[..., : self.layer.dim] / solution[..., self.layer.positive, None]
            return np.ldexp(ratios, -self.exponents[self.layer.positive])


def unit_rows(rows: Float[np.ndarray, "labels D"]) -> Float[np.ndarray, "labels D"]:
    """Each row divided by its Euclidean length; zero rows stay zero. Free of overflow and underflow."""
    scaled, _ = _scaled(rows)
    scaled_lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled / np.where(scaled_lengths == 0, 1.0, scaled_lengths)


def lengths(rows: Float[np.ndarray, "labels D"]) -> Float[np.ndarray, " labels"]:
    """The Euclidean length of each row, at most the largest float64. Free of overflow and underflow."""
    scaled, exponents = _scaled(rows)
    with np.errstate(over="ignore"):
        return np.minimum(np.ldexp(np.linalg.norm(scaled, axis=1), exponents[:, 0]), np.finfo(np.float64).max)


def _scaled(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows divided by the power of two above their largest entry, which is exact, and its exponent."""
    exponents = np.frexp(np.abs(rows).max(axis=1, keepdims=True))[1]
    return np.ldexp(rows, -exponents), exponents


def rounded(
    whole: np.ndarray,
) -> tuple[Float[np.ndarray, "rows columns"], Float[np.ndarray, " rows"], Int[np.ndarray, " rows"]]:
    """Rows of integers as unit rows, and their lengths as size · 2^exponent; a zero row has the size 0."""
    floats, exponents = np.empty(whole.shape), np.empty(len(whole), int)
    for i, values in enumerate(whole.tolist()):
        exponents[i] = shift = max(0, max(map(int.bit_length, values)) - 900)
        floats[i] = [float(value >> shift) for value in values] if shift else [float(value) for value in values]
    powers = np.frexp(np.abs(floats).max(axis=1))[1]
    floats = np.ldexp(floats, -powers[:, None])
    sizes = np.linalg.norm(floats, axis=1)
    return floats / np.where(sizes > 0, sizes, 1.0)[:, None], sizes, exponents + powers


def _cancelled(layer: Layer, rows: Float[np.ndarray, "constraints D"], exponents: Int[np.ndarray, " D"]) -> np.ndarray:
    """Ids of the labels of which the projection has cancelled so much that few digits may be left in floats."""
    own = layer.logit_rows(np.arange(layer.n_labels))
    with np.errstate(over="ignore", invalid="ignore"):
        fed = np.ldexp(layer.feed, exponents[: layer.feed.shape[1]])
        terms = lengths(own[:, : layer.weight.shape[1]]) * lengths(fed[:, : layer.dim].reshape(1, -1))
        if layer.has_constant:
            terms += lengths(own) * lengths(fed[:, -1:].reshape(1, -1))
    sizes = lengths(rows[: layer.n_labels, : layer.dim + layer.has_constant])
    return np.flatnonzero(~(sizes > _CANCELLED * terms))


def _make_exactly(layer: Layer, rows: np.ndarray, ids: np.ndarray, exponents: np.ndarray | int = 0) -> None:
    """Replace rows by the exact ones, rounded; by a multiple where floats do not hold them. In place."""
    if len(ids):
        whole, powers = layer.whole(ids, exponents)
        units, sizes, own = rounded(whole)
        rows[ids] = np.ldexp(units * sizes[:, None], np.clip(powers + own, -_RANGE, _RANGE)[:, None])


def _exponent(weight: np.ndarray, column: np.ndarray) -> int:
    """The power of two that brings a column to the length of the rows, by their medians: one huge bias says little.

    It leaves every entry exact, those of the constraints too: none overflows, and none falls below the smallest normal
    number.
    """
    rows, entries = lengths(weight), np.abs(column[: len(weight)])
    rows, entries, every = rows[rows > 0], entries[entries > 0], np.abs(column[column != 0])
    if not len(rows) or not len(entries):
        return 0
    size, own = (int(np.frexp(np.partition(x, len(x) // 2)[len(x) // 2])[1]) for x in (rows, entries))
    lowest, highest = -1021 - int(np.frexp(every.min())[1]), 1024 - int(np.frexp(every.max())[1])
    return max(-1000, min(0, lowest), min(size - own, highest, 1000))
