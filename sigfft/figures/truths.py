"""One picture: what share of label sets is argmaxable in real numbers, as stored, and as deployed, against spread."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from sigfft.figures.style import COLOURS, MARKERS

STYLES = ("-", "--", "-", ":", "-.")  # of the truths in the order in which they are given


def truths_against_spread(panels: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """One panel for each setting, one line for each truth.

    Args:
      panels: by title, such as "n = 20,000, k = 50", records {"spread": 200, "ideal": 1.0, "stored": 0.99,
        "float32": 0.99, ...}; every key but "spread" is a share and becomes a line.

    Raises:
      ValueError: no panels, or a panel without records.
    """
    if not panels or not all(panels.values()):
        raise ValueError(f"every panel needs at least one record with a spread; given {dict(panels)}")
    figure = Figure(figsize=(3.1 * len(panels) + 0.4, 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, (title, records) in zip(axes, panels.items(), strict=True):
        ordered = sorted(records, key=lambda record: record["spread"])
        spread = np.array([record["spread"] for record in ordered])
        names = [name for name in ordered[0] if name != "spread"]
        for i, name in enumerate(names):
            style: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
            style |= {"linestyle": STYLES[i % len(STYLES)], "markersize": 8 - i, "fillstyle": "none"}
            axis.plot(spread, [record[name] for record in ordered], label=name, **style)
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_xlabel("spread, frequencies", fontsize=9)
        axis.set_xticks(spread)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#E5E5E5", linewidth=0.8)
    axes[0].set_ylim(-0.03, 1.05)
    axes[0].yaxis.set_major_formatter(PercentFormatter(1.0))
    axes[0].set_ylabel("share of random k-sets", fontsize=9)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
    return figure
