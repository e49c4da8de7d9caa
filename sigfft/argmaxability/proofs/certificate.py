"""Certificates that label sets are unargmaxable: which of them are true. No solver is imported."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs import exact

@dataclass(frozen=True)
class Certificate:
    """Labels and positive multipliers y with Σ y_i s_i row_i = 0: no activation satisfies these labels at once.

    The rows are those of the layer's sign system (`Layer.rows`); ids from `n_labels` on are its constraints that every
    set has.
    """

    labels: tuple[int, ...]
    multipliers: tuple[float, ...]


def proves_certificates(
    layer: Layer, padded: Int[np.ndarray, "sets width"], certificates: Sequence[Certificate]
) -> Bool[np.ndarray, " sets"]:
    """Whether exact positive multipliers with Σ y_i s_i row_i = 0 exist on the labels of each certificate.

    A support has at most D + 1 labels, D the width of the sign system. The stored multipliers are floats near the
    exact ones; see `exact.cancels_verified` (tried first where there are D + 1) and `exact.cancels_exactly`.

    Raises:
      ValueError: the rule has no set of this size.

    Reference: Gordan's theorem of the alternative; the support's size by Carathéodory's theorem.
    """
    layer.rule.check_sets(padded, layer.n_labels)
    proved = np.zeros(len(padded), bool)
    for i, certificate in enumerate(certificates):
        ids, y = np.asarray(certificate.labels), np.asarray(certificate.multipliers, np.float64)
        if not _well_formed(ids, y, layer.n_constraints):
            continue
        active = np.isin(ids, padded[i]) | (ids >= layer.n_labels)
        proved[i] = len(ids) <= layer.width + 1 and _cancels(layer, ids, active, y)
    return proved


def _cancels(layer: Layer, ids: np.ndarray, active: np.ndarray, y: np.ndarray) -> bool:
    signs = np.where(active, 1, -1)[:, None]
    if layer.projection is not None:
        whole, exponents = layer.whole(ids)
        mantissa, powers = np.frexp(y)
        return _asks(whole, active) and exact.cancels_exactly(whole * signs, mantissa, exponents + powers)
    rows = layer.rows(ids) * signs
    return _asks(rows, active) and (exact.cancels_verified(rows, y) or exact.cancels_exactly(rows, y))


def _asks(rows: np.ndarray, active: np.ndarray) -> bool:
    """Whether every row asks something: an inactive zero row does not."""
    return bool((active | (rows != 0).any(axis=1)).all())


def _well_formed(ids: np.ndarray, y: Float[np.ndarray, " support"], n_ids: int) -> bool:
    if ids.ndim != 1 or ids.shape != y.shape or not len(ids) or ids.dtype.kind not in "iu":
        return False
    inside = len(np.unique(ids)) == len(ids) and ids.min() >= 0 and ids.max() < n_ids
    return bool(inside and y.min() > 0 and y.max() < np.inf)
