"""How runs are drawn: means with their ranges, and never without their number."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import NullLocator

from sigfft.figures.style import line_style, spaced
from sigfft.figures.sweeps.runs import Mean, Sweep, family_name

Point = tuple[float, Mean]
Offset = tuple[float, float]
Box = tuple[float, float, float, float]

_DODGED = 1.5  # from the first family's marker to the last one's, at most: less than from one d to the next


class Looks:
    """Each family's looks in a figure, and its name in the legend, with the number of runs that its points are of.

    That is the most frequent number; a point of another number has it written beside it.
    """

    def __init__(self, sweep: Sweep, counts: Iterable[tuple[str, int]]):
        """Of the families of a sweep; `counts` are a family and a number of runs for each point that is drawn."""
        self._families = sweep.families
        self._usual: dict[str, int] = {}
        for (family, count), _ in reversed(Counter(counts).most_common()):
            self._usual[family] = count

    @classmethod
    def of_columns(cls, sweep: Sweep, columns: Iterable[str]) -> "Looks":
        """Of points that are means of columns."""
        means = [(head.family, head.mean(column)) for column in columns for head in sweep.heads]
        return cls(sweep, [(family, mean.runs) for family, mean in means if mean])

    def style(self, family: str, *, markers: bool = True) -> dict[str, Any]:
        return line_style(self._families.index(family), markers=markers)

    def name(self, family: str) -> str:
        return f"{family_name(family)} ({runs_told(self._usual[family])})"

    def told(self, family: str, runs: int) -> str:
        """What stands beside a point of so many runs: nothing where it is the usual number."""
        return "" if runs == self._usual[family] else runs_told(runs)

    def dodge(self, family: str) -> float:
        """What a family's d is multiplied by, so that points of different families stand side by side."""
        place, last = self._families.index(family), len(self._families) - 1
        step = min(1.06, _DODGED ** (1 / max(1, last)))
        return step ** (place - last / 2)


def draw_means(axis: Axes, points: Sequence[Point], looks: Looks, family: str) -> None:
    """A line through means, with their range as a band; of a single point, as a bar."""
    if not points:
        return
    style = looks.style(family)
    x, means = np.array([x for x, _ in points]), [mean for _, mean in points]
    low, high = [mean.low for mean in means], [mean.high for mean in means]
    axis.plot(x, [mean.mean for mean in means], label=looks.name(family), **style)
    if len(points) > 1:
        axis.fill_between(x, low, high, color=style["color"], alpha=0.15, linewidth=0)
    else:
        axis.vlines(x, low, high, color=style["color"], linewidth=style["linewidth"])
    for at, mean in points:
        beside(axis, (at, mean.mean), looks.told(family, mean.runs), style["color"])


def draw_level(axis: Axes, mean: Mean, looks: Looks, family: str) -> None:
    """A head without d: a level across the panel, with its range as a band."""
    style = looks.style(family, markers=False)
    axis.axhline(mean.mean, label=looks.name(family), **style)
    axis.axhspan(mean.low, mean.high, color=style["color"], alpha=0.12, linewidth=0)
    beside(axis, (axis.get_xlim()[0], mean.mean), looks.told(family, mean.runs), style["color"])


def beside(axis: Axes, point: tuple[float, float], text: str, colour: str = "#333333", offset: Offset = (5, 4)) -> None:
    """A short text, if there is one, at the upper right of a point, or at another offset in typographic points."""
    if text:
        halo = [withStroke(linewidth=2.5, foreground="white")]
        place: dict[str, Any] = {"xytext": offset, "textcoords": "offset points"}
        axis.annotate(text, point, **place, fontsize=8, color=colour, path_effects=halo, zorder=4)


def beside_each(figure: Figure, axis: Axes, texts: Sequence[tuple[tuple[float, float], str, str]]) -> None:
    """A text beside each point, in its colour, where it meets no other text and no marker; "" for none.

    The limits of the axis must stand.
    """
    scale = 72 / figure.dpi
    places = [(axis.transData.transform(point) * scale).tolist() for point, _, _ in texts]
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in places]
    for (x, y), (point, text, colour) in zip(places, texts, strict=True):
        width = 4.7 * len(text)
        boxes = {
            (dx, dy): (x + dx, y + dy, x + dx + width, y + dy + 8) for dx in (5, -5 - width) for dy in (4, -11, 13)
        }
        free = [offset for offset, box in boxes.items() if not any(_meet(box, other) for other in taken)]
        offset = (free or list(boxes))[0]
        beside(axis, point, text, colour, offset)
        taken += [boxes[offset]] if text else []


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def axis_of_d(axis: Axes, sizes: Sequence[int]) -> None:
    """A logarithmic axis with a tick at each d that has room for its number; without any d, an axis without ticks."""
    axis.set_xlabel("d")
    axis.set_xticks([])
    if not sizes:
        return
    axis.set_xscale("log")
    margin = 1.3 if len(sizes) > 1 else 4  # of a single d, so that markers beside it are seen to be of it
    axis.set_xlim(min(sizes) / margin, max(sizes) * margin)
    by_log = {math.log(d): d for d in sorted(sizes)}
    ticks = [by_log[log] for log in spaced(list(by_log))]
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xticks(ticks, list(map(str, ticks)))


def runs_told(count: int) -> str:
    """A number of runs in words."""
    return f"{count} run{'s' if count != 1 else ''}"


def say_empty(axis: Axes, what: str) -> None:
    """What a panel would show, where no run has it."""
    axis.text(0.5, 0.5, f"no run has {what}", transform=axis.transAxes, ha="center", va="center", fontsize=9)
