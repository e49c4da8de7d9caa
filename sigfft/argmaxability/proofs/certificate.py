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
    set has.
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
        rows = layer.rows(ids) * np.where(active, 1.0, -1.0)[:, None]
        if len(ids) <= rows.shape[1] + 1 and (active | rows.any(axis=1)).all():  # an inactive zero row asks nothing
            proved[i] = exact.cancels_verified(rows, y) or exact.cancels_exactly(rows, y)
    return proved


def _well_formed(ids: np.ndarray, y: Float[np.ndarray, " support"], n_ids: int) -> bool:
    if ids.ndim != 1 or ids.shape != y.shape or not len(ids) or ids.dtype.kind not in "iu":
        return False
    inside = len(np.unique(ids)) == len(ids) and ids.min() >= 0 and ids.max() < n_ids
    return bool(inside and y.min() > 0 and y.max() < np.inf)
