"""The looks that all figures share, without matplotlib's global state, and how a figure is written."""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from sigfft.files import replacing

# Okabe and Ito's palette without its yellow, which is too pale for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"
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
    count: int, columns: int, *, width: float, height: float, sharex: bool = False, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, at most `columns` in a row, each about `width` by `height` inches."""
    columns = min(count, columns)
    rows = -(-count // columns)
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    figure = Figure(figsize=(width * columns, height * rows + 0.8), layout=layout)
    grid = list(figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).flat)
    axes, surplus = grid[:count], grid[count:]
    for axis in surplus:
        axis.remove()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#E5E5E5", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.xaxis.label.set_fontsize(9)
        axis.yaxis.label.set_fontsize(9)
    return figure, axes


def title(axis: Axes, text: str) -> None:
    """What a panel shows, above it."""
    axis.set_title(text, fontsize=10, loc="left")


def legend(figure: Figure, *axes: Axes, columns: int = 3) -> None:
    """The names of these panels' lines, each once, below all panels."""
    by_name: dict[str, Any] = {}
    for axis in axes:
        by_name |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    columns = min(len(by_name), columns)
    looks: dict[str, Any] = {"ncols": columns, "frameon": False, "fontsize": 9, "handlelength": 4}
    figure.legend(by_name.values(), by_name.keys(), loc="outside lower center", **looks)


def line_style(index: int, *, markers: bool) -> dict[str, Any]:
    """Colour, dashes and, where points are marked, marker of the head at a place in the comparison."""
    style = {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": LINE_STYLES[index % len(LINE_STYLES)],
        "linewidth": 1.6,
    }
    return style | ({"marker": MARKERS[index % len(MARKERS)], "markersize": 5} if markers else {})
