"""Exact signs and sums: rounding bounds that settle almost everything, integers for what they leave open.

Every float16, bfloat16, float32 or float64 is a rational number, so a stored weight has an exact meaning.
The float bounds round against the claim; a claim that they cannot settle is never accepted on their word.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat, nmod_mat
from jaxtyping import Float, Int

NEAR = 1e-6  # how far the ratios of given and of exact multipliers may lie apart, relatively
LEAST = -960  # power of two: multipliers that are smaller in units of the largest are stored as this
_EPS = 2.0**-52  # twice the unit roundoff, so the bounds below also cover their own rounding
_LONG = np.longdouble  # float64 on some platforms
_SHORT = max(float(np.finfo(_LONG).eps), 2.0**-63) / 2.0**-52  # its rounding in units of that of float64
_TINY = 1e-150  # squares below it underflow
PRIME = (1 << 62) + 135  # ranks modulo it choose the pivots; what they give is then checked over the integers

Rows = Float[np.ndarray, "labels D"]
Vector = Float[np.ndarray, " _"]
Ids = Int[np.ndarray, " ids"]
Whole = Callable[[], np.ndarray]


def exact64(array: np.ndarray, name: str) -> Float[np.ndarray, "..."]:
    """The same values in float64.

    Raises:
      ValueError: the dtype is not a float of at most 64 bits.
    """
    array = np.asarray(array)
    if array.dtype.name not in ("float16", "bfloat16", "float32", "float64"):
        raise ValueError(f"{name} must be float16, bfloat16, float32 or float64; given {array.dtype}")
    return array.astype(np.float64)


def integers(array: Float[np.ndarray, "..."]) -> np.ndarray:
    """Python integers in the same ratios as the finite floats of `array`: one positive factor for all of them."""
    mantissa, exponent = np.frexp(array)
    shift = np.where(array == 0, 0, exponent - exponent[array != 0].min(initial=2000)).astype(object)
    whole = np.ldexp(mantissa, 53).astype(np.int64).astype(object) << shift
    return whole // max(1, math.gcd(*whole.ravel().tolist()))


def matrix(whole: np.ndarray) -> fmpz_mat:
    """Python integers (rows, columns), of which there may be none, as a matrix that is multiplied exactly and fast."""
    rows, columns = whole.shape
    return fmpz_mat(rows, columns, whole.ravel().tolist())


def entries(product: fmpz_mat) -> np.ndarray:
    """The inverse of `matrix`."""
    return np.array([int(value) for value in product.entries()], object).reshape(product.nrows(), product.ncols())


def whole_rows(rows: Rows, scale: Int[np.ndarray, " D"] | int = 0) -> tuple[np.ndarray, Int[np.ndarray, " labels"]]:
    """Each row, its columns times 2^scale, as Python integers times 2^exponent: one exponent for a row."""
    mantissa, exponents = np.frexp(rows)
    exponents = np.where(rows == 0, 1 << 20, exponents + scale)
    least = exponents.min(axis=1, keepdims=True)
    shift = np.where(rows == 0, 0, exponents - least).astype(object)
    whole = np.ldexp(mantissa, 53).astype(np.int64).astype(object) << shift
    return whole, np.where(rows.any(axis=1), least[:, 0] - 53, 0)


def rounding(rows: Float[np.ndarray, "labels D"]) -> Float[np.ndarray, " labels"]:
    """Error bound of fl(rows @ z) per unit of `length(z)`: |fl(w·z) − w·z| <= γ ‖w‖‖z‖, any order of summation.

    Reference: Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1.
    """
    return (rows.shape[1] + 8) * _EPS * (np.linalg.norm(rows, axis=1) + _TINY)


def length(z: Float[np.ndarray, " D"]) -> float:
    """Euclidean length, rounded to the safe side where squares underflow."""
    return float(np.linalg.norm(z)) + _TINY


def signs_hold(
    rows: Rows, z: Whole, active: Ids, values: Vector, error: Vector, is_silent: Callable[[int], bool]
) -> bool:
    """Whether rows·z is positive on `active` and negative elsewhere; a silent row counts as negative.

    Args:
      rows: float (labels, D), finite.
      z: makes the point, (D,) in whole numbers; called where floats do not settle it.
      active: int ids of the rows that must be positive.
      values: float (labels,), the computed rows @ z; may be infinite or NaN. Overwritten.
      error: float (labels,), bounds on the error of `values`.
      is_silent: whether a row is zero at every z that is asked about.
    """
    values[active] *= -1  # now every value must be negative
    unsettled = np.flatnonzero(~(values < -error))
    if (values[unsettled] > error[unsettled]).any():
        return False
    on = np.isin(unsettled, active)
    # a silent row's logit is exactly 0 for every z: its label is off, which is what an inactive label asks
    return all(
        dot > 0 if positive else dot < 0 or (dot == 0 and is_silent(i))
        for i, dot, positive in zip(unsettled.tolist(), _dots(rows, unsettled, z), on.tolist(), strict=True)
    )


def separates(
    rows: Rows, z: Whole, active: Ids, values: Vector, error: Vector, is_silent: Callable[[int], bool]
) -> bool:
    """Whether rows·z is larger on every row of `active` than on every other row; arguments as `signs_hold`."""
    off = np.delete(np.arange(len(rows)), active)
    if not len(active) or not len(off):
        return True
    known = np.isfinite(values) & np.isfinite(error)
    low, high = np.where(known, values - error, -np.inf), np.where(known, values + error, np.inf)
    if low[active].min() > high[off].max():
        return True
    if high[active].min() < low[off].max():
        return False
    # only rows whose intervals reach the gap can decide it, most often one on each side
    lowest = active[low[active] <= high[active].min()]
    highest = off[high[off] >= low[off].max()]
    exact = integers(rows[np.concatenate([lowest, highest])]) @ z()
    return min(exact[: len(lowest)]) > max(exact[len(lowest) :])


def _dots(rows: Rows, ids: Ids, z: Whole) -> Iterator[int]:
    """Integers with the signs of rows[ids]·z, made a few at a time: a false claim ends early."""
    whole = z() if len(ids) else None
    for start in range(0, len(ids), 16):
        yield from integers(rows[ids[start : start + 16]]) @ whole


def cancels_verified(rows: Float[np.ndarray, "D_plus_1 D"], y: Float[np.ndarray, " D_plus_1"]) -> bool:
    """Whether float64 proves that an exact positive x within `NEAR` of y has Σ x_i row_i = 0. False proves nothing.

    With the largest term held fixed, M x = t has one solution if ‖I − RM‖ < 1 for some R, and
    |x − y| <= |R r| + ‖I − RM‖ / (1 − ‖I − RM‖) ‖R r‖ with r = t − M y. The norm is max_i |·|_i / y_i, so that
    a distance below 1 keeps every multiplier positive. All of it is rounded up.

    Reference: Rump, Verification methods: rigorous results using floating-point arithmetic (2010), section 10.
    """
    if rows.shape[0] != rows.shape[1] + 1:
        return False
    sizes = np.abs(np.concatenate([rows[rows != 0], y]))
    if sizes.min() < 2.0**-200 or sizes.max() > 2.0**200:
        return False  # products might underflow; left to exact arithmetic
    # the largest term: the other multipliers are then moderate multiples of it
    fixed = int(np.argmax(y * np.abs(rows).max(axis=1)))
    matrix, target = np.delete(rows, fixed, axis=0).T, rows[fixed] * -1.0
    given, y_fixed = np.delete(y, fixed), y[fixed]
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return False
    gamma = (len(rows) + 8) * _EPS
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        y = given - inverse @ (matrix @ given - target * y_fixed)  # one step of refinement, for a smaller residual
        if not ((y > 2.0**-250) & (y < 2.0**250)).all():  # nor where it is NaN; the bounds divide by it
            return False
        size = np.abs(matrix) @ np.abs(y) + np.abs(target) * y_fixed
        residual = np.abs(matrix @ y - target * y_fixed) + gamma * size
        defect = np.abs(inverse @ matrix - np.eye(len(y))) @ y + gamma * (np.abs(inverse) @ size + y)
        contraction = (defect / y).max()
        if not contraction + (np.abs(inverse) @ residual / y).max() < 0.5:
            return False
        # x exists and is positive; where longer floats know the residual better, so is its distance from y
        residual = (
            np.abs(matrix.astype(_LONG) @ y - target.astype(_LONG) * y_fixed).astype(float) + gamma * _SHORT * size
        )
        distance = (np.abs(inverse) @ residual / y).max() / (1 - contraction)
    ratios = np.append(y / given, 1.0)
    return bool(distance < NEAR and (1 + distance) * ratios.max() <= (1 + NEAR) * (1 - distance) * ratios.min())


def cancels_exactly(
    rows: Float[np.ndarray, "labels D"] | np.ndarray,
    y: Float[np.ndarray, " labels"],
    exponents: Int[np.ndarray, " labels"] | int = 0,
    *,
    prime: int = PRIME,
) -> bool:
    """Whether positive rationals x with Σ x_i row_i = 0 exist, those of `multipliers`, within `NEAR` of y.

    Where multipliers are so far apart that floats have no room, those below `LEAST` of the largest need only be so too.
    """
    x = multipliers(rows, y, exponents, prime=prime)
    if x is None:
        return False
    ratios = [v / w for v, w in zip(x, _rationals(y, exponents), strict=True)]
    own, given = _unscaled(x, exponents), _rationals(y, 0)  # as the multipliers are stored
    least_own, least_given = max(own) * fmpq(1, 1 << -LEAST), max(given) * fmpq(1, 1 << -LEAST)
    told = [v > least_own or w > least_given for v, w in zip(own, given, strict=True)]
    ratios = [ratio for ratio, tells in zip(ratios, told, strict=True) if tells]
    return max(ratios) <= (1 + fmpq(1, round(1 / NEAR))) * min(ratios)


def multipliers(
    rows: Float[np.ndarray, "labels D"] | np.ndarray,
    y: Float[np.ndarray, " labels"],
    exponents: Int[np.ndarray, " labels"] | int = 0,
    *,
    prime: int = PRIME,
) -> list[fmpq] | None:
    """Positive rationals x with Σ x_i row_i = 0, in the ratios of y on a maximal set of free rows; None: not these.

    The free rows are those that depend on earlier ones; the others follow from them. Where the rows are a minimal
    support (nullity 1) there is one free row, and x is unique up to its scale, whatever y. An unlucky `prime` makes
    rows look dependent, which proves less and never more: the total is checked over the integers.

    Args:
      rows: floats, or Python integers.
      y: positive multipliers, times 2^exponents.
      exponents: of those.
      prime: for the choice of the free rows.
    """
    system = rows if rows.dtype == object else integers(rows)
    given = _rationals(y, exponents)
    independent = independent_columns(system.T, prime)
    free = np.delete(np.arange(len(y)), independent)
    if not len(free):
        return None
    x = list(given)
    kept = fmpz_mat([[given[i].p for i in free.tolist()]]) * fmpz_mat(system[free].tolist())  # 1 × D
    if not independent:
        return None if any(kept.entries()) else x
    columns = independent_columns(system[independent], prime)
    square = fmpz_mat(system[np.ix_(independent, columns)].T.tolist())
    level = fmpq_mat(fmpz_mat([[-kept[0, c]] for c in columns]))
    solved, scale = fmpq_mat(square).solve(level).numer_denom()
    total = solved.transpose() * fmpz_mat(system[independent].tolist()) + kept * scale
    if any(v <= 0 for v in solved.entries()) or any(total.entries()):
        return None
    for i, value in zip(independent, solved.entries(), strict=True):
        x[i] = fmpq(value, scale)
    return x


def _rationals(y: Float[np.ndarray, " labels"], exponents: Int[np.ndarray, " labels"] | int) -> list[fmpq]:
    """Y times 2^exponents, as whole numbers with a common factor."""
    return [fmpq(value) for value in whole_rows(y[None], exponents)[0][0].tolist()]


def _unscaled(numbers: list[fmpq], exponents: Int[np.ndarray, " numbers"] | int) -> list[fmpq]:
    """Numbers times 2^-exponents."""
    powers = np.broadcast_to(exponents, len(numbers)).tolist()
    return [number * fmpq(2) ** -power for number, power in zip(numbers, powers, strict=True)]


def rounded(numbers: list[fmpq], exponents: Int[np.ndarray, " numbers"] | int = 0) -> Float[np.ndarray, " numbers"]:
    """Positive rationals times 2^-exponents, over the largest of them, rounded; none below 2^LEAST."""
    values = _unscaled(numbers, exponents)
    largest = max(values)
    ratios = [value / largest for value in values]
    return np.maximum([int(ratio.p) / int(ratio.q) for ratio in ratios], 2.0**LEAST)


def rank(whole: np.ndarray) -> int:
    """The rank modulo a prime: at most that over the rationals, and most often equal."""
    return len(independent_columns(whole))


def independent_columns(matrix: np.ndarray, prime: int = PRIME) -> list[int]:
    """Columns of an integer matrix that are independent modulo the prime, hence over the rationals."""
    entries = [v % prime for v in matrix.ravel().tolist()]
    echelon, rank = nmod_mat(matrix.shape[0], matrix.shape[1], entries, prime).rref()
    table = np.array(echelon.tolist(), dtype=object).reshape(matrix.shape)
    return [next(j for j, v in enumerate(row) if int(v)) for row in table[:rank]]
