"""Which label sets heads can output, by cardinality, and which labels stand in the way of those that they cannot."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from sigfft.figures.style import drawable, legend, panels_of, title

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
SIDES: dict[str, dict[str, Any]] = {
    "on": {"color": "#0072B2", "label": "active in the set"},
    "off": {"color": "#E69F00", "hatch": "///", "edgecolor": "white", "label": "not in the set"},
}
Statuses = tuple[Int[np.ndarray, " sets"], Sequence[str] | np.ndarray]
Conflict = tuple[Sequence[int], Sequence[int]]
_FULL, _SLIM = 1.9, 0.62  # inches of a panel whose bars differ, and of one whose bars are all alike
_WIDEST = 12.0  # inches; labels of more bars are turned


def argmaxable_share(statuses_by_head: Mapping[str, Statuses]) -> Figure:
    """How many of the label sets of each cardinality each head can output, as shares that add up to 100%.

    Heads have the cardinality and the status ("argmaxable", "unargmaxable" or "undecided") of each distinct test label
    set. Cardinalities of which no head has a set are left out. A head whose sets all have one status has a slim panel;
    if that is so of all heads, bars are numbers of sets, since their shares would tell nothing.

    Raises:
      ValueError: no label sets, lengths that differ, or an unknown status.
    """
    checked = {head: _checked(head, *statuses) for head, statuses in statuses_by_head.items()}
    if not checked:
        raise ValueError("statuses_by_head is empty; give at least one head with its cardinalities and statuses")
    bins = cardinality_bins(np.concatenate([cardinality for cardinality, _ in checked.values()]))
    names = [bin_name(*one) for one in bins]
    mixed = [len(set(status.tolist())) > 1 for _, status in checked.values()]
    heights = [_FULL if one or not any(mixed) else _SLIM for one in mixed]
    longest = 0.085 * max(map(len, names)) + 0.16
    turned = longest * len(names) > _WIDEST
    width = max(7.2, (0.62 if turned else max(0.62, longest)) * len(names) + 1.2)
    figure, axes = panels_of(len(checked), 1, width=width, height=heights, sharex=True)
    for axis, (head, (cardinality, status)), height in zip(axes, checked.items(), heights, strict=True):
        counts = {s: _counted(cardinality[status == s], bins) for s in STATUS_STYLE if s in status}
        _bars(axis, counts, shares=any(mixed))
        if height == _SLIM:
            axis.set_ylim(0, 1.6)
            axis.set_yticks([])
            axis.spines["left"].set_visible(False)
        verdicts = ", ".join(f"{counts[s].sum():,} {s}" for s in STATUS_STYLE if s in counts)
        title(axis, f"{head}: {verdicts} of {len(status):,} sets")
    looks: dict[str, Any] = {"rotation": 40, "ha": "right"} if turned else {}
    axes[-1].set_xticks(range(len(names)), names, fontsize=9, **looks)
    axes[-1].set_xlabel("cardinality: active labels of a set (above each bar: number of sets)")
    figure.supylabel("share of distinct test label sets" if any(mixed) else "distinct test label sets", fontsize=9)
    legend(figure, *axes, columns=2)
    return figure


def conflicting_labels(
    conflicts_by_head: Mapping[str, Sequence[Conflict]], names: Sequence[str] | None = None, most: int = 12
) -> Figure:
    """The labels that most often stand in a proof that a label set is impossible, one panel a head.

    Heads have, for each unargmaxable set, the labels of its certificate: those that are in the set and those that are
    not, which no activation has on and off at the same time. Heads without such a set are left out.

    Args:
      conflicts_by_head: label ids by head, (on, off) of each set.
      names: of all labels, in the order of their ids; None: ids are shown.
      most: labels of a panel.

    Raises:
      ValueError: no head has a conflict.
    """
    given = {head: conflicts for head, conflicts in conflicts_by_head.items() if conflicts}
    if not given:
        raise ValueError(f"no head has an unargmaxable label set; heads given: {list(conflicts_by_head)}")
    counted = {
        head: {side: Counter(i for conflict in conflicts for i in conflict[place]) for place, side in enumerate(SIDES)}
        for head, conflicts in given.items()
    }
    chosen = {head: _most_frequent(sides["on"] + sides["off"], most) for head, sides in counted.items()}
    heights = [0.26 * len(labels) + 0.7 for labels in chosen.values()]
    figure, axes = panels_of(len(given), 1, width=8.0, height=heights, grid="x")
    for axis, (head, labels) in zip(axes, chosen.items(), strict=True):
        left = np.zeros(len(labels))
        for side, style in SIDES.items():
            numbers = np.array([counted[head][side][i] for i in labels])
            if numbers.any():
                axis.barh(range(len(labels)), numbers, left=left, height=0.75, linewidth=0, **style)
            left += numbers
        axis.set_yticks(range(len(labels)), [_told(i, names) for i in labels], fontsize=9)
        axis.invert_yaxis()
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        title(axis, f"{head}: {len(given[head]):,} unargmaxable sets")
    axes[-1].set_xlabel("unargmaxable sets whose proof needs the label")
    legend(figure, *axes, columns=2)
    return figure


def cardinalities(cardinality_by_data: Mapping[str, Int[np.ndarray, " examples"]]) -> Figure:
    """How many labels examples have: the share of examples of each cardinality, one panel a data set.

    A dashed line is at the mean, which the title has in numbers with the largest cardinality.

    Raises:
      ValueError: no data set, or one without examples.
    """
    if not cardinality_by_data or not all(map(len, cardinality_by_data.values())):
        raise ValueError(f"every data set needs at least one example; given {list(cardinality_by_data)}")
    figure, axes = panels_of(len(cardinality_by_data), 3, width=3.9, height=2.6)
    for axis, (data, cardinality) in zip(axes, cardinality_by_data.items(), strict=True):
        counts, mean = np.bincount(cardinality), float(np.mean(cardinality))
        axis.bar(range(len(counts)), counts / len(cardinality), width=0.9, color=STATUS_STYLE["argmaxable"]["color"])
        axis.axvline(mean, color="black", linestyle="--", linewidth=1.2)
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axis.yaxis.set_major_locator(MaxNLocator(4))
        axis.yaxis.set_major_formatter(PercentFormatter(1.0))
        axis.set(xlabel="labels of an example", ylabel=f"share of {len(cardinality):,} examples")
        title(axis, f"{data}: mean {mean:.1f}, largest {len(counts) - 1}")
    return figure


def cardinality_bins(cardinality: Int[np.ndarray, " sets"]) -> list[tuple[int, int]]:
    """Smallest and largest cardinality of each bar, both included, in order; none is empty.

    One bar a cardinality while they are few; beyond, wider and wider ones, at most some twelve.
    """
    smallest, largest = int(cardinality.min()), int(cardinality.max())
    bounds = list(range(smallest, largest + 2))
    for digits in ((1, 1.5, 2, 3, 5, 7.5), (1, 2, 5), (1,)):
        if len(_filled(cardinality, bounds)) <= 13:
            break
        decades = [int(digit * 10**power) + 1 for power in range(1, 10) for digit in digits]
        bounds = [*sorted({0, 1, 2, 3, 4, 5, 6, 8, *decades}), 10**10]
    return _filled(cardinality, bounds)


def bin_name(low: int, high: int) -> str:
    """A bar's cardinalities as a label."""
    return f"{low}" if low == high else f"{low}–{high}"


def _filled(cardinality: np.ndarray, bounds: Sequence[int]) -> list[tuple[int, int]]:
    """The bins between bounds that hold a set; the last one ends at the largest cardinality."""
    counts = np.histogram(cardinality, bounds)[0]
    largest = int(cardinality.max())
    pairs = itertools.pairwise(bounds)
    return [(low, min(high - 1, largest)) for (low, high), count in zip(pairs, counts, strict=True) if count]


def _counted(cardinality: np.ndarray, bins: Sequence[tuple[int, int]]) -> np.ndarray:
    return np.array([int(((cardinality >= low) & (cardinality <= high)).sum()) for low, high in bins])


def _bars(axis: Axes, counts: Mapping[str, np.ndarray], shares: bool) -> None:
    """Stacked bars, a status each, with the number of sets above them: shares, or numbers of sets."""
    total = np.sum(list(counts.values()), axis=0)
    bottom = np.zeros(len(total))
    for name, style in STATUS_STYLE.items():
        if name in counts:
            height = counts[name] / np.maximum(total, 1) if shares else counts[name]
            axis.bar(range(len(total)), height, bottom=bottom, width=0.8, linewidth=0, **style)
            bottom += height
    for x, n in enumerate(total):
        told, y = (f"{n:,}", bottom[x]) if n else ("no sets", 0.0)
        axis.annotate(told, (x, y), (0, 2), textcoords="offset points", ha="center", fontsize=8, color="#555555")
    if shares:
        axis.set_ylim(0, 1.2)
        axis.set_yticks([0, 0.5, 1])
        axis.yaxis.set_major_formatter(PercentFormatter(1.0))
    else:
        axis.set_ylim(0, 1.15 * total.max())
        axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def _most_frequent(counts: Counter[int], most: int) -> list[int]:
    return sorted(counts, key=lambda label: (-counts[label], label))[:most]


def _told(label: int, names: Sequence[str] | None, longest: int = 36) -> str:
    name = "" if names is None else " ".join(names[label].split())
    if not name:
        return f"label {label}"
    cut = name if len(name) <= longest else f"{name[: longest - 1]}…"
    return f"{drawable(cut)} ({label})"


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
