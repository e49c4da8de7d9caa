"""ε-argmaxability, the published measure: which label sets have a region with room for a ball of radius ε."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.report import Report
from sigfft.argmaxability.rules import named
from sigfft.argmaxability.search.system import EPS, lengths, unit_rows

EPSILON, BOX = 1e-8, 1e4  # the paper's
_STEPS = 50  # of the simplex method for each unknown, which takes a few: where rounding has it go in circles, it ends
LARGEST_BOX = 1e6  # float64 numbers are 1e-10 apart there: EPSILON has two digits left


@dataclass(frozen=True)
class Chebyshev:
    """The Chebyshev radius of a label set's region, and its centre; both None where the region is empty."""

    radius: float | None
    centre: Float[np.ndarray, " dim"] | None

    def argmaxable(self, epsilon: float = 0.0) -> bool:
        """Whether the region holds a ball of radius above `epsilon`: the paper's ε-argmaxability."""
        return self.radius is not None and self.radius > epsilon


def chebyshev(
    weight: Float[np.ndarray, "labels dim"],
    labels: Sequence[int] | Int[np.ndarray, " ids"],
    bias: Float[np.ndarray, " labels"] | None = None,
    box: float = 1e4,
) -> Chebyshev:
    """The largest ball inside a label set's region under the threshold rule: one LP with all rows, in floating point.

    maximise ε subject to s_i (w_i·z + b_i) >= ε ‖w_i‖ and |z_j| <= box. A label with zero weights takes no room; where
    it is on and its bias is not positive, or off and its bias is, the region is empty.

    Args:
      weight: (n_labels, dim).
      labels: ids of the active labels.
      bias: (n_labels,) or None.
      box: bound on each coordinate of z; the radius of a set without a bias grows with it.

    Raises:
      ValueError: bad weights or ids, or a box that is not positive.
      RuntimeError: HiGHS gave neither an optimum nor a proof of infeasibility.

    Reference: Grivas, Vergari and Lopez, Taming the Sigmoid Bottleneck (2024), arXiv 2310.10443, section 4.
    """
    if not box > 0:
        raise ValueError(f"box must be positive; given {box}")
    layer = Layer.of(weight, bias)
    stored = layer.rows(np.arange(layer.n_labels))
    rows, offset = stored[:, : layer.dim], np.zeros(len(stored)) if bias is None else stored[:, layer.dim]
    signs = _signs(layer.pad([labels])[0], layer.n_labels)
    sizes = lengths(rows)
    asks = sizes > 0
    if ((signs > 0) != (offset > 0))[~asks].any():  # not left to the solver's tolerance
        return Chebyshev(None, None)
    signs, units = signs[asks], unit_rows(rows[asks])
    with np.errstate(over="ignore"):
        distances = np.nan_to_num(offset[asks] / sizes[asks])
    from scipy.optimize import linprog  # takes longer to import than all of sigfft; most checks never get here

    result = linprog(
        np.append(np.zeros(layer.dim), -1.0),
        A_ub=np.column_stack([-signs[:, None] * units, np.ones(len(units))]),
        b_ub=signs * distances,
        bounds=[(-box, box)] * layer.dim + [(0, None)],
        method="highs",
        options={"maxiter": _STEPS * (20 + layer.dim)},
    )
    if result.status == 2:
        return Chebyshev(None, None)
    if result.status != 0 or result.x is None:
        raise RuntimeError(f"HiGHS stopped without an answer: {result.message}")
    return Chebyshev(float(result.x[-1]), result.x[:-1])


def epsilon_argmaxable(
    weight: Float[np.ndarray, "labels dim"],
    report: Report,
    bias: Float[np.ndarray, " labels"] | None = None,
    epsilon: float = EPSILON,
    box: float = BOX,
) -> Bool[np.ndarray, " sets"]:
    """Whether the region of each set of a report, within |z_j| <= box, holds a ball of radius above `epsilon`.

    A witness is a ball's centre, and the upper bound of the margin bounds every ball: they settle most sets. The
    others cost one linear program with all rows each, whose answer is floating point and not proved.

    Args:
      weight: (n_labels, dim), the weights that the report is about.
      report: of `check` under the threshold rule.
      bias: (n_labels,) or None.
      epsilon: the least radius, in units of z, at least 0.
      box: bound on the coordinates of the centre, at most 1e6.

    Raises:
      ValueError: another rule than threshold, an epsilon below 0, a box that is not positive or
        too large, weights that do not fit.
      RuntimeError: HiGHS stopped without an answer.

    Reference: Grivas, Vergari and Lopez, Taming the Sigmoid Bottleneck (2024), arXiv 2310.10443, section 4.
    """
    check_epsilon(report.layer.rule, epsilon, box)
    layer = Layer.of(weight, bias)
    units = unit_rows(layer.rows(np.arange(layer.n_labels)))
    answers = np.zeros(len(report), bool)
    for i, (label_set, verdict) in enumerate(zip(report.label_sets, report.verdicts, strict=True)):
        if verdict.status == "unargmaxable":
            continue
        lower = -1.0
        if verdict.witness is not None:
            lower = _radius(units, _signs(label_set, layer.n_labels), np.asarray(verdict.witness), box)
        # without a bias, no z of the box is longer than √dim·box
        upper = verdict.margin[1] * layer.dim**0.5 * box * (1 + 1e-12) if bias is None else np.inf
        if lower > epsilon or upper <= epsilon:
            answers[i] = lower > epsilon
        else:
            try:
                labels = label_set[label_set < layer.n_labels]
                answers[i] = chebyshev(weight, labels, bias, box).argmaxable(epsilon)
            except RuntimeError as error:
                raise RuntimeError(f"whether set {i} of {len(report)} has room for a ball: {error}") from error
    return answers


def check_epsilon(rule: str, epsilon: float, box: float) -> None:
    """Raise ValueError for what `epsilon_argmaxable` refuses."""
    if named(rule).free_level:
        raise ValueError(f"ε-argmaxability is defined for the threshold rule; given {rule!r}")
    if not 0 <= epsilon < np.inf or not 0 < box <= LARGEST_BOX:
        raise ValueError(
            f"epsilon must be at least 0 and box positive, at most {LARGEST_BOX:g}; given epsilon={epsilon}, box={box}"
        )


def _signs(label_set: Int[np.ndarray, " width"], n_labels: int) -> Float[np.ndarray, " labels"]:
    return np.where(np.isin(np.arange(n_labels), label_set), 1.0, -1.0)


def _radius(units: np.ndarray, signs: np.ndarray, z: np.ndarray, box: float) -> float:
    """A radius that a ball around a witness has, less the rounding of its computation; -1 outside the box."""
    largest, has_bias = float(np.abs(z).max()), units.shape[1] > len(z)
    if has_bias and largest > box:
        return -1.0
    centre = np.append(z, 1.0) if has_bias else z * (box / largest if largest else 1.0)
    error = 2 * (len(centre) + 4) * EPS * np.linalg.norm(centre)
    reach = lengths(units[:, : len(z)])  # what a unit of z moves a logit by, in units of the row
    asks = reach > 0  # a label with a zero row takes no room from the ball
    with np.errstate(over="ignore"):
        return float(((signs * (units @ centre) - error)[asks] / reach[asks]).min(initial=np.inf))
