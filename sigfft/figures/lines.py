"""Lines of measured numbers, one panel a quantity: how time, memory or a score depends on a size."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, Formatter, FuncFormatter, LogLocator, NullFormatter

from sigfft.figures.style import legend, line_style, panels_of, title


class Panel(NamedTuple):
    """What one panel shows.

    Attributes:
      title: above it.
      xlabel: below it, with the unit.
      ylabel: beside it, with the unit.
      lines: by name, points (x, y), or (x, y, lowest y, highest y) where a measurement was repeated.
      log: whether both axes are logarithmic, or only x.
    """

    title: str
    xlabel: str
    ylabel: str
    lines: Mapping[str, Sequence[tuple[float, ...]]]
    log: bool = True


def lines(panels: Sequence[Panel]) -> Figure:
    """One panel beside the other; a name keeps its looks in all of them.

    Raises:
      ValueError: no panels, or a panel without a point.
    """
    if not panels or not all(any(panel.lines.values()) for panel in panels):
        raise ValueError(f"every panel needs at least one point; given {[panel.title for panel in panels]}")
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    figure, axes = panels_of(1, len(panels), width=3.8, height=3.2)
    for axis, panel in zip(axes, panels, strict=True):
        for name, points in panel.lines.items():
            if not points:
                continue
            x, y, *spread = np.asarray(sorted(points), np.float64).T
            style = line_style(names.index(name), markers=True)
            axis.plot(x, y, label=name, **style)
            if spread:
                axis.fill_between(x, spread[0], spread[1], color=style["color"], alpha=0.15, linewidth=0)
        axis.set_xscale("log")
        _few_ticks(axis.xaxis, EngFormatter(sep=""))
        if panel.log:
            axis.set_yscale("log")
            _few_ticks(axis.yaxis, FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_xlabel(panel.xlabel)
        axis.set_ylabel(panel.ylabel)
        title(axis, panel.title)
    if len(names) > 1:
        legend(figure, *axes)
    return figure


def _few_ticks(axis: Axis, form: Formatter) -> None:
    """Ticks at 1, 2 and 5 of each power of ten, so that short ranges have some and long ones not too many."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(form)
    axis.set_minor_formatter(NullFormatter())
