"""The looks that all figures share, without matplotlib's global state, and how a figure is written."""

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine

from sigfft.files import replacing

# Okabe and Ito's palette without its yellow, which is too pale for lines on white.
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C564B", "#999933"),
    *("#882255", "#5E4FA2", "#A6761D"),
)
MARKERS = "osD^vPX*p<>h"
LINE_STYLES = ("-", "--", "-.", ":")


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure; the suffix of `path` (.png, .svg, .pdf) names the format.

    The file appears whole or not at all, and the same figure gives the same bytes.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    undated = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix)
    with replacing(path) as part, matplotlib.rc_context({"svg.hashsalt": "sigfft"}):
        figure.savefig(part, dpi=150, metadata=undated)


def panels_of(
    count: int,
    columns: int,
    *,
    width: float,
    height: float | Sequence[float],
    sharex: bool = False,
    sharey: bool = False,
    grid: Literal["x", "y"] = "y",
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, at most `columns` in a row, each about `width` by `height` inches.

    `height` is one of all rows, or one for each. `grid` names the axis whose ticks have lines.
    """
    columns = min(count, columns)
    rows = -(-count // columns)
    heights = [height] * rows if isinstance(height, int | float) else list(height)
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    figure = Figure(figsize=(width * columns, sum(heights) + 0.8), layout=layout)
    shared: dict[str, Any] = {"sharex": sharex, "sharey": sharey, "height_ratios": heights}
    cells = list(figure.subplots(rows, columns, squeeze=False, **shared).flat)
    axes, surplus = cells[:count], cells[count:]
    for axis in surplus:
        axis.remove()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis=grid, color="#E5E5E5", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.xaxis.label.set_fontsize(9)
        axis.yaxis.label.set_fontsize(9)
    return figure, axes


def title(axis: Axes, text: str) -> None:
    """What a panel shows, above it."""
    axis.set_title(drawable(text), fontsize=10, loc="left")


def drawable(text: str) -> str:
    """A text that is drawn as it stands: "$" begins no formula, and a character that the font lacks is a box."""
    return "".join(c if c.isprintable() and ord(c) in _characters() else "\u25a1" for c in text).replace("$", r"\$")


@functools.cache
def _characters() -> frozenset[int]:
    """The code points of the font that figures are drawn in."""
    return frozenset(get_font(findfont(FontProperties())).get_charmap())


def calm(axis: Axes, ceiling: float | None = None) -> None:
    """Gives a linear y axis its `calm_limits`."""
    axis.set_ylim(calm_limits(*axis.get_ylim(), ceiling))


def calm_limits(low: float, high: float, ceiling: float | None = None) -> tuple[float, float]:
    """Limits that span a third of the largest value at least, so that small differences look small.

    Where `ceiling` is the largest value that there can be, such as 1 of fractions, they end a little above it at most.
    """
    top = math.inf if ceiling is None else 1.02 * ceiling
    high = min(high, top)
    least = max(abs(low), abs(high)) / 3
    if high - low < least:
        high = min((low + high + least) / 2, top)
        low = high - least
    return low, high


def spaced(values: Sequence[float]) -> list[float]:
    """Those of rising values whose numbers have room below an axis: the largest, and others not too near to it."""
    kept = [values[-1]]
    for value in reversed(values[:-1]):
        if kept[-1] - value >= 0.09 * (values[-1] - values[0]):
            kept.append(value)
    return kept[::-1]


def legend(figure: Figure, *axes: Axes, columns: int = 3) -> None:
    """The names of these panels' lines, each once, below all panels."""
    by_name: dict[str, Any] = {}
    for axis in axes:
        by_name |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    columns = min(len(by_name), columns)
    names = list(map(drawable, by_name))
    looks: dict[str, Any] = {"ncols": columns, "frameon": False, "fontsize": 9, "handlelength": 4}
    figure.legend(list(by_name.values()), names, loc="outside lower center", **looks)


def line_style(index: int, *, markers: bool) -> dict[str, Any]:
    """Colour, dashes and, where points are marked, marker of the head at a place in the comparison."""
    again, place = divmod(index, len(COLOURS))  # the same colour with other dashes
    style = {
        "color": COLOURS[place],
        "linestyle": LINE_STYLES[(place + again) % len(LINE_STYLES)],
        "linewidth": 1.6,
    }
    return style | ({"marker": MARKERS[index % len(MARKERS)], "markersize": 5} if markers else {})
