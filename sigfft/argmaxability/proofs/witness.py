"""Witnesses that label sets are argmaxable: which of them are true. No solver is imported."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs import exact

_LOGITS_AT_ONCE = 1 << 22
_EPS = 2.0**-52


@dataclass(frozen=True)
class ExactWitness:
    """An input as fractions of one denominator, where no float64 numbers yield the set.

    NumPy takes it for the float64 array nearest to it, which need not yield the set.

    Attributes:
      numerators: whole numbers.
      denominator: positive.
    """

    numerators: tuple[int, ...]
    denominator: int = 1

    def __len__(self) -> int:
        return len(self.numerators)

    def __array__(self, dtype: np.typing.DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.nearest(has_constant=True), dtype or np.float64)

    def nearest(self, has_constant: bool) -> Float[np.ndarray, " dim"]:
        """In floats; where nothing fixes its scale, a multiple whose largest entry is about 1."""
        sizes = max((value.bit_length() for value in self.numerators), default=0) - self.denominator.bit_length()
        scale = Fraction(2) ** (min(1000 - sizes, 0) if has_constant else -sizes)
        return np.array([float(Fraction(value, self.denominator) * scale) for value in self.numerators])

    @property
    def shape(self) -> tuple[int]:
        """As an array's."""
        return (len(self),)


Witness = Float[np.ndarray, " dim"] | ExactWitness


def proves_witnesses(
    layer: Layer,
    padded: Int[np.ndarray, "sets width"],
    witnesses: Float[np.ndarray, "sets dim"] | Sequence[Witness],
) -> Bool[np.ndarray, " sets"]:
    """Whether each input yields exactly its label set: every inequality of the rule strictly, ties excluded.

    threshold: s_i (w_i·z + b_i) > 0; a label with zero weight and bias is off. Under a free level every active logit
    exceeds every inactive one. The input lies in the layer's domain, and z is the input or its exact projection.
    Decided exactly on the stored values.

    Raises:
      ValueError: the rule has no set of this size, or shapes or dtypes do not fit.
    """
    layer.rule.check_sets(padded, layer.n_labels)
    if len(witnesses) != len(padded) or any(np.shape(witness) != (layer.dim,) for witness in witnesses):
        shapes = (len(witnesses), *{np.shape(witness) for witness in witnesses})
        raise ValueError(f"witnesses must be (sets, dim) = {(len(padded), layer.dim)}; given {shapes}")
    rows = layer.logit_rows(np.arange(layer.n_labels))
    holds = exact.separates if layer.rule.free_level else exact.signs_hold
    proved = np.array([_inside(layer, witness) for witness in witnesses], bool)
    step = max(1, _LOGITS_AT_ONCE // len(rows))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        rounding, sizes = exact.rounding(rows), np.linalg.norm(rows, axis=1)
        for start in range(0, len(padded), step):
            chunk = witnesses[start : start + step]
            images = [_image(layer, witness) for witness in chunk]
            logits = np.stack([image.floats for image in images]) @ rows.T
            for j, (image, values) in enumerate(zip(images, logits, strict=True), start):
                active = padded[j][padded[j] < len(rows)]
                error = rounding * exact.length(image.floats) + sizes * image.error
                proved[j] = proved[j] and holds(rows, image.whole, active, values, error, layer.is_silent)
    return proved


class _Image(NamedTuple):
    """What the rows of labels are multiplied by: z, and 1 where there is a constant; up to a positive factor."""

    floats: Float[np.ndarray, " _"]
    error: float  # bound of the length of the floats' error
    whole: Callable[[], np.ndarray]  # Python integers in the same ratios, without error


def _image(layer: Layer, witness: Witness) -> _Image:
    if isinstance(witness, ExactWitness):
        whole = _whole_image(layer, witness)
        scale = 1 << max(1, *(value.bit_length() for value in whole))
        floats = np.array([float(Fraction(value, scale)) for value in whole])
        return _Image(floats, 2 * _EPS * exact.length(floats), lambda: whole)
    x = np.append(exact.exact64(witness, "witnesses"), 1.0) if layer.has_constant else exact.exact64(witness, "w")
    if layer.projection is None:
        return _Image(x, 0.0, lambda: _whole_image(layer, witness))
    error = float((len(x) + 8) * _EPS * np.linalg.norm(layer.feed) * exact.length(x))
    return _Image(layer.feed @ x, error, lambda: _whole_image(layer, witness))


def _whole_image(layer: Layer, witness: Witness) -> np.ndarray:
    if isinstance(witness, ExactWitness):
        x = np.array([*witness.numerators, witness.denominator][: layer.dim + layer.has_constant], object)
    else:
        x = np.asarray(witness, np.float64)
        x = exact.integers(np.append(x, 1.0) if layer.has_constant else x)
    if layer.projection is None:
        return x
    return exact.entries(exact.matrix(exact.integers(layer.feed)) * exact.matrix(x[:, None]))[:, 0]


def _inside(layer: Layer, witness: Witness) -> bool:
    """Whether an input lies in the domain, exactly."""
    if not isinstance(witness, ExactWitness):
        x = exact.exact64(witness, "witnesses")
        return bool(np.isfinite(x).all() and layer.domain.holds(x))
    if witness.denominator <= 0:
        return False
    low, high = min(witness.numerators), max(witness.numerators)
    bounds = ((operator.gt, low, layer.domain.low), (operator.lt, high, layer.domain.high))
    return all(
        compares(value, Fraction(bound) * witness.denominator)
        for compares, value, bound in bounds
        if np.isfinite(bound)
    )
