"""Heads compared: curves of their training, ranking metrics by cut-off, and which label sets they can output."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from sigfft.figures.style import legend, line_style, panels_of, title

METRIC_TITLES = {
    "P": "P@k: share of the k highest-ranked labels that is true",
    "R": "R@k: share of the true labels among the k highest-ranked",
    "F1": "F1@k: harmonic mean of P@k and R@k",
    "mean F1": "mean F1@k: each example's own F1@k, averaged",
    "nDCG": "nDCG@k: discounted gain, over the best possible",
    "PSP": "PSP@k: propensity-scored precision, over the best possible",
    "PSnDCG": "PSnDCG@k: propensity-scored discounted gain, over the best possible",
}
Curve = Sequence[Mapping[str, Any]]
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


def learning_curve(curves: Mapping[str, Curve], metric: str = "P@1") -> Figure:
    """Training loss and the metric on the development split against the step, one line a head.

    Curves are records such as {"step": 100, "loss": 12.3, "P@1": 0.41}, by head. A record need not hold both values; a
    panel whose value no record holds is left out.

    Raises:
      ValueError: no record holds a loss or the metric.
    """
    points = {key: {head: _points(curve, key) for head, curve in curves.items()} for key in ("loss", metric)}
    panels = [key for key, lines in points.items() if any(len(steps) for steps, _ in lines.values())]
    if not panels:
        raise ValueError(f'no record holds "loss" or "{metric}" beside its "step"; heads given: {list(curves)}')
    figure, axes = panels_of(len(panels), len(panels), width=4.6, height=3.6, sharex=True)
    for axis, key in zip(axes, panels, strict=True):
        for index, (head, (steps, values)) in enumerate(points[key].items()):
            line = line_style(index, markers=len(steps) <= 40)
            name = head
            if key == metric and len(steps):
                best = int(np.argmax(values))
                name = f"{head}: best {metric} {values[best]:.3f} at step {steps[best]:,.0f}"
                axis.plot(steps[best], values[best], "o", color=line["color"], markersize=11, fillstyle="none")
            axis.plot(steps, values, label=name, **line)
        axis.set_xlabel("training step")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
        title(axis, "Loss on training batches" if key == "loss" else f"{metric} on the development split (ring: best)")
        axis.set_ylabel("loss, sum over labels (nats)" if key == "loss" else metric)
    legend(figure, axes[-1], columns=2)
    return figure


def metric_against_k(metrics_by_head: Mapping[str, Mapping[str, float]], names: Sequence[str] = ("P", "F1")) -> Figure:
    """Ranking metrics against their cut-off k, one panel a metric and one line a head.

    Heads have test metrics whose keys include "P@1", "P@3", "F1@5" and the like; `names` says which, without "@k".

    Raises:
      ValueError: a head has no value of a metric.
    """
    figure, axes = panels_of(len(names), len(names), width=4.6, height=3.6)
    for axis, name in zip(axes, names, strict=True):
        seen: set[int] = set()
        for index, (head, metrics) in enumerate(metrics_by_head.items()):
            found = [
                (int(m[1]), metrics[key]) for key in metrics if (m := re.fullmatch(rf"{re.escape(name)}@(\d+)", key))
            ]
            if not found:
                raise ValueError(f'head "{head}" has no "{name}@k" among its metrics: {", ".join(metrics)}')
            ks, values = zip(*sorted(found), strict=True)
            seen.update(ks)
            axis.plot(ks, values, label=head, **line_style(index, markers=True))
        title(axis, METRIC_TITLES.get(name, f"{name}@k"))
        axis.set_xlabel("k, number of labels predicted")
        axis.set_ylabel(f"{name}@k on the test split")
        if len(seen) <= 12:
            axis.set_xticks(sorted(seen))
    legend(figure, axes[0])
    return figure


def argmaxable_share(statuses_by_head: Mapping[str, Statuses]) -> Figure:
    """How many of the label sets of each cardinality each head can output, as shares that add up to 100%.

    Heads have the cardinality and the status ("argmaxable", "unargmaxable" or "undecided") of each distinct test label
    set.

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


def _points(curve: Curve, key: str) -> tuple[np.ndarray, np.ndarray]:
    found = sorted((record["step"], record[key]) for record in curve if key in record)
    steps, values = np.asarray(found, np.float64).reshape(-1, 2).T
    return steps, values


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
