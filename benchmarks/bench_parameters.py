"""F1@5 against head parameters on real data: bottlenecks, DFT heads with slack, with spread, and with both.

    python benchmarks/bench_parameters.py --data FOLDER [--datasets tate] [--seeds 3] [--workdir runs/parameters]

FOLDER holds one folder for each data set. All heads of a data set have one encoder, one number of steps and one
learning rate of the encoder; each kind of head has a learning rate of its own, the best of three to six for one head
of its kind on a development split (delicious: a tenth of the training split), seed 0. Runs that are there already are
not repeated. Table and figure are of the test split, after the last step.
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

from results import RESULTS, table, write_section

from sigfft import figures

COMMON = "--config=configs/xmc.py --config.check.max_sets=-1 --config.optim.block_size=2000"
DATASETS = {
    "delicious": "--config.encoder.dim=512 --config.encoder.dropout=0.7 --config.optim.steps=400",
    "tate": "--config.encoder.dim=256 --config.encoder.dropout=0 --config.optim.steps=500",
    "tibkat_en": "--config.encoder.dim=256 --config.encoder.dropout=0 --config.optim.steps=500 "
    "--config.data.max_features=128",
}
# learning rates of the encoder and of each kind of head
RATES = {
    "delicious": {"encoder": 1e-2, "bottleneck": 1e-2, "slack": 1e-2, "spread": 1e-3, "both": 1e-3},
    "tate": {"encoder": 3e-2, "bottleneck": 1e-2, "slack": 3e-3, "spread": 3e-3, "both": 3e-3},
    "tibkat_en": {"encoder": 1e-2, "bottleneck": 1e-2, "slack": 3e-3, "spread": 1e-3, "both": 1e-3},
}
LARGE = {
    "bottleneck": (5, 10, 20, 50),
    "slack": (5, 20),
    "spread": (100, 200, 400),
    "both": ((200, 10),),
}
SIZES: dict[str, dict[str, tuple[Any, ...]]] = {
    "delicious": {
        "bottleneck": (25, 50, 100),
        "slack": (25, 100),
        "spread": (50, 100, 200),
        "both": ((100, 50),),
    },
    "tate": LARGE,
    "tibkat_en": LARGE,
}
NAMES = {
    "bottleneck": "bottleneck",
    "slack": "DFT + slack",
    "spread": "DFT + spread",
    "both": "DFT + spread + slack",
}
HEADER = ("data", "head", "head parameters", "P@1", "F1@5", "F1@5 of each seed", "seconds")


def flags(dataset: str, kind: str, size: Any, seed: int) -> str:
    """The options of train.py for one run, folders apart."""
    spread, slack = {"slack": (0, size), "spread": (size, 0)}.get(kind) or (size if kind == "both" else (0, 0))
    head = f"--config.head.spread={spread} --config.head.slack={slack}"
    if kind == "bottleneck":
        head = f"--config.head.kind=bottleneck --config.head.dim={size}"
    rate = RATES[dataset]
    rates = f"--config.optim.learning_rate={rate['encoder']} --config.optim.head_learning_rate={rate[kind]}"
    return f"{COMMON} {DATASETS[dataset]} {head} {rates} --config.seed={seed}"


def runs(dataset: str, seeds: int) -> Iterator[tuple[str, Any, int, str]]:
    """Kind, size, seed and folder name of each run, all heads of a seed before the next seed."""
    for seed in range(seeds):
        for kind, sizes in SIZES[dataset].items():
            for size in sizes:
                name = "_".join(map(str, size)) if isinstance(size, tuple) else str(size)
                yield kind, size, seed, f"{kind}_{name}_seed{seed}"


def collect(workdir: Path, dataset: str, seeds: int) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Finished reports by kind and name of head."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for kind, _, _, folder in runs(dataset, seeds):
        path = workdir / dataset / folder / "report.json"
        if path.exists():
            entry = json.loads(path.read_text())["heads"][-1]
            found.setdefault((kind, entry["name"]), []).append(entry)
    return found


def panel(dataset: str, found: dict[tuple[str, str], list[dict[str, Any]]]) -> figures.Panel:
    """Mean and range of the seeds, by kind of head."""
    lines: dict[str, list[tuple[float, ...]]] = {}
    for (kind, _), entries in found.items():
        scores = [entry["test"]["F1@5"] for entry in entries]
        point = (entries[0]["parameters"], statistics.mean(scores), min(scores), max(scores))
        lines.setdefault(NAMES[kind], []).append(point)
    seeds = max(len(entries) for entries in found.values())
    return figures.Panel(f"{dataset}: mean and range of {seeds} seeds", "head parameters", "F1@5", lines, log=False)


def main() -> None:
    """Run what is missing, print and write the table, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS), choices=DATASETS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workdir", type=Path, default=Path("runs/parameters"))
    parser.add_argument("--list", action="store_true", help="only print the command of each run")
    args = parser.parse_args()
    for dataset in args.datasets:
        for kind, size, seed, folder in runs(dataset, args.seeds):
            workdir = args.workdir / dataset / folder
            places = f" --config.data.dir={args.data / dataset} --workdir={workdir}"
            command = f"{sys.executable} train.py {flags(dataset, kind, size, seed)}{places}"
            if args.list:
                print(command)
            elif not (workdir / "report.json").exists():
                resume = ["--resume"] if (workdir / "config.json").exists() else []
                subprocess.run([*shlex.split(command), *resume], check=True)
    if args.list:
        return
    rows, panels = [], []
    for dataset in DATASETS:
        found = collect(args.workdir, dataset, args.seeds)
        for (_, name), entries in sorted(found.items(), key=lambda item: (item[0][0], item[1][0]["parameters"])):
            means = [f"{statistics.mean(e['test'][m] for e in entries):.3f}" for m in ("P@1", "F1@5")]
            each = ", ".join(f"{e['test']['F1@5']:.3f}" for e in entries)
            seconds = f"{statistics.median(e['seconds'] for e in entries):.0f}"
            rows.append([dataset, name, f"{entries[0]['parameters']:,}", *means, each, seconds])
        panels += [panel(dataset, found)] if found else []
    print(table(HEADER, rows))
    figures.save(figures.lines(panels), RESULTS.with_name("parameters.png"))
    text = table(HEADER, rows) + "\n\n![F1@5 against head parameters](parameters.png)"
    write_section("Scores against head parameters", "python benchmarks/bench_parameters.py --data $SIGFFT_DATA", text)


if __name__ == "__main__":
    main()
