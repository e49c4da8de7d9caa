"""Pictures and tables of sweeps: from the tables that `sigfft sweep` writes, and what goes with them.

    python benchmarks/plot_sweeps.py benchmarks/results/tate.csv ... --out FOLDER [--metrics F1@5 P@1] [--d 100]
    python benchmarks/plot_sweeps.py ... --labels tate=FOLDER/tate/train.txt.gz mimic3_shaped  # cardinalities
    python benchmarks/plot_sweeps.py ... --layers         # Hasse diagrams, and radii as bench_radii.py measured them

Beside NAME.csv, NAME_curves.csv is read if it is there. Each picture is written as .png and .svg, tables of all data
sets as tables.md and tables.tex. What the tables have no numbers for is left out, and a line says why.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import bench_radii
import numpy as np
from matplotlib.figure import Figure

import sigfft
from sigfft import figures, labels
from sigfft.argmaxability.theory import cyclic
from sigfft.data import synthetic
from sigfft.figures import sweeps
from sigfft.files import write_text
from sigfft.files.label_sets import load_label_sets
from sigfft.training.config_files import config_of, shipped_configs

Picture = tuple[str, Callable[[], Figure]]
LATTICES = ((6, 1), (10, 2))  # labels, and k of the DFT layer


def of_sweep(sweep: sweeps.Sweep, metrics: Sequence[str], d: int | None) -> Iterator[Picture]:
    """The name of each picture of runs, and what draws it."""
    yield "scores", lambda: sweeps.score_against_d(sweep, metrics)
    for metric in metrics:
        yield f"pareto_{_slug(metric)}", lambda metric=metric: sweeps.score_against_parameters(sweep, metric)
    yield "argmaxable", lambda: sweeps.share_against_d(sweep)
    yield "argmaxable_epsilon", lambda: sweeps.share_against_d(sweep, epsilon=True)
    for data in sweep.data_sets:
        yield f"training_{_slug(data)}", lambda data=data: sweeps.dev_curves(sweep, data, metrics[0], d)
    yield "race", lambda: sweeps.race_against_d(sweep)
    yield "radius_in_training", lambda: sweeps.radius_curves(sweep, d)


def of_layers() -> Iterator[Picture]:
    """Pictures of layers that nothing was trained for."""
    for n_labels, k in LATTICES:
        yield f"hasse_{n_labels}", lambda n_labels=n_labels, k=k: hasse(n_labels, k)
    yield "radius_against_n", bench_radii.drawn


def hasse(n_labels: int, k: int) -> Figure:
    """What a DFT layer can output by the alternation rule and by the checker, and what a random one of its size can."""
    sets = figures.all_sets(n_labels)
    by_rule = cyclic.argmaxable(labels.pad(sets, n_labels), n_labels, k)
    random = np.random.default_rng(0).normal(size=(n_labels, 2 * k + 1))
    sizes = f"{n_labels} labels, d = {2 * k + 1}"
    statuses = {
        f"DFT, k = {k}, {sizes}, by the rule of sign changes": np.where(by_rule, "argmaxable", "unargmaxable"),
        f"DFT, k = {k}, {sizes}, by the checker": sigfft.check(cyclic.rows(n_labels, k), sets).status,
        f"random weights, {sizes}, by the checker": sigfft.check(random, sets).status,
    }
    return figures.hasse(statuses, n_labels)


def cardinality(source: str) -> tuple[str, np.ndarray]:
    """Name and cardinalities of NAME=FILE, a file of label sets, or of the training split of a synthetic config."""
    name, _, path = source.partition("=")
    if path:
        return name, np.array([len(one) for one in load_label_sets(Path(path))[0]])
    if name not in shipped_configs() or (config := config_of(name, [])).data.source != "synthetic":
        raise ValueError(f"--labels takes NAME=FILE, or a config of synthetic data; given {source!r}")
    spec = config.data.synthetic
    rng = np.random.default_rng(spec.seed)
    padded = synthetic.label_sets(spec, synthetic.hierarchy(spec.n_labels, rng), spec.n_train, rng)
    return name, (padded < spec.n_labels).sum(axis=1)


def _slug(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")


def main() -> None:
    """Draw everything, then write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", type=Path, help="tables of runs")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures and tables")
    parser.add_argument("--metrics", nargs="+", default=["F1@5", "P@1"], help="of the test split; curves: the first")
    parser.add_argument("--d", type=int, help="of the heads in curves; default: the one that most heads have")
    parser.add_argument("--labels", nargs="+", default=[], help="NAME=FILE of label sets, or synthetic configs")
    parser.add_argument("--layers", action="store_true", help="also what needs no sweep: Hasse diagrams, radii")
    args = parser.parse_args()
    drawn: dict[str, Figure] = {}
    texts: dict[str, str] = {}
    try:
        if args.tables:
            sweep = sweeps.read_sweep(args.tables)
            for name, draw in of_sweep(sweep, args.metrics, args.d):
                try:
                    drawn[name] = draw()
                except sweeps.NothingMeasured as nothing:
                    print(f"{name}: left out, {nothing}")
            tables = [*sweeps.claims(sweep, args.metrics[0]), *sweeps.tables(sweep)]
            texts["tables.md"] = "\n".join(map(sweeps.markdown, tables))
            texts["tables.tex"] = "\n".join(map(sweeps.latex, tables))
        if args.labels:
            drawn["cardinalities"] = figures.cardinalities(dict(map(cardinality, args.labels)))
        if args.layers:
            drawn |= {name: draw() for name, draw in of_layers()}
    except (ValueError, OSError) as error:
        sys.exit(f"plot_sweeps: {error}")
    for name, figure in drawn.items():
        for suffix in ("png", "svg"):
            figures.save(figure, args.out / f"{name}.{suffix}")
    for name, text in texts.items():
        write_text(args.out / name, text)
    print(f"{args.out}: {', '.join([*drawn, *texts]) or 'nothing to draw; give tables, --labels or --layers'}")


if __name__ == "__main__":
    main()
