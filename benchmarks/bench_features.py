"""What do the features of trained models yield? All distinct test sets of tate, and random sets of k labels.

    common="--config=benchmarks/plain.py --config.data.dir=FOLDER/tate --config.encoder.dropout=0 \
      --config.optim.steps=1000 --config.eval.every=100 --config.eval.metric=F1@5 --config.check.max_sets=-1"
    python train.py $common --config.head.max_cardinality=55 --config.head.spread=158 \
      --config.optim.learning_rate=1e-2 --config.optim.head_learning_rate=2e-3 --workdir=runs/features/dft
    python train.py $common --config.encoder.dim=512 --config.head.kind=bottleneck --config.head.dim=50 \
      --config.head.spread=0 --config.head.centred=False --config.optim.steps=500 --config.optim.learning_rate=3e-2 \
      --config.optim.head_learning_rate=3e-2 --workdir=runs/features/bottleneck
    python train.py $common --config.encoder.dim=512 --config.head.kind=sigmoid --config.head.spread=0 \
      --config.head.centred=False --config.optim.steps=300 --config.optim.learning_rate=1e-2 \
      --config.optim.head_learning_rate=5e-2 --workdir=runs/features/sigmoid
    python benchmarks/bench_features.py --data FOLDER [--workdir runs/features]

The first head has the spread that `sigfft.plan`'s formula chooses, is centred, and has at least as many features as it
then takes. A set counts in a column of features if it is proved that some feature vector of that domain yields it, and
if one does so in float32 through the jitted `head.logits`. Seconds: of the check on z, and of what each domain adds to
it. The sets of the other heads are samples: a search in as many dimensions as features takes seconds a set.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from results import explained, table, write_section

from sigfft import labels
from sigfft.argmaxability import HeadReport
from sigfft.argmaxability.of_heads.head_report import check_rows
from sigfft.argmaxability.theory.sampling import random_sets
from sigfft.files.label_sets import load_label_sets
from sigfft.training import load_model

HEADER = ("head", "d", "features", "F1@5", "sets", "on z", "any", "nonnegative", "undecided", "reach", "seconds")
RUNS = {"dft": 0, "bottleneck": 40, "sigmoid": 10}  # and how many sets of each kind are checked; 0: all
K, RANDOM = 55, 1000


def measure(run: Path, sets: np.ndarray, kind: str, score: float) -> list[object]:
    """The line of one run's head and of one kind of label sets."""
    model, params = load_model(run)
    head, own = model.head, params["head"]
    begun = time.perf_counter()
    of_z = check_rows(head, own, sets)
    seconds, counts, reaches, undecided = [time.perf_counter() - begun], [], [], of_z.counts()["undecided"]
    for domain in ("any", "nonnegative"):
        begun = time.perf_counter()
        report = HeadReport.of(head, own, of_z, domain=domain)
        seconds.append(time.perf_counter() - begun)
        assert report.features is not None
        assert report.on_features is not None
        assert report.reach is not None
        counts.append(f"{(report.features == 'argmaxable').sum():,}")
        undecided += report.on_features.counts()["undecided"]
        reaches.append(report.reach.status)
    sizes = [head.name, head.dim, head.feature_dim, f"{score:.3f}", f"{len(sets):,} {kind}"]
    on_z = f"{of_z.counts()['argmaxable']:,}"
    return [*sizes, on_z, *counts, undecided, ", ".join(reaches), " + ".join(f"{s:.0f}" for s in seconds)]


def rows_of(run: Path, sets: np.ndarray, n_labels: int, most: int) -> list[list[object]]:
    """The lines of one run: test sets, and random ones of K labels."""
    distinct, _, _ = labels.dedupe(sets)
    drawn = random_sets(n_labels, K, most or RANDOM, seed=0)
    picked = distinct[np.linspace(0, len(distinct) - 1, most).astype(int)] if most else distinct
    score = json.loads((run / "report.json").read_text())["heads"][-1]["test"]["F1@5"]
    return [measure(run, picked, "of the test split", score), measure(run, drawn, f"random, of {K}", score)]


def main() -> None:
    """Measure, print, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets, a folder each")
    parser.add_argument("--workdir", type=Path, default=Path("runs/features"))
    parser.add_argument("--only", choices=tuple(RUNS), help="one head, printed and not written")
    args = parser.parse_args()
    sets, n_labels = load_label_sets(args.data / "tate" / "test.txt.gz")
    if n_labels is None:
        raise ValueError(f"{args.data / 'tate'} is not in the XMC format: its header names no label count")
    padded, rows = labels.pad(sets, n_labels), []
    for name, most in RUNS.items():
        if args.only in (None, name):
            rows += rows_of(args.workdir / name, padded, n_labels, most)
            print(table(HEADER, rows), flush=True)
    if args.only is None:
        write_section("What features reach", explained(__doc__), table(HEADER, rows))


if __name__ == "__main__":
    main()
