"""The pictures of the theory pages, drawn at each build of the documentation from what the package computes."""

import itertools
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

import sigfft
from sigfft import spectrum
from sigfft.argmaxability.theory import cyclic
from sigfft.figures import save
from sigfft.figures.style import COLOURS

BLUE, RED, GREEN, PINK = COLOURS[:4]
PALE = ("#CFE4F2", "#F8DCC4", "#CBEADF", "#F3DCE8", "#FAE7BF", "#DCEFFA", "#E5E5E5", "#F5F0D8", "#E0D8F0", "#D8E8C8")
WEIGHT = np.array([[1.0, 0.25], [-0.45, 1.0], [0.9, -0.85]])
BIAS = np.array([-0.1, 0.25, 0.4])


def draw_all(folder: Path) -> None:
    """Writes each picture into the folder as NAME.svg."""
    for draw in (regions, waves, arcs, correlations, margins, alternatives):
        save(draw(), folder / f"{draw.__name__}.svg")


def regions() -> Figure:
    """Three labels in the plane: the label set of each region, without and with a bias."""
    figure, axes = _panels(2, 4.4, 4.2)
    for axis, bias, title in zip(axes, (None, BIAS), ("logits = W z", "logits = W z + b"), strict=True):
        _arrangement(axis, WEIGHT, np.zeros(3) if bias is None else bias)
        counts = sigfft.check(WEIGHT, _all_sets(3), bias).counts()
        axis.set_title(f"{title}: {counts['argmaxable']} of {counts['checked']} label sets", fontsize=11)
    return figure


def waves() -> Figure:
    """Logits of a cyclic matrix as a wave around the circle, for three sets of two labels."""
    figure, axes = _panels(3, 3.4, 2.7)
    n, k = 12, 2
    fine = np.linspace(0, n, 361)
    for axis, labels in zip(axes, ([2, 3], [2, 6], [0, 7]), strict=True):
        z, _ = cyclic.witness(labels, n, k)
        turns = 2 * np.pi / n * fine[:, None] * np.arange(1, k + 1)
        wave = z[0] / np.sqrt(n) + np.sqrt(2 / n) * (np.cos(turns) @ z[1::2] + np.sin(turns) @ z[2::2])
        logits = cyclic.rows(n, k) @ z
        on = np.isin(np.arange(n), labels)
        axis.axhline(0, color="black", linewidth=0.8)
        axis.plot(fine, wave, color="#999999")
        axis.plot(np.flatnonzero(~on), logits[~on], "o", color=BLUE, label="off")
        axis.plot(np.flatnonzero(on), logits[on], "^", color=RED, markersize=9, label="on")
        axis.set_xticks(range(0, n + 1, 2), [*map(str, range(0, n, 2)), "0"])
        axis.set_title(f"on: {labels[0]} and {labels[1]}", fontsize=10)
        axis.set_xlabel("label, once around the circle")
    axes[0].set_ylabel("logit")
    axes[0].legend(frameon=False, fontsize=9)
    return figure


def arcs() -> Figure:
    """The alternation rule: label sets on a circle, and the sign changes that each has."""
    figure, axes = _panels(3, 3.2, 3.3)
    n, k = 16, 3
    for axis, labels in zip(axes, ([1, 6, 11], [1, 2, 3, 4, 9, 10], [0, 4, 8, 12]), strict=True):
        angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
        on = np.isin(np.arange(n), labels)
        axis.plot(*_circle(np.linspace(0, 2 * np.pi, 200)), color="#BBBBBB", zorder=0)
        for at, active, marker, colour in ((angle, ~on, "o", BLUE), (angle, on, "^", RED)):
            axis.plot(*_circle(at[active]), marker, color=colour, markersize=11)
        changes = int(cyclic.sign_changes(np.array([labels], np.int32), n)[0])
        verdict = "argmaxable" if changes <= 2 * k else "unargmaxable"
        axis.set_title(f"{changes} sign changes, 2k = {2 * k}:\n{verdict}", fontsize=11)
        axis.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal")
        axis.axis("off")
    return figure


def correlations() -> Figure:
    """The cosine between the rows of two labels against their distance, without and with spread."""
    figure, (axis,) = _panels(1, 7.0, 3.0)
    n, k, shown = 2000, 10, 120
    for spread, colour, style in ((0, RED, "-"), (40, BLUE, "-")):
        frequencies = np.concatenate([spectrum.low_frequencies(k), spectrum.spread_frequencies(n, k, spread)])
        indicator = np.zeros(n // 2 + 1)
        indicator[0], indicator[frequencies] = 1, 1
        cosine = np.fft.irfft(indicator, n) * n / (1 + 2 * len(frequencies))
        axis.plot(np.arange(shown + 1), cosine[: shown + 1], style, color=colour, label=f"spread {spread}")
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set(xlabel="distance of two labels on the circle of 2,000", ylabel="cosine of their rows, k = 10")
    axis.legend(frameon=False)
    return figure


def margins() -> Figure:
    """The margin that the closed form reaches on k neighbouring-but-one labels, against n and k."""
    figure, (axis,) = _panels(1, 7.0, 3.2)
    sizes = np.array([30, 100, 300, 1000, 3000, 10_000])
    for k, colour, marker in ((1, BLUE, "o"), (2, RED, "s"), (4, GREEN, "D"), (8, PINK, "^")):
        found = [cyclic.witness(list(range(0, 2 * k, 2)), int(n), k)[1] for n in sizes]
        axis.plot(sizes, found, marker=marker, color=colour, label=f"k = {k}")
    axis.axhline(np.log10(2.0**-24), color="black", linestyle="--", linewidth=1, label="rounding of float32")
    axis.set(xscale="log", xlabel="labels n", ylabel="log10 of the margin")
    axis.set_ylim(-60, 2)
    axis.legend(frameon=False, ncols=3, loc="lower left", fontsize=9)
    return figure


def alternatives() -> Figure:
    """Gordan's alternative in the plane: a witness with a positive product, or rows that surround the origin."""
    figure, axes = _panels(2, 4.2, 3.9)
    systems = {
        "some z is on the positive side of all rows": np.array([[1.0, 0.3], [0.85, 0.72], [-0.5, 0.85]]),
        "positive multiples of the rows cancel": np.array([[1.0, 0.3], [-0.75, 0.8], [-0.1, -1.0]]),
    }
    for axis, (title, rows) in zip(axes, systems.items(), strict=True):
        report = sigfft.check(rows, [[0, 1, 2]])
        for i, row in enumerate(rows):
            _arrow(axis, (0, 0), row, (BLUE, RED, GREEN)[i])
            axis.text(*(1.16 * row), f"$s_{i + 1}w_{i + 1}$", ha="center", va="center", fontsize=12)
        if report.witness[0] is not None:
            z = report.witness[0] / np.linalg.norm(report.witness[0])
            axis.fill(
                *np.array([1.3 * _turned(z, a) for a in np.linspace(-np.pi / 2, np.pi / 2, 40)]).T, color="#EEF4F8"
            )
            _arrow(axis, (0, 0), z, "black", style="--")
            axis.text(*(1.14 * z), "$z$", fontsize=13)
        else:
            axis.add_patch(Polygon(rows, facecolor="#F6E8DE", edgecolor="#BBBBBB"))
        axis.plot(0, 0, "ko")
        axis.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal")
        axis.set_title(title, fontsize=11)
        axis.axis("off")
    return figure


def _arrangement(axis, weight, bias, radius: float = 2.0) -> None:
    """Lines where logits are zero, and the name of the label set in each region."""
    ticks = np.linspace(-radius, radius, 601)
    x, y = np.meshgrid(ticks, ticks)
    on = np.stack([w[0] * x + w[1] * y + b > 0 for w, b in zip(weight, bias, strict=True)])
    codes = (on * (2 ** np.arange(len(weight)))[:, None, None]).sum(axis=0)
    colours = np.array([[int(PALE[c][i : i + 2], 16) for i in (1, 3, 5)] for c in range(2 ** len(weight))], np.uint8)
    axis.imshow(colours[codes], extent=(-radius, radius, -radius, radius), origin="lower", interpolation="nearest")
    places = (-1.25, 1.3, -0.75)  # of the arrows, along their lines
    for w, b, colour, name, place in zip(weight, bias, (BLUE, RED, GREEN), "ABC", places, strict=True):
        foot = -b * w / (w @ w)
        axis.axline(foot, foot + np.array([-w[1], w[0]]), color=colour, linewidth=2)
        across = w / np.linalg.norm(w)
        start = foot + place * np.array([-across[1], across[0]])
        _arrow(axis, start, start + 0.4 * across, colour)
        axis.text(*(start + 0.56 * across), name, color=colour, ha="center", va="center", weight="bold")
    for code in np.unique(codes):
        inside = codes == code
        # the point of the region that is farthest from its border, by repeated erosion
        while (smaller := _eroded(inside)).any():
            inside = smaller
        at = np.argwhere(inside)[len(np.argwhere(inside)) // 2]
        name = "".join(c for i, c in enumerate("ABC") if code >> i & 1) or "∅"
        axis.text(ticks[at[1]], ticks[at[0]], name, ha="center", va="center", fontsize=13)
    axis.set(xlim=(-radius, radius), ylim=(-radius, radius), xticks=[], yticks=[], xlabel="$z_1$", ylabel="$z_2$")


def _eroded(inside: np.ndarray) -> np.ndarray:
    padded = np.pad(inside, 4)
    return np.logical_and.reduce([np.roll(padded, d, a)[4:-4, 4:-4] for a in (0, 1) for d in (-4, 4)]) & inside


def _all_sets(n_labels: int) -> list[list[int]]:
    return [list(s) for size in range(n_labels + 1) for s in itertools.combinations(range(n_labels), size)]


def _panels(count: int, width: float, height: float):
    figure = Figure(figsize=(count * width, height), layout="constrained")
    axes = list(figure.subplots(1, count, squeeze=False).flat)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _arrow(axis, start, end, colour, style="-") -> None:
    looks = {"arrowstyle": "-|>", "color": colour, "linewidth": 2, "linestyle": style, "mutation_scale": 16}
    axis.annotate("", end, start, arrowprops={**looks, "shrinkA": 0, "shrinkB": 0})


def _circle(angle):
    return np.cos(angle), np.sin(angle)


def _turned(vector, angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]]) @ vector
