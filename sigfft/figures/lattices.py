"""All label sets of a few labels, ordered by inclusion: the Hasse diagram of what a layer can output."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from sigfft.figures.arrangements import LETTERS, RED, cardinality_colour, set_name
from sigfft.figures.style import drawable, legend, title

_MOST_LABELS, _MOST_NAMED = 10, 6
_POSSIBLE: dict[str, Any] = {"marker": "o", "color": "#0072B2", "markersize": 2.6, "label": "can be output"}
_IMPOSSIBLE: dict[str, Any] = {"marker": "x", "color": RED, "markersize": 2.6, "label": "cannot be output"}
_BESIDE: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 8}
Set = tuple[int, ...]
Places = dict[Set, tuple[float, float]]


def all_sets(n_labels: int) -> list[list[int]]:
    """Every set of `n_labels` labels, the small ones first."""
    return [list(one) for size in range(n_labels + 1) for one in itertools.combinations(range(n_labels), size)]


def hasse(
    statuses_by_layer: Mapping[str, Sequence[str] | np.ndarray], n_labels: int, names: Sequence[str] = LETTERS
) -> Figure:
    """Label sets by cardinality, a line from each set to those with one label more; one panel a layer.

    Sets that a layer can output are filled, others are crossed out. A line is dark where it joins two sets that can be
    output. Beyond six labels sets have no room for their names: they are dots, counted beside each cardinality.

    Args:
      statuses_by_layer: statuses of the sets of `all_sets(n_labels)`, in their order, by the layer's name.
      n_labels: at most ten, for more sets have no room.
      names: of the labels, short ones.

    Raises:
      ValueError: too many labels, no layer, or one whose statuses are not one for each set.
    """
    if not 1 <= n_labels <= _MOST_LABELS:
        raise ValueError(
            f"n_labels must be between 1 and {_MOST_LABELS}: there are 2^n label sets to draw; given {n_labels}"
        )
    sets = all_sets(n_labels)
    for layer, statuses in statuses_by_layer.items():
        if len(statuses) != len(sets):
            raise ValueError(f'"{layer}" needs a status for each of {len(sets)} label sets; given {len(statuses)}')
    if not statuses_by_layer:
        raise ValueError("statuses_by_layer is empty; give the statuses of at least one layer")
    figure = Figure(
        figsize=(8.6 if n_labels <= _MOST_NAMED else 11, 3.5 * len(statuses_by_layer)), layout="constrained"
    )
    panels = figure.subplots(len(statuses_by_layer), 1, squeeze=False)[:, 0]
    for axis, (layer, statuses) in zip(panels, statuses_by_layer.items(), strict=True):
        reached = {tuple(one) for one, status in zip(sets, statuses, strict=True) if status == "argmaxable"}
        places = _places(sets)
        if n_labels <= _MOST_NAMED:
            _draw_named(axis, places, reached, n_labels, names)
        else:
            _draw_dots(axis, places, reached)
        widest = max(abs(x) for x, _ in places.values())
        room = 0.6 if n_labels <= _MOST_NAMED else 0.02 * widest
        axis.set(
            xlim=(-widest - room, widest + room), ylim=(-0.4, n_labels + 0.4), yticks=range(n_labels + 1), xticks=[]
        )
        axis.set_ylabel("cardinality", fontsize=9)
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
        title(axis, f"{layer}: {len(reached)} of {len(sets)} label sets")
    if n_labels > _MOST_NAMED:
        legend(figure, *panels)
    return figure


def _places(sets: list[list[int]]) -> Places:
    """Where each set is drawn: its cardinality is its height; rows of fewer sets have more room between them."""
    rows = [list(map(tuple, level)) for _, level in itertools.groupby(sets, key=len)]
    widest = max(map(len, rows))
    places: Places = {}
    for size, row in enumerate(rows):
        step = math.sqrt(widest / len(row))
        places |= {one: (step * (x - (len(row) - 1) / 2), float(size)) for x, one in enumerate(row)}
    return places


def _edges(places: Places) -> Iterator[tuple[Set, Set]]:
    """Each set with those that have one label less."""
    for upper in places:
        for lower in itertools.combinations(upper, len(upper) - 1) if upper else ():
            yield lower, upper


def _draw_dots(axis: Axes, places: Places, reached: set[Set]) -> None:
    for both, colour, alpha in ((False, "#DDDDDD", 0.25), (True, "#555555", 0.35)):
        joined = [edge for edge in _edges(places) if reached.issuperset(edge) == both]
        ends = [[places[lower], places[upper]] for lower, upper in joined]
        axis.add_collection(LineCollection(ends, colors=colour, alpha=alpha, linewidths=0.4, zorder=1))
    for possible, style in ((True, _POSSIBLE), (False, _IMPOSSIBLE)):
        shown = [place for one, place in places.items() if (one in reached) == possible]
        if shown:
            axis.plot(*zip(*shown, strict=True), linestyle="none", zorder=2, **style)
    for size, count in sorted(Counter(map(len, places)).items()):
        told = f"{sum(len(one) == size for one in reached)} of {count}"
        axis.annotate(told, (1.0, size), (6, 0), xycoords=axis.get_yaxis_transform(), **_BESIDE)


def _draw_named(axis: Axes, places: Places, reached: set[Set], n_labels: int, names: Sequence[str]) -> None:
    for lower, upper in _edges(places):
        both = upper in reached and lower in reached
        style = {"color": "#555555", "linewidth": 0.9} if both else {"color": "#DDDDDD", "linewidth": 0.7}
        ends = zip(places[lower], places[upper], strict=True)
        axis.plot(*ends, zorder=2 if both else 1, **style)  # type: ignore[arg-type]
    for one, (x, y) in places.items():
        possible = one in reached
        face, edge = (cardinality_colour(len(one), n_labels), "black") if possible else ("white", RED)
        box = {"boxstyle": "round,pad=0.3", "facecolor": face, "edgecolor": edge}
        box["linestyle"] = "-" if possible else "--"
        style = {"color": "black" if possible else RED, "fontsize": 9, "ha": "center", "va": "center", "zorder": 3}
        drawn = axis.text(x, y, drawable(set_name(one, names)), bbox=box, **style)  # type: ignore[arg-type]
        if not possible:
            drawn.set_alpha(0.75)
            half = 0.11 + 0.07 * len(drawn.get_text())
            axis.plot([x - half, x + half], [y - 0.17, y + 0.17], color=RED, linewidth=1.2, zorder=4)
