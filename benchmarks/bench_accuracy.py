"""Heads side by side on real data: trains, evaluates and checks each, and tabulates their reports.

    python benchmarks/bench_accuracy.py --data FOLDER [--datasets tate tibkat_en] [--workdir runs/accuracy]

FOLDER holds one folder for each data set. A run that is there already is not repeated.
"""

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

HEADS = {
    "sigmoid": "--config.head.kind=sigmoid",
    "bottleneck 50": "--config.head.kind=bottleneck --config.head.dim=50",
    "bottleneck 200": "--config.head.kind=bottleneck --config.head.dim=200",
    "dft slack 50": "--config.head.spread=0 --config.head.slack=50",
    "dft slack 200": "--config.head.spread=0 --config.head.slack=200",
    "dft spread 200": "--config.head.spread=200",
}
DATASETS = {"tate": "", "tibkat_en": "--config.data.max_features=128 --config.optim.steps=400"}
COLUMNS = ("P@1", "P@5", "F1@5")


def main() -> None:
    """Runs what is missing and prints the table of each data set, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS), choices=DATASETS)
    parser.add_argument("--heads", nargs="+", default=list(HEADS), choices=HEADS)
    parser.add_argument("--workdir", type=Path, default=Path("runs/accuracy"))
    arguments = parser.parse_args()
    for dataset in arguments.datasets:
        for head in arguments.heads:
            workdir = arguments.workdir / dataset / head.replace(" ", "_")
            if not (workdir / "report.json").exists():
                command = f"{sys.executable} train.py {options(dataset, head)}"
                started = ["--resume"] if (workdir / "config.json").exists() else []
                places = [f"--config.data.dir={arguments.data / dataset}", f"--workdir={workdir}"]
                print(f"\n{command}", flush=True)
                subprocess.run([*shlex.split(command), *places, *started], check=True)
    for dataset in arguments.datasets:
        print(f"\n{table(arguments.workdir, dataset)}")


def options(dataset: str, head: str) -> str:
    """The flags of train.py for one row, folders apart."""
    parts = ("--config=configs/xmc.py", DATASETS[dataset], HEADS[head], "--config.check.max_sets=200")
    return " ".join(part for part in parts if part)


def table(workdir: Path, dataset: str) -> str:
    """The rows of one data set, from the reports that are there."""
    lines = [
        f"| {dataset} | P@1 | P@5 | F1@5 | head parameters | steps to best | seconds | sets argmaxable |",
        "|---|" + "---:|" * 7,
    ]
    for head in HEADS:
        path = workdir / dataset / head.replace(" ", "_") / "report.json"
        if not path.exists():
            continue
        entry = json.loads(path.read_text())["heads"][-1]
        counts = entry["argmaxability"]
        scores = " | ".join(f"{entry['test'][name]:.3f}" for name in COLUMNS)
        share = f"{counts['argmaxable']} of {counts['checked']}"
        if counts["undecided"]:
            share += f", {counts['undecided']} undecided"
        lines.append(
            f"| {entry['name']} | {scores} | {entry['parameters']:,} | {entry['best_step']} | "
            f"{entry['seconds']:.0f} | {share} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
