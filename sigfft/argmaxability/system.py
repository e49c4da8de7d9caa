"""A decision rule and a label set as one homogeneous sign system: find z with s_i (row_i · z) > 0 for every i."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from sigfft import labels as label_sets
from sigfft.argmaxability.exact import RULES, check_rule, exact64

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class System:
    """The rows that every label set of one layer shares; a label set only chooses their signs.

    The id `n_labels` stands for the row that keeps the coordinate of the bias positive; its sign is always +1.
    It is the last row of `units`, and only there when the layer has a bias.
    """

    rows: Float[np.ndarray, "labels D"]  # augmented rows: the stored values times 2 ** exponents
    units: Float[np.ndarray, "constraints D"]  # rows / ‖row‖, then the row of `positive`; a zero row stays zero
    rule: str
    dim: int
    positive: int | None  # coordinate that must be > 0
    exponents: Int[np.ndarray, " D"]  # of the powers of two that bring bias and level to the size of the weights
    silent: Bool[np.ndarray, " constraints"] = field(repr=False)  # zero rows: their logit is 0 for every activation

    @property
    def n_labels(self) -> int:
        """Number of labels of the layer."""
        return len(self.rows)

    @property
    def n_constraints(self) -> int:
        """Labels, and one more where the coordinate of the bias must be positive."""
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
        """Ids of the constraints with sign +1: the labels of a padded set, and the constraint of the bias."""
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
        if self.positive is None:
            return solution[..., : self.dim]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratios = solution[..., : self.dim] / solution[..., self.positive, None]
            return np.ldexp(ratios, -self.exponents[self.positive])

    def solution(
        self, padded: Int[np.ndarray, "sets width"], witness: Float[np.ndarray, "sets dim"]
    ) -> Float[np.ndarray, "sets D"]:
        """Solutions of the system from activations: 1 for the bias, and for top-k the threshold between the logits."""
        columns = [witness]
        if self.positive is not None:
            columns.append(np.full((len(witness), 1), np.ldexp(1.0, -self.exponents[self.positive])))
        if self.rule != "threshold":
            logits = np.column_stack(columns) @ self.rows[:, :-1].T
            on = self.signs(padded)[:, : self.n_labels] > 0
            low = np.where(on, logits, np.inf).min(axis=1)
            high = np.where(on, -np.inf, logits).max(axis=1)
            low, high = np.where(np.isinf(low), high + 2, low), np.where(np.isinf(high), low - 2, high)
            columns.append(np.ldexp(-(low + high)[:, None] / 2, -self.exponents[-1]))
        return np.column_stack(columns)


def homogenize(
    weight: Float[np.ndarray, "labels dim"], bias: Float[np.ndarray, " labels"] | None = None, rule: str = "threshold"
) -> System:
    """The sign system of a layer under a decision rule.

    threshold: rows w_i, with a bias [w_i, b_i] and the last coordinate positive. top_k and argmax: a free last
    coordinate (minus the threshold between the logits) with 1 in every row. The columns of the bias and of the level
    are then multiplied by powers of two, so that neither the search nor a margin depends on the scale of the weights.

    Args:
      weight: (n_labels, dim), float16, bfloat16, float32 or float64, finite.
      bias: (n_labels,) or None.
      rule: "threshold", "argmax" or "top_k".

    Raises:
      ValueError: an array has the wrong shape or dtype, or holds NaN or infinity; or the rule is unknown.
    """
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}; the rules are {', '.join(RULES)}")
    weight = _finite(weight, "weight")
    if weight.ndim != 2 or not weight.size:
        raise ValueError(f"weight must be (n_labels, dim), both at least 1; given shape {weight.shape}")
    columns = [weight]
    if bias is not None:
        bias = _finite(bias, "bias")
        if bias.shape != (len(weight),):
            raise ValueError(f"bias must be (n_labels,) = ({len(weight)},); given shape {bias.shape}")
        columns.append(bias[:, None])
    if rule != "threshold":
        columns.append(np.ones((len(weight), 1)))
    exponents = np.array([0] * weight.shape[1] + [_exponent(weight, column) for column in columns[1:]])
    rows = np.ldexp(np.hstack(columns), exponents) if len(columns) > 1 else weight
    positive = None if bias is None else weight.shape[1]
    units = unit_rows(rows)
    if positive is not None:
        units = np.vstack([units, np.eye(rows.shape[1])[positive]])
    return System(rows, units, rule, weight.shape[1], positive, exponents, np.asarray(~units.any(axis=1)))


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


def pad_sets(
    sets: label_sets.LabelSets, system: System, max_cardinality: int | None = None
) -> Int[np.ndarray, "sets width"]:
    """Label sets as one padded array, checked against the layer and its rule.

    Raises:
      ValueError: an id is out of range or repeated, or an argmax set has not exactly one label.
    """
    padded = label_sets.pad(sets, system.n_labels, max_cardinality)
    check_rule(system.rule, padded, system.n_labels)
    return padded


def _finite(array: np.ndarray, name: str) -> Float[np.ndarray, "..."]:
    wide = np.ascontiguousarray(exact64(array, name))
    if not np.isfinite(wide).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(wide))[0])
        raise ValueError(f"{name} must be finite; it holds {wide[where]} at index {where}")
    return wide
