"""Measurements as lines, one panel a quantity: how time, memory or a score depends on a size."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, Formatter, FuncFormatter, NullFormatter

from sigfft.figures.style import calm, legend, line_style, panels_of, title

_MOST_TICKS = 10  # of a logarithmic axis: more would overlap


class Panel(NamedTuple):
    """What one panel shows."""

    title: str  # above it
    xlabel: str  # below it, with the unit
    ylabel: str  # beside it, with the unit
    # by name, points (x, y), or (x, y, lowest y, highest y) where a measurement was repeated
    lines: Mapping[str, Sequence[tuple[float, ...]]]
    log: str = "xy"  # which axes are logarithmic: "xy", "x" or ""
    # where y begins; None: a little below the lowest point, and so low that a linear axis spans a third of its values
    bottom: float | None = None


def lines(panels: Sequence[Panel], *, columns: int = 3, sharey: bool = False, note: str = "") -> Figure:
    """One panel beside the other, so many `columns` in a row; a name keeps its looks in all of them.

    With `sharey` all have one y axis, with the first panel's label. A note, on all panels, stands above them.

    Raises:
      ValueError: no panels, or a panel without a point.
    """
    if not panels or not all(any(panel.lines.values()) for panel in panels):
        raise ValueError(f"every panel needs at least one point; given {[panel.title for panel in panels]}")
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    figure, axes = panels_of(len(panels), columns, width=3.8, height=3.2, sharey=sharey)
    for axis, panel in zip(axes, panels, strict=True):
        _draw(axis, panel, names)
        axis.set_ylabel("" if sharey else panel.ylabel)
    for axis, panel in zip(axes, panels, strict=True):
        if "x" in panel.log:
            few_ticks(axis.xaxis, axis.set_xlim, EngFormatter(sep=""))
        if "y" in panel.log:
            few_ticks(axis.yaxis, axis.set_ylim, FuncFormatter(_plain))
    if sharey:
        figure.supylabel(panels[0].ylabel, fontsize=9)
    if note:
        figure.suptitle(note, fontsize=9)
    if len(names) > 1:
        legend(figure, *axes)
    return figure


def _draw(axis: Axes, panel: Panel, names: Sequence[str]) -> None:
    for name, points in panel.lines.items():
        if not points:
            continue
        x, y, *spread = np.asarray(sorted(points), np.float64).T
        style = line_style(names.index(name), markers=True)
        axis.plot(x, y, label=name, **style)
        if spread:
            axis.vlines(x, *spread, color=style["color"], linewidth=style["linewidth"])
    axis.set_xscale("log" if "x" in panel.log else "linear")
    axis.set_yscale("log" if "y" in panel.log else "linear")
    if panel.bottom is not None:
        axis.set_ylim(bottom=panel.bottom)
    elif "y" not in panel.log:
        calm(axis)
    axis.set_xlabel(panel.xlabel)
    title(axis, panel.title)


def _plain(value: float, _: int | None = None) -> str:
    """0.05 and 500 as they stand, 20k and 1M above."""
    return EngFormatter(sep="")(value) if value >= 1000 else f"{value:g}"


def few_ticks(axis: Axis, set_limits: Callable[[float, float], object], form: Formatter) -> None:
    """Ticks at 1, 2 and 5 of each power of ten, or at the powers alone where those are too many.

    Limits that hold fewer than three ticks are widened to the next ones.
    """
    low, high = axis.get_view_interval()
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    if sum(low <= tick <= high for tick in ticks) > _MOST_TICKS:
        ticks = [10.0**power for power in powers]
    if sum(low <= tick <= high for tick in ticks) < 3:
        set_limits(max(tick for tick in ticks if tick <= low), min(tick for tick in ticks if tick >= high))
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(form)
    axis.set_minor_formatter(NullFormatter())
