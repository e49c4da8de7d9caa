"""All label sets of a few labels, ordered by inclusion: the Hasse diagram of what a layer can output."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sigfft.figures.arrangements import LETTERS, RED, cardinality_colour, set_name
from sigfft.figures.style import drawable, title


def all_sets(n_labels: int) -> list[list[int]]:
    """Every set of `n_labels` labels, the small ones first."""
    return [list(one) for size in range(n_labels + 1) for one in itertools.combinations(range(n_labels), size)]


def hasse(
    statuses_by_layer: Mapping[str, Sequence[str] | np.ndarray], n_labels: int, names: Sequence[str] = LETTERS
) -> Figure:
    """Label sets by cardinality, a line from each set to those with one label more; one panel a layer.

    Sets that a layer can output are filled, others are crossed out. A line is dark where it joins two sets that can be
    output.

    Args:
      statuses_by_layer: statuses of the sets of `all_sets(n_labels)`, in their order, by the layer's name.
      n_labels: at most six, for more sets have no room.
      names: of the labels, short ones.

    Raises:
      ValueError: too many labels, no layer, or one whose statuses are not one for each set.
    """
    if not 1 <= n_labels <= 6:
        raise ValueError(f"n_labels must be between 1 and 6: there are 2^n label sets to draw; given {n_labels}")
    sets = all_sets(n_labels)
    for layer, statuses in statuses_by_layer.items():
        if len(statuses) != len(sets):
            raise ValueError(f'"{layer}" needs a status for each of {len(sets)} label sets; given {len(statuses)}')
    if not statuses_by_layer:
        raise ValueError("statuses_by_layer is empty; give the statuses of at least one layer")
    figure = Figure(figsize=(8.6, 3.5 * len(statuses_by_layer)), layout="constrained")
    panels = figure.subplots(len(statuses_by_layer), 1, squeeze=False)[:, 0]
    for axis, (layer, statuses) in zip(panels, statuses_by_layer.items(), strict=True):
        reached = {tuple(one) for one, status in zip(sets, statuses, strict=True) if status == "argmaxable"}
        _draw(axis, sets, reached, n_labels, names)
        title(axis, f"{layer}: {len(reached)} of {len(sets)} label sets")
    return figure


def _draw(
    axis: Axes, sets: list[list[int]], reached: set[tuple[int, ...]], n_labels: int, names: Sequence[str]
) -> None:
    places: dict[tuple[int, ...], tuple[float, float]] = {}
    for size, level in itertools.groupby(sets, key=len):
        members = list(map(tuple, level))
        places |= {one: (x - (len(members) - 1) / 2, size) for x, one in enumerate(members)}
    for upper, (x, y) in places.items():
        for lower in itertools.combinations(upper, len(upper) - 1) if upper else ():
            both = upper in reached and lower in reached
            style = {"color": "#555555", "linewidth": 0.9} if both else {"color": "#DDDDDD", "linewidth": 0.7}
            axis.plot([places[lower][0], x], [places[lower][1], y], zorder=2 if both else 1, **style)  # type: ignore[arg-type]
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
    widest = max(abs(x) for x, _ in places.values())
    axis.set(xlim=(-widest - 0.6, widest + 0.6), ylim=(-0.4, n_labels + 0.4), yticks=range(n_labels + 1), xticks=[])
    axis.set_ylabel("cardinality", fontsize=9)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
