"""Small layers drawn whole: each label cuts the space of z in two, and each piece between the cuts is a label set."""

from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
from jaxtyping import Float, Real
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy import ndimage

from sigfft.figures.style import drawable, title

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RED = "#D55E00"
_PIXELS = 361  # of a disc's side
_THIN = 9  # pixels; a region that is nowhere this deep has no room for its name

Logits = Callable[[np.ndarray, np.ndarray], np.ndarray]


def arrangement(
    weight: Real[np.ndarray, "labels dim"],
    label_sets: Sequence[Sequence[int]],
    statuses: Sequence[str] | np.ndarray,
    bias: Real[np.ndarray, " labels"] | None = None,
    *,
    names: Sequence[str] = LETTERS,
    radius: float = 3.0,
) -> Figure:
    """The regions of z that a layer of two or three columns has, and beside them which label sets have none.

    Two columns: a disc of the plane. Three: the sphere of directions, from the front (third coordinate of z positive)
    and from behind. Letters outside stand on the side where their label is on. Colours tell the cardinality, in which
    neighbouring regions always differ.

    Args:
      weight: rows w_i.
      label_sets: the sets that are listed.
      statuses: "argmaxable" or another, of each of them.
      bias: of two columns; None: none.
      names: of the labels, short ones.
      radius: of the disc of the plane.

    Raises:
      ValueError: another number of columns, a bias with three of them, or as many statuses as there are not sets.
    """
    weight = np.asarray(weight, np.float64)
    if weight.ndim != 2 or weight.shape[1] not in (2, 3):
        raise ValueError(f"weight must be (n_labels, 2) or (n_labels, 3) to be drawn; given shape {weight.shape}")
    flat = weight.shape[1] == 2
    if bias is not None and not flat:
        raise ValueError("three columns are drawn without a bias: give it as the last of them")
    if len(label_sets) != len(statuses):
        raise ValueError(f"{len(label_sets)} label sets need a status each; given {len(statuses)}")
    offset = np.zeros(len(weight)) if bias is None else np.asarray(bias, np.float64)
    views: dict[str, Logits]
    if flat:
        views = {"The plane of z": lambda x, y: radius * np.stack([x, y], -1) @ weight.T + offset}
    else:
        views = {
            "Directions of z, from the front": lambda x, y: _on_sphere(x, y, 1.0) @ weight.T,
            "and from behind": lambda x, y: _on_sphere(x, y, -1.0) @ weight.T,
        }
    disc = 4.3 if flat else 3.6
    figure = Figure(figsize=(disc * len(views) + 4.4, disc), layout="constrained")
    *discs, listed = figure.subplots(1, len(views) + 1, width_ratios=[disc] * len(views) + [4.4], squeeze=False)[0]
    for axis, (name, logits) in zip(discs, views.items(), strict=True):
        _draw_disc(axis, logits, len(weight), names)
        axis.set_title(name, fontsize=10)
    _draw_sets(listed, label_sets, statuses, len(weight), names)
    return figure


def set_name(label_set: Sequence[int], names: Sequence[str] = LETTERS) -> str:
    """The names of a set's labels, one after the other; "∅" for none."""
    return "".join(names[i] for i in label_set) or "∅"


def cardinality_colour(cardinality: int, n_labels: int) -> tuple[float, float, float]:
    """Pale for few labels, deep for many; black text can be read on all of them."""
    return to_rgb(matplotlib.colormaps["YlGnBu"](0.04 + 0.56 * cardinality / n_labels))


def _on_sphere(x: np.ndarray, y: np.ndarray, side: float) -> Float[np.ndarray, "*points 3"]:
    """Points of the unit sphere above those of the disc; from behind, left and right change places."""
    height = np.sqrt(np.maximum(0, 1 - x**2 - y**2))
    return np.stack([side * x, y, side * height], -1)


def _draw_disc(axis: Axes, logits: Logits, n_labels: int, names: Sequence[str]) -> None:
    grid = np.linspace(-1, 1, _PIXELS)
    x, y = np.meshgrid(grid, grid)
    values = logits(x, y)
    inside = np.hypot(x, y) < 1
    codes = (values > 0) @ (1 << np.arange(n_labels))
    image = np.ones((*x.shape, 3))
    for code in np.unique(codes[inside]).tolist():
        region = inside & (codes == code)
        members = [i for i in range(n_labels) if code >> i & 1]
        image[region] = cardinality_colour(len(members), n_labels)
        depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
        if depth.max() >= _THIN:
            middle = np.unravel_index(depth.argmax(), depth.shape)
            name = drawable(set_name(members, names))
            axis.text(x[middle], y[middle], name, ha="center", va="center", fontsize=10)
    axis.imshow(image, origin="lower", extent=(-1, 1, -1, 1), interpolation="bilinear")
    for i in range(n_labels):
        cut = np.where(inside, values[..., i], np.nan)
        if np.nanmin(cut) < 0 < np.nanmax(cut):
            axis.contour(x, y, cut, levels=[0], colors="black", linewidths=1.3)
    axis.add_patch(matplotlib.patches.Circle((0, 0), 1, fill=False, edgecolor="#777777", linewidth=0.8))
    _draw_letters(axis, logits, names)
    axis.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal")
    axis.axis("off")


def _draw_letters(axis: Axes, logits: Logits, names: Sequence[str]) -> None:
    """At the rim, an arrow across each cut to the side where the label is on, and its name there."""
    angle = np.linspace(0, 2 * np.pi, 721)
    on = logits(np.cos(angle), np.sin(angle)) > 0
    taken: list[np.ndarray] = []
    for i in range(on.shape[1]):
        turns = np.flatnonzero(on[1:, i] != on[:-1, i])
        if not len(turns):
            continue
        places = []
        for turn in turns:
            at, before = angle[turn], on[turn, i]  # on before the cut: the arrow points back
            out, along = np.array([np.cos(at), np.sin(at)]), np.array([-np.sin(at), np.cos(at)])
            places.append((1.04 * out, 1.04 * out + (-0.16 if before else 0.16) * along, out))
        apart = [min((np.hypot(*(end - other)) for other in taken), default=9.0) for _, end, _ in places]
        start, end, out = places[int(np.argmax(apart))]
        taken.append(end)
        arrow = {"arrowstyle": "-|>", "color": "black", "shrinkA": 0, "shrinkB": 0}
        axis.annotate("", tuple(end), tuple(start), arrowprops=arrow)
        name = drawable(names[i])
        x, y = end + 0.09 * out
        axis.text(x, y, name, ha="center", va="center", weight="bold", fontsize=10)


def _draw_sets(
    axis: Axes,
    label_sets: Sequence[Sequence[int]],
    statuses: Sequence[str] | np.ndarray,
    n_labels: int,
    names: Sequence[str],
) -> None:
    """The sets in rows by cardinality: coloured if argmaxable, else crossed out."""
    rows: dict[int, int] = {}
    heights = {size: row for row, size in enumerate(sorted({len(one) for one in label_sets}))}
    for label_set, status in zip(label_sets, statuses, strict=True):
        size = len(label_set)
        x, y = rows.get(size, 0), -heights[size]
        rows[size] = x + 1
        reached = status == "argmaxable"
        face = cardinality_colour(size, n_labels) if reached else "white"
        box = matplotlib.patches.Rectangle((x - 0.44, y - 0.36), 0.88, 0.72, facecolor=face, edgecolor="black")
        box.set(linewidth=0.8 if reached else 0.5, linestyle="-" if reached else ":")
        axis.add_patch(box)
        hue = "black" if reached else "#333333"
        axis.text(x, y, drawable(set_name(label_set, names)), ha="center", va="center", fontsize=9, color=hue)
        if not reached:
            axis.plot([x - 0.44, x + 0.44], [y - 0.36, y + 0.36], color=RED, linewidth=1.2, alpha=0.5)
            axis.plot([x - 0.44, x + 0.44], [y + 0.36, y - 0.36], color=RED, linewidth=1.2, alpha=0.5)
    reached_sets = sum(status == "argmaxable" for status in statuses)
    title(axis, f"{reached_sets} of {len(statuses)} label sets have a region")
    axis.set(xlim=(-0.6, max(rows.values()) - 0.4), ylim=(-len(heights) + 0.4, 0.6))
    axis.axis("off")
