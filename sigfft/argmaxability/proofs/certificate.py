"""Certificates that label sets are unargmaxable: which of them are true. No solver is imported."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs import exact
from sigfft.domains import DOMAINS


@dataclass(frozen=True)
class Certificate:
    """Labels and positive multipliers y with Σ y_i s_i row_i = 0: no activation satisfies these labels at once.

    The rows are those of the layer's sign system (`Layer.rows`); ids from `n_labels` on are its constraints that every
    set has. Multipliers are floats, and cancel up to rounding: each ratio of two of them is within 1e-6, relatively, of
    that of exact ones.
    """

    labels: tuple[int, ...]
    multipliers: tuple[float, ...]

    def sides(self, active: Collection[int], n_labels: int) -> tuple[list[int], list[int]]:
        """Its labels that are on in a set, and those that are off; the layer's constraints are neither."""
        core = [i for i in self.labels if i < n_labels]
        return [i for i in core if i in active], [i for i in core if i not in active]


def proves_certificates(
    layer: Layer, padded: Int[np.ndarray, "sets width"], certificates: Sequence[Certificate]
) -> Bool[np.ndarray, " sets"]:
    """Whether exact positive multipliers with Σ y_i s_i row_i = 0 exist, near those of each certificate.

    A support has at most D + 1 labels, D the width of the sign system. The stored multipliers are floats; what they
    are near to is proved by `exact.cancels_verified` (tried first where there are D + 1) or `exact.cancels_exactly`.
    Multipliers that are not near exact ones prove nothing, even on labels that conflict; see `restate_certificate`.

    Raises:
      ValueError: the rule has no set of this size.

    Reference: Gordan's theorem of the alternative; the support's size by Carathéodory's theorem.
    """
    layer.rule.check_sets(padded, layer.n_labels)
    proved = np.zeros(len(padded), bool)
    for i, certificate in enumerate(certificates):
        claims = (_claim(alone, padded[i], certificate) for alone in _layers(layer))
        proved[i] = any(claim is not None and claim.holds() for claim in claims)
    return proved


def _layers(layer: Layer) -> Iterator[Layer]:
    """A layer, but first that of its z: what no z yields, no features do, and its rows are floats."""
    if layer.projection is not None:
        yield replace(layer, projection=None, domain=DOMAINS["any"])
    yield layer


def restate_certificate(
    layer: Layer, label_set: Int[np.ndarray, " width"], certificate: Certificate
) -> Certificate | None:
    """A certificate that proves a set unargmaxable, on the labels of a given one; None where there is none.

    Its multipliers are exact ones, rounded.

    For those who make certificates: in floating point, small multipliers of badly conditioned rows may be far off.
    """
    claim = _claim(layer, label_set, certificate)
    multipliers = None if claim is None else exact.multipliers(*claim)
    if claim is None or multipliers is None:
        return None
    y = exact.rounded(multipliers, claim.exponents)
    return Certificate(certificate.labels, tuple(y.tolist())) if claim._replace(y=y).holds() else None


class _Claim(NamedTuple):
    """That Σ y_i row_i 2^exponent_i = 0, of signed rows in floats or in Python integers."""

    rows: np.ndarray
    y: Float[np.ndarray, " support"]
    exponents: Int[np.ndarray, " support"]

    def holds(self) -> bool:
        if self.rows.dtype != object and exact.cancels_verified(self.rows, self.y):
            return True
        return exact.cancels_exactly(*self)


def _claim(layer: Layer, label_set: Int[np.ndarray, " width"], certificate: Certificate) -> _Claim | None:
    """What a certificate claims; None where that would prove nothing."""
    ids, y = np.asarray(certificate.labels), np.asarray(certificate.multipliers, np.float64)
    if not _well_formed(ids, y, layer.n_constraints) or len(ids) > layer.width + 1:
        return None
    active = np.isin(ids, label_set) | (ids >= layer.n_labels)
    if layer.projection is None:
        rows, exponents = layer.rows(ids), np.zeros(len(ids), int)
    else:
        rows, exponents = layer.whole(ids)
    if not (active | (rows != 0).any(axis=1)).all():  # an inactive zero row asks nothing
        return None
    return _Claim(rows * np.where(active, 1, -1)[:, None], y, exponents)


def _well_formed(ids: np.ndarray, y: Float[np.ndarray, " support"], n_ids: int) -> bool:
    if ids.ndim != 1 or ids.shape != y.shape or not len(ids) or ids.dtype.kind not in "iu":
        return False
    inside = len(np.unique(ids)) == len(ids) and ids.min() >= 0 and ids.max() < n_ids
    return bool(inside and y.min() > 0 and y.max() < np.inf)
