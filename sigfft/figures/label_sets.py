"""Which label sets a head can output: shares by cardinality."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from sigfft.figures.style import legend, panels_of, title

STATUS_STYLE: dict[str, dict[str, Any]] = {
    "argmaxable": {"color": "#0072B2", "label": "argmaxable: some activation z gives it"},
    "undecided": {"color": "#DDDDDD", "hatch": "..", "edgecolor": "#777777", "label": "undecided"},
    "unargmaxable": {
        "color": "#D55E00",
        "hatch": "///",
        "edgecolor": "white",
        "label": "unargmaxable: no activation z gives it",
    },
}

Statuses = tuple[Int[np.ndarray, " sets"], Sequence[str] | np.ndarray]


def argmaxable_share(statuses_by_head: Mapping[str, Statuses]) -> Figure:
    """How many of the label sets of each cardinality each head can output, as shares that add up to 100%.

    Args:
      statuses_by_head: by head, the cardinality and the status ("argmaxable", "unargmaxable" or "undecided") of each
        distinct test label set.

    Raises:
      ValueError: no label sets, lengths that differ, or an unknown status.
    """
    checked = {head: _checked(head, *statuses) for head, statuses in statuses_by_head.items()}
    if not checked:
        raise ValueError("statuses_by_head is empty; give at least one head with its cardinalities and statuses")
    bounds = _cardinality_bounds(np.concatenate([cardinality for cardinality, _ in checked.values()]))
    names = [f"{low}" if low == high - 1 else f"{low}–{high - 1}" for low, high in itertools.pairwise(bounds)]
    figure, axes = panels_of(len(checked), 1, width=max(7.2, 0.62 * len(names)), height=1.9, sharex=True)
    for axis, (head, (cardinality, status)) in zip(axes, checked.items(), strict=True):
        counts = {s: np.histogram(cardinality[status == s], bounds)[0] for s in STATUS_STYLE}
        total = sum(counts.values(), np.zeros(len(names), int))
        bottom = np.zeros(len(names))
        for name, style in STATUS_STYLE.items():
            share = counts[name] / np.maximum(total, 1)
            axis.bar(names, share, bottom=bottom, width=0.8, linewidth=0, **style)
            bottom += share
        for x, n in enumerate(total):
            axis.text(x, 1.02, f"{n:,}", ha="center", va="bottom", fontsize=8, color="#555555")
        axis.set_ylim(0, 1.16)
        axis.set_yticks([0, 0.5, 1])
        axis.yaxis.set_major_formatter(PercentFormatter(1.0))
        verdicts = ", ".join(f"{counts[s].sum():,} {s}" for s in STATUS_STYLE if counts[s].any())
        title(axis, f"{head}: {verdicts} of {len(status):,} sets")
    axes[-1].set_xlabel("cardinality: active labels of a set (above each bar: number of sets)")
    figure.supylabel("share of distinct test label sets", fontsize=9)
    legend(figure, axes[0], columns=2)
    return figure


def _checked(
    head: str, cardinality: Int[np.ndarray, " sets"], status: Sequence[str] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    cardinality, status = np.asarray(cardinality), np.asarray(status, str)
    if cardinality.ndim != 1 or len(cardinality) == 0 or cardinality.shape != status.shape:
        raise ValueError(
            f'head "{head}" needs one cardinality and one status a label set, at least one set; '
            f"given shapes {cardinality.shape} and {status.shape}"
        )
    unknown = sorted(set(status.tolist()) - set(STATUS_STYLE))
    if unknown:
        raise ValueError(f'head "{head}" has status {unknown[0]!r}, which is none of {", ".join(STATUS_STYLE)}')
    return cardinality, status


def _cardinality_bounds(cardinality: Int[np.ndarray, " sets"]) -> list[int]:
    """Bar edges: one bar a cardinality while they are few, wider and wider bars beyond."""
    smallest, largest = int(cardinality.min()), int(cardinality.max())
    bounds = list(range(largest + 2))
    if largest - smallest > 12:
        decades = [int(m * 10**p) + 1 for p in range(1, 10) for m in (1, 1.5, 2, 3, 5, 7.5)]
        bounds = [0, 1, 2, 3, 4, 5, 6, 8, *decades]
    first = max(i for i, bound in enumerate(bounds) if bound <= smallest)
    return [bound for bound in bounds[first:] if bound <= largest] + [largest + 1]
