"""Which learning rates and which start suit a head: F1@5 on a development split, one seed.

    python benchmarks/bench_rates.py --data FOLDER [--dataset delicious] [--workdir runs/rates]

F1@5 by peak learning rates. FOLDER holds one folder for each data set. Where a data set has no development split, a
tenth of the training split is held out. `bench_parameters.py` trains each kind of head with the rates that are best
here. Runs that are there already are not repeated.
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench_parameters import COMMON, DATASETS, POINTS
from results import explained, table, write_section

HEADS = {
    "bottleneck 50": "--config.head.kind=bottleneck --config.head.spread=0 --config.head.dim=50",
    "DFT, slack 50": "--config.head.spread=0 --config.head.slack=50",
    "DFT, spread 100": "--config.head.spread=100",
    "DFT, spread 100, uniform start": "--config.head.spread=100 --config.head.random_start=true",
}
LARGE = ("bottleneck 50", "DFT, slack 50", "DFT, spread 100")
GRIDS = {  # heads, peak rates of the encoder, peak rates of the head
    "delicious": (tuple(HEADS), (3e-3, 1e-2), (3e-4, 1e-3, 3e-3, 1e-2)),
    "tate": (LARGE, (1e-2, 3e-2), (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)),
    "tibkat_en": (LARGE, (1e-2,), (1e-3, 3e-3, 1e-2, 3e-2)),
}


def runs(dataset: str) -> Iterator[tuple[str, float, float, str, str]]:
    """Head, the two peak learning rates, folder name and options of train.py, folders apart."""
    heads, encoder_rates, head_rates = GRIDS[dataset]
    for head in heads:
        for encoder in encoder_rates:
            for own in head_rates:
                rates = f"--config.optim.learning_rate={encoder} --config.optim.head_learning_rate={own}"
                held_out = " --config.data.dev_share=0.1" if dataset == "delicious" else ""
                points = f" --config.head.n_fft={POINTS[dataset]}" if head.startswith("DFT") else ""
                flags = (
                    f"{COMMON} {DATASETS[dataset]}{held_out} --config.check.max_sets=-1 {HEADS[head]}{points} {rates}"
                )
                yield head, encoder, own, f"{head.replace(', ', '_').replace(' ', '')}_{encoder}_{own}", flags


def dev_score(workdir: Path) -> float:
    """F1@5 on the development split after the last step."""
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [line["dev F1@5"] for line in lines if "dev F1@5" in line][-1]


def main() -> None:
    """Run what is missing, print and write the table: a line for each head and rate of the encoder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--dataset", default="delicious", choices=GRIDS)
    parser.add_argument("--workdir", type=Path, default=Path("runs/rates"))
    args = parser.parse_args()
    scores: dict[tuple[str, float], list[str]] = {}
    for head, encoder, own, folder, flags in runs(args.dataset):
        workdir = args.workdir / args.dataset / folder
        if not (workdir / "report.json").exists():
            places = [f"--config.data.dir={args.data / args.dataset}", f"--workdir={workdir}"]
            subprocess.run([sys.executable, "train.py", *shlex.split(flags), *places], check=True)
        scores.setdefault((head, encoder), []).append(f"{dev_score(workdir):.4f}")
        print(head, encoder, own, scores[head, encoder][-1], sep="\t", flush=True)
    header = ["head", "encoder's rate", *(f"head's rate {own:g}" for own in GRIDS[args.dataset][2])]
    lines = [[head, f"{encoder:g}", *values] for (head, encoder), values in scores.items()]
    write_section(f"Learning rates, {args.dataset}", explained(__doc__), table(header, lines))


if __name__ == "__main__":
    main()
