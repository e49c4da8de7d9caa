"""Areas under the ROC curve, micro and macro: how often an active label outscores an inactive one; a tie counts a half.

They are made from histograms, where scores of one bin tie. The error that this can make is known and told.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int

from sigfft.metrics.histograms import Counts, Histograms


class Areas(NamedTuple):
    """Areas as fractions; the area of exact scores is within the error of each.

    Attributes:
      micro: over all pairs of an example and a label, an active against an inactive one.
      micro_error: at most how far off `micro` is.
      macro: mean over the labels that have an area.
      macro_error: at most how far off `macro` is.
      per_label: each label's area; NaN without an active or without an inactive example.
      without_active: number of labels that no example has, left out of `macro`.
      without_inactive: number of labels that every example has, left out of `macro`.
    """

    micro: float
    micro_error: float
    macro: float
    macro_error: float
    per_label: Float64[np.ndarray, " labels"]
    without_active: int
    without_inactive: int


def area_under_curve(histograms: Histograms, counts: Counts) -> Areas:
    """Areas of the examples counted; NaN where no pair of an active and an inactive label is there to compare.

    Args:
      histograms: from `make_histograms`.
      counts: of a split.

    Raises:
      ValueError: no example, or counts of other histograms.

    Reference: Hanley and McNeil, The meaning and use of the area under a receiver operating characteristic (ROC)
    curve (1982).
    """
    every, active = histograms.on_host(counts)
    per_label, errors = _areas(active, every - active)
    micro, micro_error = _areas(active.sum(axis=0), (every - active).sum(axis=0))
    has_area = ~np.isnan(per_label)
    n_active = active.sum(axis=1)
    return Areas(
        micro=float(micro),
        micro_error=float(micro_error),
        macro=float(per_label[has_area].mean()) if has_area.any() else np.nan,
        macro_error=float(errors[has_area].mean()) if has_area.any() else np.nan,
        per_label=per_label,
        without_active=int((n_active == 0).sum()),
        without_inactive=int((n_active == every.sum(axis=1)).sum()),
    )


def _areas(
    active: Int[np.ndarray, "*labels bins"], inactive: Int[np.ndarray, "*labels bins"]
) -> tuple[Float64[np.ndarray, "*labels"], Float64[np.ndarray, "*labels"]]:
    """Areas, and at most how far they are off: half the pairs that tie may all have been won, or lost."""
    # In float64: the number of pairs of a large split exceeds int64.
    active, inactive = active.astype(np.float64), inactive.astype(np.float64)
    below = np.cumsum(inactive, axis=-1) - inactive
    ties = (active * inactive).sum(axis=-1)
    pairs = active.sum(axis=-1) * inactive.sum(axis=-1)
    pairs = np.where(pairs == 0, np.nan, pairs)
    won = (active * below).sum(axis=-1)
    return np.asarray((won + ties / 2) / pairs), np.asarray(ties / 2 / pairs)
