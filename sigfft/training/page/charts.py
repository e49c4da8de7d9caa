"""Line charts as the numbers that an inline SVG takes; colours come from the page, which is light or dark."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.ticker import MaxNLocator

from sigfft.figures.style import calm_limits, spaced

WIDTH, HEIGHT = 560, 290  # of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 58, 24, 12, 44  # around the plot
COLOURS, DASHES = 7, 4  # classes of the page: colour-0, dash-0, ...
Points = Sequence[tuple[float, float]]


class Tick(NamedTuple):
    """A number beside an axis, and where it stands."""

    at: float
    told: str


class Line(NamedTuple):
    """A line: its place in the comparison, and its points in the drawing, each with what it says."""

    name: str
    looks: str
    path: str
    marks: list[tuple[float, float, str]]
    ring: tuple[float, float] | None


class Chart(NamedTuple):
    """What one chart shows."""

    title: str
    xlabel: str
    lines: list[Line]
    xticks: list[Tick]
    yticks: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def looks(index: int) -> str:
    """The classes of the head at a place in the comparison."""
    return f"colour-{index % COLOURS} dash-{index % DASHES}"


def chart(
    title: str,
    xlabel: str,
    lines: Mapping[str, Points],
    *,
    fraction: bool = False,
    best: str = "",
    at_points: bool = False,
) -> Chart | None:
    """A chart of finite points by name, in the order of a comparison; None without a point.

    Args:
      title: above it.
      xlabel: below it.
      lines: points of each name; one without any keeps its place and is not drawn.
      fraction: values end at 1.
      at_points: numbers below the chart are those of points, where they have room.
      best: "largest" or "smallest": the value of each line that has a ring.
    """
    lines = {name: sorted((x, y) for x, y in points if math.isfinite(y)) for name, points in lines.items()}
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    if not xs:
        return None
    padding = 0.06 * (max(ys) - min(ys))
    low, high = calm_limits(min(ys) - padding, max(ys) + padding, 1.0 if fraction else None)
    first, last = (min(xs), max(xs)) if min(xs) < max(xs) else (min(xs) - 1, max(xs) + 1)
    low, high = (low, high) if low < high else (low - 1, high + 1)

    def across(x: float) -> float:
        return round(LEFT + (x - first) / (last - first) * (WIDTH - LEFT - RIGHT), 1)

    def up(y: float) -> float:
        return round(HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    drawn = []
    for index, (name, points) in enumerate(lines.items()):
        if not points:
            continue
        path = " ".join(f"{across(x)},{up(y)}" for x, y in points)
        marked = [(across(x), up(y), f"{name}: {y:.4g} at {x:,.0f}") for x, y in points] if len(points) <= 60 else []
        chosen = {"largest": max, "smallest": min}.get(best)
        at = chosen(points, key=lambda point: point[1]) if chosen else None
        drawn.append(Line(name, looks(index), path, marked, at and (across(at[0]), up(at[1]))))
    below = spaced(sorted(set(xs))) if at_points else _ticks(first, last, whole=True)
    xticks = [Tick(across(x), f"{x:,.0f}") for x in below]
    yticks = [Tick(up(y), f"{y:,.6g}") for y in _ticks(low, high)]
    return Chart(title, xlabel, drawn, xticks, yticks)


def _ticks(low: float, high: float, whole: bool = False) -> list[float]:
    values = MaxNLocator(5, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high).tolist()
    return [round(value, 10) + 0.0 for value in values if low <= value <= high]
