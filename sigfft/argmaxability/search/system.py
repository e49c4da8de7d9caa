"""The sign system of a layer: a label set asks for z with s_i (row_i · z) > 0 for every i."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Int

from sigfft.argmaxability.layer import Layer

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class System:
    """The rows that every label set of one layer shares; a label set only chooses their signs.

    The columns behind the weights, of the bias and of the level, are multiplied by powers of two, so that neither the
    search nor a margin depends on the scale of the weights. `units` has the layer's constraints behind its labels:
    their sign is always +1.
    """

    layer: Layer
    rows: Float[np.ndarray, "labels D"]  # the layer's, times 2 ** exponents
    units: Float[np.ndarray, "constraints D"]  # rows / ‖row‖; a zero row stays zero
    exponents: Int[np.ndarray, " D"]
    silent: Bool[np.ndarray, " constraints"] = field(repr=False)  # zero rows: their logit is 0 for every activation

    @classmethod
    def of(cls, layer: Layer) -> Self:
        """The sign system of a layer, scaled."""
        rows = np.ascontiguousarray(layer.rows(np.arange(layer.n_constraints)))
        weight, columns = rows[: layer.n_labels, : layer.dim], rows[: layer.n_labels, layer.dim :].T
        exponents = np.array([0] * layer.dim + [_exponent(weight, column) for column in columns])
        scaled = np.ldexp(rows[: layer.n_labels], exponents) if len(columns) else rows
        behind = rows[layer.n_labels :]
        units = unit_rows(np.vstack([scaled, behind]) if len(behind) else scaled)
        return cls(layer, scaled, units, exponents, np.asarray(~units.any(axis=1)))

    @property
    def n_labels(self) -> int:
        """Number of labels of the layer."""
        return len(self.rows)

    @property
    def n_constraints(self) -> int:
        """Labels, and the constraints that every set has."""
        return len(self.units)

    @property
    def stored(self) -> Float[np.ndarray, "labels D"]:
        """The augmented rows as they are stored, in the units of the layer's activations."""
        return np.ldexp(self.rows, -self.exponents)

    @property
    def unit_error(self) -> float:
        """Bound on |fl(u_i·z) − u_i·z| / ‖z‖, u_i the exact unit rows.

        Reference: Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1.
        """
        return (self.units.shape[1] + 16) * EPS

    def active(self, label_set: Int[np.ndarray, " width"]) -> Int[np.ndarray, " ids"]:
        """Ids of the constraints with sign +1: the labels of a padded set, and those that every set has."""
        return np.append(label_set[label_set < self.n_labels], np.arange(self.n_labels, self.n_constraints))

    def signs(self, padded: Int[np.ndarray, "sets width"]) -> Float[np.ndarray, "sets constraints"]:
        """The dense signs of a few label sets: make them for a batch, never for a data set."""
        return self.flip(padded, np.full((len(padded), self.n_constraints), -1.0))

    def flip(
        self, padded: Int[np.ndarray, "sets width"], values: Float[np.ndarray, "sets constraints"]
    ) -> Float[np.ndarray, "sets constraints"]:
        """`values`, changed in place: negated where the sign is +1."""
        sets, columns = np.nonzero(padded < self.n_labels)
        values[sets, padded[sets, columns]] *= -1
        values[:, self.n_labels :] *= -1
        return values

    def margins(
        self, padded: Int[np.ndarray, "sets width"], solutions: Float[np.ndarray, "sets D"]
    ) -> Float[np.ndarray, "sets constraints"]:
        """s_i (u_i·z) for each set's own z; infinite where the row is zero and asks nothing."""
        margins = self.flip(padded, -solutions @ self.units.T)
        margins[:, self.silent] = np.inf
        return margins

    def witness(self, solution: Float[np.ndarray, "*sets D"]) -> Float[np.ndarray, "*sets dim"]:
        """Activations of the layer from solutions of the system: the stored coordinate of the bias scaled to 1."""
        if self.layer.positive is None:
            return solution[..., : self.layer.dim]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratios = solution[..., : self.layer.dim] / solution[..., self.layer.positive, None]
            return np.ldexp(ratios, -self.exponents[self.layer.positive])

    def solution(
        self, padded: Int[np.ndarray, "sets width"], witness: Float[np.ndarray, "sets dim"]
    ) -> Float[np.ndarray, "sets D"]:
        """Solutions of the system from activations: 1 for the bias, and for top-k the threshold between the logits."""
        columns = [witness]
        if self.layer.positive is not None:
            columns.append(np.full((len(witness), 1), np.ldexp(1.0, -self.exponents[self.layer.positive])))
        if self.layer.rule.free_level:
            logits = np.column_stack(columns) @ self.rows[:, :-1].T
            on = self.signs(padded)[:, : self.n_labels] > 0
            low = np.where(on, logits, np.inf).min(axis=1)
            high = np.where(on, -np.inf, logits).max(axis=1)
            low, high = np.where(np.isinf(low), high + 2, low), np.where(np.isinf(high), low - 2, high)
            columns.append(np.ldexp(-(low + high)[:, None] / 2, -self.exponents[-1]))
        return np.column_stack(columns)


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
    """Rows divided by the power of two above their largest entry, and its exponent."""
    exponents = np.frexp(np.abs(rows).max(axis=1, keepdims=True))[1]
    return np.ldexp(rows, -exponents), exponents


def _exponent(weight: np.ndarray, column: np.ndarray) -> int:
    """The power of two that brings a column to the length of the rows, by their medians: one huge bias says little.

    It leaves every entry exact: none overflows, and none falls below the smallest normal number.
    """
    rows, entries = lengths(weight), np.abs(column[column != 0])
    if not rows.any() or not len(entries):
        return 0
    size, own = (int(np.frexp(np.partition(x, len(x) // 2)[len(x) // 2])[1]) for x in (rows[rows > 0], entries))
    lowest, highest = -1021 - int(np.frexp(entries.min())[1]), 1024 - int(np.frexp(entries.max())[1])
    return max(-1000, min(0, lowest), min(size - own, highest, 1000))
