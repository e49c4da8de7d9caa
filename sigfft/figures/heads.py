"""Heads compared: curves of their training, and ranking metrics by cut-off."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sigfft.figures.style import calm, legend, line_style, panels_of, spaced, title

METRIC_TITLES = {
    "P": "P@k: share of the k highest-ranked labels that is true",
    "R": "R@k: share of the true labels among the k highest-ranked",
    "F1": "F1@k: harmonic mean of P@k and R@k",
    "mean F1": "mean F1@k: each example's own F1@k, averaged",
    "nDCG": "nDCG@k: discounted gain, over the best possible",
    "PSP": "PSP@k: propensity-scored precision, over the best possible",
    "PSnDCG": "PSnDCG@k: propensity-scored discounted gain, over the best possible",
}
LOSS = "loss"
Curve = Sequence[Mapping[str, Any]]


def learning_curve(curves: Mapping[str, Curve], metric: str = "P@1") -> Figure:
    """Training loss and the metric on the development split against the step, one line a head.

    Curves are records such as {"step": 100, "loss": 12.3, "P@1": 0.41}, by head. A record need not hold both values; a
    panel whose value no record holds is left out. Of a metric whose name ends with "loss" less is better; others are
    fractions.

    Raises:
      ValueError: no record holds a loss or the metric.
    """
    points = {key: {head: _points(curve, key) for head, curve in curves.items()} for key in (LOSS, metric)}
    panels = [key for key, lines in points.items() if any(len(steps) for steps, _ in lines.values())]
    if not panels:
        raise ValueError(f'no record holds "{LOSS}" or "{metric}" beside its "step"; heads given: {list(curves)}')
    falls, rings = metric.endswith(LOSS), {}
    names = {head: head for head in curves}
    for head, (steps, values) in points[metric].items():
        if metric != LOSS and len(steps):
            best = int(np.argmin(values) if falls else np.argmax(values))
            rings[head] = steps[best], values[best]
            names[head] = f"{head}: best {metric} {values[best]:.3f} at step {steps[best]:,.0f}"
    figure, axes = panels_of(len(panels), len(panels), width=4.6, height=3.6, sharex=True)
    for axis, key in zip(axes, panels, strict=True):
        for index, (head, (steps, values)) in enumerate(points[key].items()):
            if not len(steps):
                continue
            line = line_style(index, markers=len(steps) <= 40)
            axis.plot(steps, values, label=names[head], **line)
            if key == metric and head in rings:
                axis.plot(*rings[head], "o", color=line["color"], markersize=11, fillstyle="none")
        axis.set_xlabel("training step")
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 2.5, 5, 10]))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
        title(axis, "Loss on training batches" if key == LOSS else f"{metric} on the development split (ring: best)")
        axis.set_ylabel("loss, sum over labels (nats)" if key.endswith(LOSS) else metric)
        calm(axis, ceiling=None if key.endswith(LOSS) else 1.0)
    legend(figure, *axes, columns=2)
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
            axis.set_xticks(spaced(sorted(seen)))
        calm(axis, ceiling=1.0)
    legend(figure, axes[0])
    return figure


def _points(curve: Curve, key: str) -> tuple[np.ndarray, np.ndarray]:
    found = sorted((record["step"], record[key]) for record in curve if key in record)
    steps, values = np.asarray(found, np.float64).reshape(-1, 2).T
    return steps, values
