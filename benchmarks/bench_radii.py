"""How much room a DFT layer leaves to a label set: the radius of its region against n, by k and slack.

    python benchmarks/bench_radii.py           # some minutes on 2 cores

Random sets of exactly k labels among n, in a layer of 2k + 1 DFT columns and slack columns as at their start, all in
float64, before any rounding. The radius is that of a ball inside the region of z that yields the set, within
|z_j| <= 1e4, and the paper's ε-argmaxability asks for more than 1e-8: the centre is that of the largest ball as a
linear program finds it, and the ball is measured there; where the program's tolerance has lost the region, it is the
ball of the closed form. All are lower bounds. Rounding the rows to float32 costs about 1e4 · 2^-24 = 6e-4.
"""

import argparse
import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
from matplotlib.figure import Figure
from results import RESULTS, explained, table, write_section

import sigfft
from sigfft import figures
from sigfft.argmaxability.epsilon import BOX, EPSILON, chebyshev
from sigfft.argmaxability.theory import cyclic
from sigfft.argmaxability.theory.sampling import random_sets
from sigfft.files import write_text
from sigfft.files.tables import Faults, read_rows

SIZES = (30, 100, 300, 1000, 3000)
CARDINALITIES = (1, 2, 3, 4, 5)
SLACKS = (0, 2, 4, 8, 16, 32)
SETS = 10
HEADER = ("n", "k", "slack", "sets", "median_radius", "lowest_radius", "highest_radius")
TABLE = RESULTS.parent / "results" / "radii.csv"
ROUNDING = BOX * 2.0**-24


def layer(n_labels: int, k: int, slack: int) -> np.ndarray:
    """W in float64: the columns of the frequencies, orthonormal, and slack columns at the start."""
    head = sigfft.dft_head(n_labels, k, feature_dim=1, slack=slack, n_fft=n_labels)
    columns = [cyclic.rows(n_labels, k)]
    if slack:
        columns.append(np.asarray(head.init(jax.random.key(0))["slack"], np.float64) / math.sqrt(n_labels))
    return np.concatenate(columns, axis=1)


def radius(weight: np.ndarray, label_set: np.ndarray, k: int) -> float:
    """A ball that the region of a set of k labels has room for."""
    n_labels = len(weight)
    lengths = np.linalg.norm(weight, axis=1)
    z, log_margin = cyclic.witness(label_set.tolist(), n_labels, k)
    shorter = np.linalg.norm(weight[0, : 2 * k + 1]) / lengths.max()
    closed = 10**log_margin * BOX / np.abs(z).max() * shorter
    centre = chebyshev(weight, label_set, box=BOX).centre
    if centre is None:
        return closed
    signs = np.where(np.isin(np.arange(n_labels), label_set), 1.0, -1.0)
    return max(closed, float((signs * (weight @ centre) / lengths).min()))


def measure() -> Iterator[list[float]]:
    """A row for each n, k and slack."""
    for k in CARDINALITIES:
        for n in SIZES:
            for slack in SLACKS:
                weight = layer(n, k, slack)
                radii = [radius(weight, one, k) for one in random_sets(n, k, SETS, seed=0)]
                yield [n, k, slack, SETS, *(float(f"{q:.6g}") for q in np.quantile(radii, [0.5, 0, 1]))]


def drawn(path: Path = TABLE) -> Figure:
    """The figure of a table of these rows: a panel for each k, a line for each slack."""
    rows = [{name: float(cell) for name, cell in row.values.items()} for row in read_rows(path, Faults())]
    panels = []
    for k in sorted({int(row["k"]) for row in rows}):
        lines: dict[str, list[tuple[float, ...]]] = {}
        for row in rows:
            if row["k"] == k:
                lines.setdefault(f"slack {row['slack']:.0f}", []).append((row["n"], row["median_radius"]))
        panels.append(figures.Panel(f"sets of k = {k}", "labels n", "radius, median of sets", lines, bottom=3e-9))
    count = int(rows[0]["sets"])
    figure = figures.lines(panels, sharey=True, note=f"{count} random sets a point. {_MARKS}")
    for axis in figure.axes:
        axis.axhline(EPSILON, color="black", linestyle=":", linewidth=1)
        axis.axhline(ROUNDING, color="black", linestyle="--", linewidth=1)
    return figure


_MARKS = "Dotted: 1e-8, the paper's epsilon. Dashed: what rounding the rows to float32 costs."


def main() -> None:
    """Measure, print, and write the table, the section and the figure."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    rows = []
    print(*HEADER, sep="\t")
    for row in measure():
        rows.append(row)
        print(*row, sep="\t", flush=True)
    written = io.StringIO()
    csv.writer(written).writerows([HEADER, *rows])
    TABLE.parent.mkdir(exist_ok=True)
    write_text(TABLE, written.getvalue())
    figures.save(drawn(), RESULTS.with_name("radii.png"))
    shown = [row for row in rows if row[0] in (300, 3000) and row[1] in (1, 3, 5) and row[2] in (0, 8, 32)]
    header = [name.replace("_", " ") for name in HEADER]
    text = f"{table(header, shown)}\n\nAll rows: `benchmarks/results/radii.csv`."
    write_section(
        "Room for label sets", explained(__doc__), f"{text}\n\n![Radius against n, by k and slack](radii.png)"
    )


if __name__ == "__main__":
    main()
