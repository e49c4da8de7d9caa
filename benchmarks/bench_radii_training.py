"""Room for label sets while a head trains: radii of the regions of test label sets against the training step.

    python benchmarks/bench_radii_training.py --data FOLDER --sweep benchmarks/results/delicious.csv --d 50

The heads of a finished sweep that have this d, each at the learning rate that dev chose for it and with the sweep's
seeds, are trained once more, for --steps steps with a checkpoint each --every. The radius is that of the largest ball
inside the region of z that yields a label set, within |z_j| <= 1e4, by one linear program a set; 0 where the region is
empty. The median over the sets is printed, written to two tables as a sweep's, and drawn.
"""

import argparse
import contextlib
import csv
import dataclasses
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
from results import RESULTS

from sigfft import figures, labels
from sigfft.argmaxability.epsilon import chebyshev
from sigfft.figures import sweeps
from sigfft.files import write_text
from sigfft.files.tables import Faults, read_rows
from sigfft.heads import stored_layer
from sigfft.training import run
from sigfft.training.checkpoint import Checkpoints
from sigfft.training.evaluate import evenly
from sigfft.training.experiment import load_splits
from sigfft.training.finished import load_model
from sigfft.training.sweep.folder import Sweep, SweptRun, read_sweep
from sigfft.training.workdir import Workdir

COLUMNS = ("run", "data", "family", "d", "head", "seed", "chosen", "head_parameters", "test F1@5", "error")
FEW = 10  # label sets


def chosen(sweep: Sweep, table: Path, d: int) -> Iterator[tuple[SweptRun, dict[str, str]]]:
    """The runs of heads of this d whose rate dev chose, and their rows."""
    rows = {row.values["run"]: row.values for row in read_rows(table, Faults())}
    for head in sweep.heads:
        for one in sweep.runs(head):
            if head.d == d and rows.get(one.slug, {}).get("chosen") == "1":
                yield one, rows[one.slug]


def radii(folder: Workdir, label_sets: np.ndarray) -> Iterator[tuple[int, float]]:
    """The step of each checkpoint of a run, and the median radius of these sets there."""
    model, params = load_model(folder.path)
    shapes = jax.eval_shape(lambda: params)
    with contextlib.closing(Checkpoints(folder.checkpoints(model.name), read_only=True)) as checkpoints:
        for step in sorted(int(path.name) for path in folder.checkpoints(model.name).iterdir() if path.name.isdigit()):
            weight, bias = stored_layer(model.head, checkpoints.restore_params(shapes, step)["head"])
            found = [chebyshev(weight, one[one < len(weight)], bias).radius or 0.0 for one in label_sets]
            yield step, float(np.median(found))


def main() -> None:
    """Train, measure, and write two tables as a sweep's, and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the sweep's data")
    parser.add_argument("--sweep", type=Path, required=True, help="its table of runs")
    parser.add_argument("--d", type=int, default=50, help="of the heads (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=1000, help="of training (default: %(default)s)")
    parser.add_argument("--every", type=int, default=250, help="steps between checkpoints (default: %(default)s)")
    args = parser.parse_args()
    sweep = read_sweep(args.sweep.with_suffix(".json"))
    data = dataclasses.replace(sweep.config.data, dir=str(args.data), cache_dir="~/.cache/sigfft")
    evaluation = dataclasses.replace(sweep.config.eval, every=args.every, patience=0, keep=1000)
    optim = dataclasses.replace(sweep.config.optim, steps=args.steps)
    sweep = dataclasses.replace(
        sweep, config=dataclasses.replace(sweep.config, data=data, eval=evaluation, optim=optim)
    )
    few = evenly(labels.dedupe(load_splits(sweep.config)["test"].labels)[0], FEW)
    rows, curves = [], []
    for one, row in chosen(sweep, args.sweep, args.d):
        with tempfile.TemporaryDirectory() as home:
            run(sweep.config_of(one), Path(home) / "run", show=False)
            rows.append([row[name] for name in COLUMNS])
            for step, radius in radii(Workdir(Path(home) / "run"), few):
                curves.append([one.slug, step, f"{radius:.6g}"])
                print(*curves[-1], sep="\t", flush=True)
        jax.clear_caches()
    if not rows:
        sys.exit(f"bench_radii_training: {args.sweep} has no chosen run of d = {args.d}")
    out = RESULTS.parent / "results" / f"{args.sweep.stem}_radii.csv"
    _write(out, [COLUMNS, *rows])
    _write(out.with_name(f"{out.stem}_curves.csv"), [("run", "step", "radius"), *curves])
    drawn = sweeps.radius_curves(sweeps.read_sweep([out]), args.d)
    figures.save(drawn, out.with_suffix(".png"))
    print(f"{out}: {len(rows)} runs, {FEW} label sets")


def _write(path: Path, rows: list) -> None:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    write_text(path, text.getvalue())


if __name__ == "__main__":
    main()
