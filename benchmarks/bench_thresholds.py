"""What does a threshold chosen on dev gain over the probability 0.5? Label sets of the test splits of four data sets.

    python benchmarks/bench_thresholds.py --data FOLDER [--workdir runs/thresholds] [--only NAME]

Labels are predicted above a probability: 0.5, or the one for all labels, or one for each, that makes micro F1 largest
on the dev split; a tenth of the training examples is held out where a data set has none. Exact: share of examples whose
predicted set equals the true one. Unargmaxable: of 100 distinct test label sets, drawn evenly, those that no activation
yields under that rule, proved for the layer with bias - threshold. On bibtex and delicious two heads are trained side
by side, at one learning rate; on tate and tibkat_en one, without a flag, and unchecked. Steps: those of the best dev
score, of those trained. A run that is there already is not repeated.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
from results import explained, table, write_section

from sigfft import training
from sigfft.training.config_files import config_of
from sigfft.training.evaluate import make_evaluate
from sigfft.training.experiment import load_splits, with_dev
from sigfft.training.nearest import with_nearest
from sigfft.training.workdir import Workdir

HEADER = ("data set", "head", "steps", "threshold", "micro F1", "macro F1", "sample F1", "exact", "unargmaxable")
PLAIN = str(Path(__file__).with_name("plain.py"))
BASELINE = "data.dev_share=0.1 baseline.kind=bottleneck baseline.dim=50 check.max_sets=100 "
RUNS = {  # the config of each data set, and flags
    "bibtex": (PLAIN, BASELINE + "head.spread=50 head.n_fft=159 encoder.dropout=0.7 optim.steps=300 eval.every=50"),
    "delicious": (
        PLAIN,
        BASELINE + "head.spread=400 head.n_fft=983 encoder.dropout=0.7 encoder.dim=1024 optim.steps=500 eval.every=100",
    ),
    "tate": ("auto", "check.max_sets=-1"),
    "tibkat_en": ("auto", "check.max_sets=-1"),
}


def of_each_label(run: Path, config: training.Config, name: str) -> dict[str, float]:
    """The test metrics of a run's head at the thresholds of each label."""
    from sigfft.metrics import make_metrics

    model, params = training.load_model(run, name)
    with np.load(Workdir(run).thresholds(name)) as thresholds:
        values = thresholds["micro F1"]
    metrics = make_metrics(model.head.n_labels, (1,))
    splits, _ = with_nearest(with_dev(load_splits(config), config), config)
    evaluate = make_evaluate(model, metrics, splits["test"], 256, block_size=2048)
    return evaluate(jax.device_put(params), values)


def rows_of(name: str, run: Path, config: training.Config, content: dict[str, Any]) -> list[list[object]]:
    """The lines of one data set: each head at three thresholds."""
    rows: list[list[object]] = []
    for entry in content["heads"]:
        steps, deployed = f"{entry['best_step']} of {entry['steps']}", entry["thresholds"]["deployed"]
        lines = [
            ("0.5", entry["test"], entry["argmaxability"]),
            (f"{deployed['probability']:.3f}", entry["test_at_threshold"], entry["argmaxability_at_threshold"]),
            ("of each label", of_each_label(run, config, entry["name"]), None),
        ]
        for threshold, metrics, counts in lines:
            shown = [f"{metrics[key]:.3f}" for key in ("micro F1", "macro F1", "sample F1", "exact match")]
            lost = f"{counts['unargmaxable']} of {counts['checked']}" if counts else ""
            rows.append([name, entry["name"], steps, threshold, *shown, lost])
    return rows


def main() -> None:
    """Train what is not there, print, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets, a folder each")
    parser.add_argument("--workdir", type=Path, default=Path("runs/thresholds"))
    parser.add_argument("--only", choices=tuple(RUNS), help="one data set, printed and not written")
    args = parser.parse_args()
    rows = []
    for name, (config_file, flags) in RUNS.items():
        if args.only not in (None, name):
            continue
        keys = (f"data.dir={args.data / name}", *flags.split())
        config, run = config_of(config_file, [f"--config.{key}" for key in keys]), args.workdir / name
        if not (run / "report.json").exists():
            training.run(config, run)
        rows += rows_of(name, run, config, json.loads((run / "report.json").read_text(encoding="utf-8")))
        print(table(HEADER, rows), flush=True)
    if args.only is None:
        write_section("Thresholds chosen on dev", explained(__doc__), table(HEADER, rows))


if __name__ == "__main__":
    main()
