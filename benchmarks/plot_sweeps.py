"""Pictures and tables of sweeps, from the tables that `sigfft sweep` writes and nothing else.

python benchmarks/plot_sweeps.py benchmarks/results/*.csv --out FOLDER [--metrics F1@5 P@1] [--d 100]
"""

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from sigfft import figures
from sigfft.figures import sweeps
from sigfft.files import write_text


def pictures(sweep: sweeps.Sweep, metrics: Sequence[str], d: int | None) -> Iterator[tuple[str, Figure]]:
    """Name and figure of each."""
    yield "scores", sweeps.score_against_d(sweep, metrics)
    for metric in metrics:
        yield f"pareto_{_slug(metric)}", sweeps.score_against_parameters(sweep, metric)
    yield "argmaxable", sweeps.share_against_d(sweep)
    yield "argmaxable_epsilon", sweeps.share_against_d(sweep, epsilon=True)
    for data in sweep.data_sets:
        yield f"training_{_slug(data)}", sweeps.dev_curves(sweep, data, metrics[0], d)
    yield "race", sweeps.race_against_d(sweep)
    yield "radius", sweeps.radius_curves(sweep)


def _slug(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--metrics", nargs="+", default=["F1@5", "P@1"])
    parser.add_argument("--d", type=int)
    args = parser.parse_args()
    sweep = sweeps.read_sweep(args.tables)
    drawn = list(pictures(sweep, args.metrics, args.d))
    for name, figure in drawn:
        for suffix in ("png",):
            figures.save(figure, args.out / f"{name}.{suffix}")
    tables = sweeps.tables(sweep)
    write_text(args.out / "tables.md", "\n".join(map(sweeps.markdown, tables)))
    write_text(args.out / "tables.tex", "\n".join(map(sweeps.latex, tables)))


if __name__ == "__main__":
    main()
