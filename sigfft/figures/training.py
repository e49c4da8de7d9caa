"""How training went and how good the heads are: curves over steps and over the metrics' cut-off."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from sigfft.figures.style import legend, line_style, panels_of, title

METRIC_TITLES = {
    "P": "P@k: share of the k highest-ranked labels that is true",
    "R": "R@k: share of the true labels among the k highest-ranked",
    "F1": "F1@k: harmonic mean of P@k and R@k",
    "mean F1": "mean F1@k: each example's own F1@k, averaged",
    "nDCG": "nDCG@k: discounted gain, over the best possible",
    "PSP": "PSP@k: propensity-scored precision, over the best possible",
}

Curve = Sequence[Mapping[str, float | int]]


def learning_curve(curves: Mapping[str, Curve], metric: str = "P@1") -> Figure:
    """Training loss and the metric on the development split against the step, one line a head.

    Args:
      curves: by head, records such as {"step": 100, "loss": 12.3, "P@1": 0.41}. A record need not hold both values; a
        panel whose value no record holds is left out.
      metric: the development metric.

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

    Args:
      metrics_by_head: by head, test metrics whose keys include "P@1", "P@3", "F1@5" and the like.
      names: which metrics, without "@k".

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


def _points(curve: Curve, key: str) -> tuple[np.ndarray, np.ndarray]:
    found = sorted((record["step"], record[key]) for record in curve if key in record)
    steps, values = np.asarray(found, np.float64).reshape(-1, 2).T
    return steps, values
