"""The ideal cyclic matrix in closed form: labels are points on a circle, logits a trigonometric polynomial.

With frequencies 0..k a sign vector of the labels is realisable if and only if it changes sign at most 2k times
around the circle: a polynomial of degree k has at most 2k roots, and roots may be put anywhere. This holds for the
real numbers; stored float rows are another matrix, and `sigfft.check` decides that one.

Reference: Ziegler, Lectures on Polytopes (1995), section 0 and 6: the (trigonometric) moment curve, alternating
oriented matroids. Grivas et al., Taming the Sigmoid Bottleneck (AAAI 2024), section 4.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float, Int

from sigfft import labels as label_sets


def rows(n_labels: int, frequencies: int, n_fft: int | None = None) -> Float[np.ndarray, "labels columns"]:
    """The cyclic matrix in float64: row i is [1, √2 cos(2πi/N), √2 sin(2πi/N), ..., √2 sin(2πik/N)] / √N.

    N = `n_fft` points on the circle, `n_labels` by default; the labels are the first points. With N = n_labels the
    columns are orthonormal.

    Raises:
      ValueError: the grid has fewer points than labels or columns.
    """
    n = _grid(n_labels, frequencies, n_fft)
    turns = np.arange(n_labels)[:, None] * np.arange(1, frequencies + 1) % n  # in integers: exact
    angle = 2 * np.pi / n * turns
    matrix = np.empty((n_labels, 2 * frequencies + 1))
    matrix[:, 0] = 1 / math.sqrt(n)
    matrix[:, 1::2] = math.sqrt(2 / n) * np.cos(angle)
    matrix[:, 2::2] = math.sqrt(2 / n) * np.sin(angle)
    return matrix


def sign_changes(padded: Int[np.ndarray, "sets width"], n_labels: int) -> Int[np.ndarray, " sets"]:
    """How often each padded label set switches between active and inactive, once around the circle of labels."""
    active = padded < n_labels
    count = active.sum(axis=1)
    last = padded[np.arange(len(padded)), np.maximum(count - 1, 0)]
    joined = (np.diff(padded, axis=1) == 1) & active[:, 1:]
    wraps = (padded[:, 0] == 0) & (last == n_labels - 1)
    arcs = count - joined.sum(axis=1) - wraps
    return np.where((count == 0) | (count == n_labels), 0, 2 * arcs)


def argmaxable(padded: Int[np.ndarray, "sets width"], n_labels: int, frequencies: int) -> Bool[np.ndarray, " sets"]:
    """The alternation rule: which label sets the ideal cyclic matrix can output.

    For the threshold rule without a bias, and for top-k and argmax: the constant column serves as their free level.

    Example:
      >>> argmaxable(np.array([[0, 2, 4], [0, 1, 2]]), n_labels=9, frequencies=2)
      array([False,  True])
    """
    return sign_changes(padded, n_labels) <= 2 * frequencies


def count_general(n_labels: int, dim: int) -> int:
    """Label sets that `n_labels` rows of width `dim` in general position can output: 2 Σ_{j<d} C(n − 1, j).

    No matrix of this shape has more, whatever its rows (threshold rule, no bias).

    Reference: Cover, Geometrical and statistical properties of systems of linear inequalities (1965), theorem 1.

    Example:
      >>> count_general(n_labels=7, dim=3), 2**7
      (44, 128)
    """
    _positive(n_labels=n_labels, dim=dim)
    total = term = 1
    for j in range(1, min(dim, n_labels)):
        term = term * (n_labels - j) // j
        total += term
    return 2 * total


def count_exactly(n_labels: int, frequencies: int, cardinality: int) -> int:
    """Label sets of exactly `cardinality` labels that the cyclic matrix can output.

    Sets of j labels in r arcs of a circle of n: n/r C(j − 1, r − 1) C(n − j − 1, r − 1); summed over r <= k.

    Example:
      >>> count_exactly(n_labels=7, frequencies=1, cardinality=2)
      7
    """
    _positive(n_labels=n_labels)
    if not 0 <= cardinality <= n_labels:
        return 0
    if cardinality in (0, n_labels):
        return 1
    arcs = range(1, min(frequencies, cardinality, n_labels - cardinality) + 1)
    total, chosen, gaps = 0, 1, 1
    for r in arcs:
        total += n_labels * chosen * gaps // r
        chosen = chosen * (cardinality - r) // r
        gaps = gaps * (n_labels - cardinality - r) // r
    return total


def count_at_most(n_labels: int, frequencies: int, cardinality: int) -> int:
    """Label sets of at most `cardinality` labels that the cyclic matrix can output; all of them if cardinality <= k."""
    return sum(count_exactly(n_labels, frequencies, j) for j in range(min(cardinality, n_labels) + 1))


def count_sets(n_labels: int, cardinality: int) -> int:
    """All label sets of at most `cardinality` labels: Σ_{j<=cardinality} C(n, j)."""
    total = term = 1
    for j in range(1, min(cardinality, n_labels) + 1):
        term = term * (n_labels - j + 1) // j
        total += term
    return total


def log10_share(part: int, whole: int) -> float:
    """log10(part / whole) of exact counts, however large, and accurate near 0 and near 1; -inf where part is 0.

    Raises:
      ValueError: not 0 <= part <= whole, or whole is 0.
    """
    if not 0 <= part <= whole or whole == 0:
        raise ValueError(f"a share needs 0 <= part <= whole and whole > 0; given {part} of {whole}")
    if part == 0:
        return -math.inf
    if 2 * part > whole:
        return math.log1p(-float(Fraction(whole - part, whole))) / math.log(10) + 0.0  # not -0.0
    return math.log10(part) - math.log10(whole)


def witness(
    labels: Sequence[int], n_labels: int, frequencies: int, n_fft: int | None = None
) -> tuple[Float[np.ndarray, " columns"], float]:
    """An activation that yields `labels` under `rows`, and log10 of its margin in exact arithmetic.

    The logits are ± Π_j sin((θ − θ_j)/2) with a root θ_j midway between neighbours of different sign. Products are
    taken as sums of logarithms; coefficients come from an FFT of samples, so that their errors are near 1e-16 of the
    largest logit. A set whose margin is far below that has this proof for the ideal matrix alone: no float64
    activation of this form reaches it.

    Args:
      labels: ids of the active labels.
      n_labels: number of labels.
      frequencies: k, the highest frequency.
      n_fft: number of points on the circle; see `rows`.

    Returns:
      Unit activation in the column order of `rows`; log10 of min_i s_i (w_i·z) / ‖w_i‖.

    Raises:
      ValueError: the set changes sign more than 2k times, so no activation exists.

    Example:
      >>> z, log_margin = witness([0, 4], n_labels=9, frequencies=2)
      >>> np.flatnonzero(rows(9, 2) @ z > 0)
      array([0, 4])
    """
    n = _grid(n_labels, frequencies, n_fft)
    padded = label_sets.pad([labels], n_labels)
    signs = np.full(n_labels, -1)
    signs[padded[0][padded[0] < n_labels]] = 1
    ends = np.flatnonzero(signs != np.roll(signs, -1))
    if len(ends) > 2 * frequencies:
        raise ValueError(
            f"the set changes sign {len(ends)} times around the circle; {frequencies} frequencies allow "
            f"{2 * frequencies}: it needs at least {len(ends) // 2}"
        )
    after = np.where(ends == n_labels - 1, n, ends + 1)
    roots = np.pi / n * (ends + after)
    samples = 4 * frequencies + 4
    sign, log = _product(2 * np.pi / samples * np.arange(samples), roots)
    label_sign, label_log = _product(2 * np.pi / n * np.arange(n_labels), roots)
    flip = label_sign[0] * signs[0]
    top = log.max()
    spectrum = np.fft.rfft(flip * sign * np.exp(log - top))[: frequencies + 1] / samples
    z = np.empty(2 * frequencies + 1)
    z[0] = spectrum[0].real * math.sqrt(n)
    z[1::2] = spectrum[1:].real * math.sqrt(2 * n)
    z[2::2] = -spectrum[1:].imag * math.sqrt(2 * n)
    size = float(np.linalg.norm(z))
    unit_rows = math.sqrt(n / (2 * frequencies + 1))
    return z / size, float((label_log.min() - top - math.log(size) + math.log(unit_rows)) / math.log(10))


def _product(
    angles: Float[np.ndarray, " points"], roots: Float[np.ndarray, " roots"]
) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """Sign and log of the absolute value of Π_j sin((θ − θ_j)/2); log 0 is -inf."""
    factors = np.sin((angles[:, None] - roots) / 2)
    with np.errstate(divide="ignore"):
        return np.sign(factors).prod(axis=1), np.log(np.abs(factors)).sum(axis=1)


def _grid(n_labels: int, frequencies: int, n_fft: int | None) -> int:
    _positive(n_labels=n_labels)
    n = n_labels if n_fft is None else n_fft
    if n < n_labels or not 0 <= 2 * frequencies < n:
        raise ValueError(
            f"the circle needs at least {max(n_labels, 2 * frequencies + 1)} points for {n_labels} labels and "
            f"{frequencies} frequencies (2k + 1 columns); given {n}: raise n_fft or lower the frequencies"
        )
    return n


def _positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1; given {size}")
