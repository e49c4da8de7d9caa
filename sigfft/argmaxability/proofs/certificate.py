"""Witnesses and certificates: which of them are true. No solver is imported."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs import exact

_LOGITS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Certificate:
    """Labels and positive multipliers y with Σ y_i s_i row_i = 0: no activation satisfies these labels at once.

    The rows are those of the layer's sign system (`Layer.rows`); ids from `n_labels` on are its constraints that every
    set has. Multipliers are floats, and cancel up to rounding: each ratio of two of them is within 1e-6, relatively, of
    that of exact ones.
    """

    labels: tuple[int, ...]
    multipliers: tuple[float, ...]


def proves_witnesses(
    layer: Layer, padded: Int[np.ndarray, "sets width"], witnesses: Float[np.ndarray, "sets dim"]
) -> Bool[np.ndarray, " sets"]:
    """Whether each activation yields exactly its label set: every inequality of the rule strictly, ties excluded.

    threshold: s_i (w_i·z + b_i) > 0; a label with zero weight and bias is off. Under a free level every active logit
    exceeds every inactive one. Decided exactly on the stored values.

    Raises:
      ValueError: the rule has no set of this size, or shapes or dtypes do not fit.
    """
    layer.rule.check_sets(padded, layer.n_labels)
    z = exact.exact64(witnesses, "witnesses")
    if z.shape != (len(padded), layer.dim):
        raise ValueError(f"witnesses must be (sets, dim) = {(len(padded), layer.dim)}; given {z.shape}")
    rows = layer.rows(np.arange(layer.n_labels))
    if layer.rule.free_level:
        rows, holds = np.ascontiguousarray(rows[:, :-1]), exact.separates
    else:
        holds = exact.signs_hold
    if layer.bias is not None:
        z = np.column_stack([z, np.ones(len(z))])
    proved = np.isfinite(z).all(axis=1)
    step = max(1, _LOGITS_AT_ONCE // len(rows))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        rounding = exact.rounding(rows)
        for start in range(0, len(padded), step):
            logits = z[start : start + step] @ rows.T
            for j, values in enumerate(logits, start):
                active = padded[j][padded[j] < len(rows)]
                proved[j] = proved[j] and holds(rows, z[j], active, values, rounding * exact.length(z[j]))
    return proved


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
        claim = _claim(layer, padded[i], certificate)
        proved[i] = claim is not None and _cancels(*claim)
    return proved


def restate_certificate(
    layer: Layer, label_set: Int[np.ndarray, " width"], certificate: Certificate
) -> Certificate | None:
    """A certificate that proves a set unargmaxable, on the labels of a given one; None where there is none.

    Its multipliers are exact ones, rounded.

    For those who make certificates: in floating point, small multipliers of badly conditioned rows may be far off.
    """
    claim = _claim(layer, label_set, certificate)
    multipliers = None if claim is None else exact.multipliers(*claim)
    y = None if multipliers is None else exact.rounded(multipliers)
    if claim is None or y is None or not _cancels(claim[0], y):
        return None
    return Certificate(certificate.labels, tuple(y.tolist()))


def _cancels(rows: Float[np.ndarray, "support D"], y: Float[np.ndarray, " support"]) -> bool:
    return exact.cancels_verified(rows, y) or exact.cancels_exactly(rows, y)


def _claim(
    layer: Layer, label_set: Int[np.ndarray, " width"], certificate: Certificate
) -> tuple[Float[np.ndarray, "support D"], Float[np.ndarray, " support"]] | None:
    """Signed rows and multipliers, of which it is claimed that they cancel; None where that would prove nothing."""
    ids, y = np.asarray(certificate.labels), np.asarray(certificate.multipliers, np.float64)
    if not _well_formed(ids, y, layer.n_constraints):
        return None
    active = np.isin(ids, label_set) | (ids >= layer.n_labels)
    rows = layer.rows(ids) * np.where(active, 1.0, -1.0)[:, None]
    if len(ids) > rows.shape[1] + 1 or not (active | rows.any(axis=1)).all():  # an inactive zero row asks nothing
        return None
    return rows, y


def _well_formed(ids: np.ndarray, y: Float[np.ndarray, " support"], n_ids: int) -> bool:
    if ids.ndim != 1 or ids.shape != y.shape or not len(ids) or ids.dtype.kind not in "iu":
        return False
    inside = len(np.unique(ids)) == len(ids) and ids.min() >= 0 and ids.max() < n_ids
    return bool(inside and y.min() > 0 and y.max() < np.inf)
