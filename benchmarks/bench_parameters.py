"""F1@5 against head parameters on real data: bottlenecks, DFT heads with slack, spread, or both.

    python benchmarks/bench_parameters.py --data FOLDER [--datasets tate] [--seeds 3] [--workdir runs/parameters]

FOLDER holds one folder for each data set. All heads of a data set have one encoder and one number of steps; each kind
of head has learning rates of its own: those that gave one of its kind the best F1@5 on a development split with seed
0, in the grids of `bench_rates.py`. The full-rank head's were tried in fewer pairs, and a DFT head of spread and
slack has those of spread alone. The full-rank head is trained with one seed. The test label sets of a bottleneck are
all checked, for seed 0; those of a DFT head without slack depend on no training, see `bench_guarantee.py`. Runs and
checks that are there already are not repeated. Scores are of the test split.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from results import RESULTS, explained, table, write_section

import sigfft
from sigfft import figures, labels
from sigfft.files import write_text
from sigfft.files.label_sets import load_label_sets
from sigfft.training import load_model

COMMON = "--config=benchmarks/plain.py --config.optim.block_size=2000"
DATASETS = {
    "delicious": "--config.encoder.dim=512 --config.encoder.dropout=0.7 --config.optim.steps=400",
    "tate": "--config.encoder.dim=256 --config.encoder.dropout=0 --config.optim.steps=400",
    "tibkat_en": "--config.encoder.dim=256 --config.encoder.dropout=0 --config.optim.steps=400 "
    "--config.data.max_features=128",
}
POINTS = {"delicious": 983, "tate": 14_642, "tibkat_en": 22_625}  # n_fft = n_labels, the paper's
# peak learning rates of the encoder and of the head, and where another pair was better
RATES = dict.fromkeys(("spread", "both"), (0.01, 0.001)) | {"sigmoid": (1e-2, 3e-2), "bottleneck": (1e-2, 1e-2)}
RATES |= {"slack": (1e-2, 3e-3), "ordered": (1e-2, 3e-3)}
OWN_RATES = {
    "delicious": {"slack": (3e-3, 1e-2), "ordered": (3e-3, 1e-2)},
    "tate": {"sigmoid": (1e-2, 1e-1), "bottleneck": (3e-2, 3e-2)}
    | dict.fromkeys(("spread", "both"), (3e-2, 3e-3))
    | dict.fromkeys(("slack", "ordered"), (1e-2, 3e-2)),
    "tibkat_en": dict.fromkeys(("slack", "ordered"), (1e-2, 1e-2)),
}
LARGE = {
    "sigmoid": (0,),
    "bottleneck": (5, 10, 20, 50),
    "slack": (5, 20),
    "ordered": (20,),
    "spread": (100, 200, 400),
    "both": ((200, 10),),
}
SIZES: dict[str, dict[str, tuple[Any, ...]]] = {
    "delicious": {
        "sigmoid": (0,),
        "bottleneck": (25, 50, 100),
        "slack": (25, 100),
        "ordered": (25,),
        "spread": (50, 100, 200),
        "both": ((100, 50),),
    },
    "tate": LARGE,
    "tibkat_en": LARGE,
}
NAMES = {
    "sigmoid": "sigmoid (full rank)",
    "bottleneck": "bottleneck",
    "slack": "DFT + slack",
    "ordered": "DFT + slack, labels ordered",
    "spread": "DFT + spread",
    "both": "DFT + spread + slack",
}
HEADER = (
    *("data", "head", "head parameters", "P@1", "P@5", "F1@5", "F1@5 of each seed"),
    "test sets argmaxable",
)


def flags(dataset: str, kind: str, size: Any, seed: int) -> str:
    """The options of train.py for one run, folders apart."""
    spread, slack = size if kind == "both" else (size, 0) if kind == "spread" else (0, size)
    head = f"--config.head.spread={spread} --config.head.slack={slack} --config.head.n_fft={POINTS[dataset]}"
    if kind in ("bottleneck", "sigmoid"):
        head = f"--config.head.kind={kind} --config.head.spread=0 --config.head.dim={size}"
    if kind == "ordered":
        head += " --config.head.order=chains"
    encoder, own = OWN_RATES[dataset].get(kind, RATES[kind])
    rates = f"--config.optim.learning_rate={encoder} --config.optim.head_learning_rate={own}"
    return f"{COMMON} {DATASETS[dataset]} {head} {rates} --config.seed={seed} --config.check.max_sets=-1"


def runs(dataset: str, seeds: int) -> Iterator[tuple[str, Any, int, str]]:
    """Kind, size, seed and folder name of each run, all heads of a seed before the next seed."""
    for seed in range(seeds):
        for kind, sizes in SIZES[dataset].items():
            for size in sizes if seed == 0 or kind != "sigmoid" else ():
                name = "_".join(map(str, size)) if isinstance(size, tuple) else str(size)
                yield kind, size, seed, f"{kind}_{name}_seed{seed}"


def collect(workdir: Path, dataset: str, seeds: int) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Finished reports by kind and name of head."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for kind, _, _, folder in runs(dataset, seeds):
        path = workdir / dataset / folder / "report.json"
        if path.exists():
            entry = json.loads(path.read_text())["heads"][-1] | {"folder": folder}
            found.setdefault((kind, entry["name"]), []).append(entry)
    return found


def argmaxable_share(workdir: Path, test: Path) -> str:
    """How many of the distinct test label sets a run's bottleneck can output, all checked."""
    kept = workdir / "argmaxable.json"
    if not kept.exists():
        _, params = load_model(workdir)
        sets, n_labels = load_label_sets(test)
        distinct, _, _ = labels.dedupe(labels.pad(sets, n_labels))
        report = sigfft.check(np.asarray(params["head"]["weight"]), distinct, n_jobs=-1, progress=True)
        write_text(kept, json.dumps(report.counts()))
    counts = json.loads(kept.read_text(encoding="utf-8"))
    return f"{counts['argmaxable']:,} of {counts['checked']:,}"


def panel(dataset: str, found: dict[tuple[str, str], list[dict[str, Any]]]) -> figures.Panel:
    """Mean and range of the seeds, by kind of head."""
    lines: dict[str, list[tuple[float, ...]]] = {}
    for (kind, _), entries in found.items():
        scores = [entry["test"]["F1@5"] for entry in entries]
        point = (entries[0]["parameters"], statistics.mean(scores), min(scores), max(scores))
        lines.setdefault(NAMES[kind], []).append(point)
    return figures.Panel(dataset, "head parameters", "F1@5", lines, log="x")


def main() -> None:
    """Run what is missing, print and write the table, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS), choices=DATASETS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workdir", type=Path, default=Path("runs/parameters"))
    args = parser.parse_args()
    for dataset in args.datasets:
        for kind, size, seed, folder in runs(dataset, args.seeds):
            workdir = args.workdir / dataset / folder
            places = f" --config.data.dir={args.data / dataset} --workdir={workdir}"
            command = f"{sys.executable} train.py {flags(dataset, kind, size, seed)}{places}"
            if not (workdir / "report.json").exists():
                subprocess.run(shlex.split(command), check=True)
    rows, panels = [], []
    for dataset in DATASETS:
        found = collect(args.workdir, dataset, args.seeds)
        kinds = list(NAMES)
        for (kind, name), entries in sorted(found.items(), key=lambda i: (kinds.index(i[0][0]), i[1][0]["parameters"])):
            means = [f"{statistics.mean(e['test'][m] for e in entries):.3f}" for m in ("P@1", "P@5", "F1@5")]
            each = ", ".join(f"{e['test']['F1@5']:.3f}" for e in entries)
            first = args.workdir / dataset / entries[0]["folder"]
            share = argmaxable_share(first, args.data / dataset / "test.txt.gz") if kind == "bottleneck" else ""
            rows.append([dataset, name, f"{entries[0]['parameters']:,}", *means, each, share])
        panels += [panel(dataset, found)] if found else []
    print(table(HEADER, rows))
    note = f"mean of {args.seeds} seeds (bar: their range); full rank: 1 seed"
    figures.save(figures.lines(panels, note=note), RESULTS.with_name("parameters.png"))
    text = table(HEADER, rows) + "\n\n![F1@5 against head parameters](parameters.png)"
    write_section("Scores against head parameters", explained(__doc__), text)


if __name__ == "__main__":
    main()
