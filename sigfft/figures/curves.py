"""Labels of a DFT head on their curve: the circle, the wave of logits around it, and the curve in three dimensions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sigfft.figures.arrangements import RED
from sigfft.figures.style import title

BLUE = "#0072B2"
_ON: dict[str, Any] = {"color": RED, "marker": "^", "markersize": 10, "linestyle": "", "label": "must be on"}
_OFF: dict[str, Any] = {"color": BLUE, "marker": "o", "markersize": 7, "linestyle": "", "label": "must be off"}


def around_circle(
    n_labels: int,
    on: Sequence[int],
    wave: Float[np.ndarray, " points"] | None,
    conflict: Sequence[int] = (),
) -> Figure:
    """Labels on their circle, and the logits as a wave around it; or, without a wave, the labels that conflict.

    Args:
      n_labels: labels, evenly on the circle; label 0 at the right, then counterclockwise.
      on: labels of the set.
      wave: values at evenly spaced points of one turn, so many a label, the first at label 0; None: there is none.
      conflict: labels that alternate between on and off; those that are on are joined, and those that are off.

    Raises:
      ValueError: the wave has no whole number of points a label, or a label is not one of them.
    """
    if wave is not None and (len(wave) == 0 or len(wave) % n_labels):
        raise ValueError(f"wave must have a multiple of n_labels={n_labels} points; given {len(wave)}")
    if outside := [i for i in (*on, *conflict) if not 0 <= i < n_labels]:
        raise ValueError(f"labels must be between 0 and {n_labels - 1}; given {outside}")
    figure = Figure(figsize=(9.2, 3.9), layout="constrained")
    circle, turn = figure.subplots(1, 2, width_ratios=[1, 1.55])
    active = np.isin(np.arange(n_labels), list(on))
    _draw_circle(circle, active, wave, conflict)
    turn.axhline(0, color="black", linewidth=0.8)
    if wave is None:
        values = np.where(active, 1.0, -1.0)
        turn.plot(np.arange(n_labels + 1), [*values, values[0]], color="#999999", linestyle=":", linewidth=1.4)
        turn.set(yticks=[-1, 1], yticklabels=["off", "on"], ylim=(-1.6, 1.6))
        title(turn, "No wave: the signs that the set asks for change too often")
    else:
        values = wave[:: len(wave) // n_labels]
        turn.plot(np.linspace(0, n_labels, len(wave) + 1), [*wave, wave[0]], color="#777777", linewidth=1.4)
        turn.set_ylabel("logit", fontsize=9)
        title(turn, "The logits: a wave, above zero where labels are on")
    turn.plot(np.flatnonzero(~active), values[~active], **_OFF)
    turn.plot(np.flatnonzero(active), values[active], **_ON)
    turn.set_xticks(range(n_labels + 1), [*range(n_labels), 0])
    turn.set_xlabel("label, once around the circle", fontsize=9)
    turn.spines[["top", "right"]].set_visible(False)
    figure.legend(*turn.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def lifted_curve(
    n_labels: int, on: Sequence[int], level: float | None = None, *, azimuth: float = -55.0, elevation: float = 36.0
) -> Figure:
    """Labels on the circle (cos t, sin t), and the same circle lifted by a third coordinate, cos 2t.

    Args:
      n_labels: labels, evenly on the curve.
      on: labels that stand out.
      level: height of a plane that cuts the lifted curve; None: no plane.
      azimuth: degrees that the view is turned by.
      elevation: degrees that it looks down by.
    """
    figure = Figure(figsize=(8.8, 3.9), layout="constrained")
    flat = figure.add_subplot(1, 2, 1)
    lifted: Any = figure.add_subplot(1, 2, 2, projection="3d")
    active = np.isin(np.arange(n_labels), list(on))
    _draw_circle(flat, active, None, ())
    title(flat, "cos t, sin t: the flat circle")
    t, fine = 2 * np.pi / n_labels * np.arange(n_labels), np.linspace(0, 2 * np.pi, 241)
    lifted.plot(np.cos(fine), np.sin(fine), np.cos(2 * fine), color="#777777", linewidth=1.6)
    points = np.cos(t), np.sin(t), np.cos(2 * t)
    for chosen, style in ((~active, _OFF), (active, _ON)):
        lifted.plot(*(values[chosen] for values in points), **style)
    for i, place in enumerate(zip(*points, strict=True)):
        lifted.text(*(1.24 * np.array(place[:2])), place[2], str(i), fontsize=9, ha="center", va="center")
    if level is not None:
        corner = np.array([[-1.15, 1.15], [-1.15, 1.15]])
        lifted.plot_surface(corner, corner.T, np.full((2, 2), level), color="#E69F00", alpha=0.3)
    lifted.view_init(elevation, azimuth)
    lifted.set(xticks=[], yticks=[], zticks=[-1, 0, 1], xlabel="cos t", ylabel="sin t", zlabel="cos 2t")
    lifted.set_box_aspect((1, 1, 0.75), zoom=0.88)
    lifted.set_title("and cos 2t: the lifted one", fontsize=10)
    return figure


def _draw_circle(
    axis: Axes, active: np.ndarray, wave: Float[np.ndarray, " points"] | None, conflict: Sequence[int]
) -> None:
    n_labels = len(active)
    angle, fine = 2 * np.pi / n_labels * np.arange(n_labels), np.linspace(0, 2 * np.pi, 361)
    axis.plot(np.cos(fine), np.sin(fine), color="#BBBBBB", linewidth=1.2)
    if wave is not None:
        turn = 2 * np.pi / len(wave) * np.arange(len(wave) + 1)
        reach = 1 + 0.22 * np.append(wave, wave[0]) / np.abs(wave).max()
        axis.plot(reach * np.cos(turn), reach * np.sin(turn), color="#777777", linewidth=1.4)
    for style, side in ((_ON, True), (_OFF, False)):
        joined = [i for i in sorted(conflict) if active[i] == side]
        closed = joined if len(joined) < 3 else [*joined, joined[0]]
        axis.plot(np.cos(angle[closed]), np.sin(angle[closed]), color=style["color"], linewidth=2)
        chosen = active == side
        axis.plot(np.cos(angle[chosen]), np.sin(angle[chosen]), **style)
    beyond = 1.2 if wave is None else 1.36
    for i, at in enumerate(angle):
        axis.text(beyond * np.cos(at), beyond * np.sin(at), str(i), ha="center", va="center", fontsize=9)
    axis.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal")
    axis.axis("off")
    title(axis, "Labels on a circle" + (", those in conflict joined" if conflict else ""))
