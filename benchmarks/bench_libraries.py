"""Scores and CPU seconds beside those of napkinXC's PLT and of PECOS' XR-Linear, on the same splits and features.

    python3.11 -m venv LIBRARIES && LIBRARIES/bin/pip install -U pip && LIBRARIES/bin/pip install --group libraries
    python benchmarks/bench_libraries.py --data FOLDER --libraries LIBRARIES/bin/python [--only NAME ...] [--again]

FOLDER holds a folder for each data set. The libraries have an environment of their own, since PECOS wants an older
NumPy and SciPy; `--group` takes pip 25.1. `--only` names data sets, systems or both. What `libraries.jsonl` holds
already is not run again, except with `--again`, and the table is made of all that it holds.

Libraries are trained on the training split, with the features that sigfft reads from the same files (of raw texts: its
tf-idf). Of their scores the five best labels of each test example go through `sigfft.metrics`. PLT and XR-Linear:
defaults, of XR-Linear's command. The others are what their authors' papers used: three trees of arity 16 with logistic
loss, C = 12, or squared hinge, C = 1 (Jasinska-Kobus et al. 2020); rows of unit length, three trees of 32 splits, a
beam of 50, negatives of teacher and matcher (Yu et al. 2022).

sigfft is `train.py --config.data.dir=FOLDER`. The check is left out (`check.max_sets=-1`): it comes after the test
scores and changes none. A sigmoid head and bottlenecks are trained in the same way at three learning rates, of which
the line shows the one of the best dev F1@5 (`data.dev_share=0.1` where a data set has no dev split). On tibkat_en
sigfft starts an example's nearest labels higher; other heads do not. tibkat_en_8, _16 and _64 are its examples with the
labels of at least 8, 16 and 64 training examples: 2,864, 1,349 and 204 labels.

CPU seconds are user and system time of all threads: of a library in training + prediction, without imports and
reading; of sigfft of the whole process, with its start, compilation, evaluations, checkpoints and figures; records of
the data were prepared before. Ratio: to those of PLT. Each process was held to one core (`taskset -c 0`), on which
nothing else ran; other work was done on another.
"""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.sparse
from fit_library import SYSTEMS
from results import explained, table, write_section

from sigfft.data import Dataset, SparseFeatures
from sigfft.files import write_text, xmc
from sigfft.files.xmc_writing import write_xmc
from sigfft.metrics import Predictions, make_metrics
from sigfft.training.config_files import config_of
from sigfft.training.experiment import load_splits

KEPT = Path(__file__).with_name("libraries.jsonl")
SETS = {
    **{name: name for name in ("bibtex", "delicious", "tate", "tibkat_en")},
    "tate_text": "tate/tate.jsonl.gz",
    "tibkat_en_text": "tibkat_en/texts.jsonl.gz",
}
FREQUENT = {f"tibkat_en_{least}": least for least in (8, 16, 64)}  # training examples that a label has at least
ALL = (*SETS, *FREQUENT)
NAMES = {
    "plt": "PLT",
    "plt_3_log": "PLT, 3 trees, logistic",
    "plt_3_hinge": "PLT, 3 trees, hinge",
    "xr": "XR-Linear",
    "xr_3": "XR-Linear, 3 trees",
    "sigfft": "sigfft",
    "sigmoid": "sigmoid",
    "bottleneck_50": "bottleneck d=50",
    "bottleneck_200": "bottleneck d=200",
}
BARE = "--config.head.spread=0 --config.head.slack=0 --config.head.centred=False"
OTHER = f"{BARE} --config.data.dev_share=0.1 --config.head.kind="
HEADS = {
    "sigfft": "",
    "sigmoid": f"{OTHER}sigmoid",
    "bottleneck_50": f"{OTHER}bottleneck --config.head.dim=50",
    "bottleneck_200": f"{OTHER}bottleneck --config.head.dim=200",
}
RATES = (3e-3, 1e-2, 3e-2)
METRICS = ("P@1", "P@3", "P@5", "F1@5")
Line = dict[str, Any]


def of_library(name: str, system: str, python: str, data: Path, workdir: Path) -> Line:
    """The scores of a library's model on the test split, and what it took."""
    folder, out = workdir / name, workdir / name / f"{system}.npz"
    test = write_matrices(folder, path_of(name, data, workdir))
    program = Path(__file__).with_name("fit_library.py")
    done = subprocess.run([python, program, folder, system, out], check=True, stdout=subprocess.PIPE, text=True)
    with np.load(out) as found:
        scores = scores_of(found["labels"], test)
    return scores | json.loads(done.stdout.splitlines()[-1])


def path_of(name: str, data: Path, workdir: Path) -> Path:
    """Where a data set is; those of frequent labels are made first."""
    if name in SETS:
        return data / SETS[name]
    folder = workdir / "sets" / name
    if not (folder / "test.txt.gz").exists():
        write_frequent(data / "tibkat_en", folder, FREQUENT[name])
    return folder


def write_frequent(source: Path, folder: Path, least: int) -> None:
    """A data set's labels of so many training examples or more, and the examples that have any of them."""
    folder.mkdir(parents=True, exist_ok=True)
    splits = {name: xmc.parse(source / f"{name}.txt.gz") for name in ("train", "dev", "test")}
    frequent = np.bincount(splits["train"].label_ids, minlength=splits["train"].n_labels) >= least
    for name, split in splits.items():
        active = np.ones(len(split.label_ids)), split.label_ids, split.label_indptr
        labels = scipy.sparse.csr_matrix(active, (len(split), split.n_labels))[:, frequent]
        there = np.diff(labels.indptr) > 0
        entries = split.feature_values, split.feature_ids, split.feature_indptr
        features = scipy.sparse.csr_matrix(entries, (len(split), split.n_features))[there]
        labels = labels[there]
        own = {"label_indptr": labels.indptr, "label_ids": labels.indices}
        own |= {"feature_indptr": features.indptr, "feature_ids": features.indices, "feature_values": features.data}
        write_xmc(folder / f"{name}.txt.gz", xmc.XmcData(split.n_features, int(frequent.sum()), **own))
        print(f"{folder.name}, {name}: {there.sum():,} examples, {frequent.sum():,} labels", flush=True)


def write_matrices(folder: Path, path: Path) -> Dataset:
    """Writes the training and test splits as sparse matrices; returns the test split."""
    splits = load_splits(config_of("auto", [f"--config.data.dir={path}"]))
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train", "test"):
        split = splits[name]
        features, active = split.features, split.labels < split.n_labels
        assert isinstance(features, SparseFeatures), path
        shape = len(split), features.n_features
        matrix = scipy.sparse.csr_matrix((features.values, features.ids, features.indptr), shape)
        scipy.sparse.save_npz(folder / f"{name}.features.npz", matrix)
        ids, indptr = split.labels[active], np.cumsum([0, *active.sum(axis=1)])
        matrix = scipy.sparse.csr_matrix((np.ones(len(ids), np.float32), ids, indptr), (len(split), split.n_labels))
        scipy.sparse.save_npz(folder / f"{name}.labels.npz", matrix)
    return splits["test"]


def scores_of(top_labels: np.ndarray, data: Dataset) -> dict[str, float]:
    """The ranking metrics of the best labels, (examples, 5); -1 where there is none, which is a label of no example."""
    metrics = make_metrics(data.n_labels, (1, 3, 5))
    labels, top = jnp.asarray(data.labels), jnp.where(top_labels < 0, data.n_labels + 1, top_labels)
    nothing = jnp.zeros(len(data), jnp.int32)
    found = Predictions(top, jnp.zeros(labels.shape, bool), nothing, jnp.zeros(data.n_labels, jnp.int32))
    state = metrics.update_predictions(metrics.init(), found, labels, jnp.ones(len(data), bool))
    return {name: value for name, value in metrics.compute(state).items() if name in METRICS}


def of_head(name: str, system: str, rate: float | None, data: Path, workdir: Path) -> Line:
    """The scores of a head of ours, and what its run took."""
    path, folder = path_of(name, data, workdir), workdir / name / (system if rate is None else f"{system}_{rate}")
    load_splits(config_of("auto", [f"--config.data.dir={path}"]))  # prepares its records
    flags = [f"--config.data.dir={path}", f"--workdir={folder}", "--config.check.max_sets=-1", *HEADS[system].split()]
    if rate is not None:
        flags.append(f"--config.optim.head_learning_rate={rate}")
    shutil.rmtree(folder, ignore_errors=True)
    begun, before = time.perf_counter(), sum(os.times()[2:4])  # of children that have ended
    subprocess.run([sys.executable, "train.py", *flags], check=True)
    spent = {"seconds": time.perf_counter() - begun, "cpu_seconds": sum(os.times()[2:4]) - before}
    (entry,) = json.loads((folder / "report.json").read_text(encoding="utf-8"))["heads"]
    lines = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    dev = {line["step"]: line["dev F1@5"] for line in lines if "dev F1@5" in line}
    about = {"head": entry["name"], "steps": entry["steps"], "best_step": entry["best_step"]}
    return {m: entry["test"][m] for m in METRICS} | spent | about | {"dev F1@5": dev.get(entry["best_step"])}


def asked(only: list[str]) -> Iterator[tuple[str, str, float | None]]:
    """Data set, system and learning rate of each run; `only` names data sets, systems or both."""
    sets, systems = [name for name in ALL if name in only], [name for name in NAMES if name in only]
    for name in sets or ALL:
        for system in systems or NAMES:
            for rate in RATES if HEADS.get(system) else (None,):
                yield name, system, rate


def kept(path: Path) -> dict[tuple[str, str, float | None], Line]:
    """The lines of a file by data set, system and rate."""
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines() if path.exists() else ())
    return {(line["set"], line["system"], line["rate"]): line for line in lines}


def rows_of(lines: dict[tuple[str, str, float | None], Line]) -> list[list[object]]:
    """The table: a row for each data set and system, of its best rate on dev."""
    rows: list[list[object]] = []
    for name in ALL:
        reference = lines.get((name, "plt", None))
        for system, shown in NAMES.items():
            own = [line for (of_set, of_system, _), line in lines.items() if (of_set, of_system) == (name, system)]
            if own:
                best = max(own, key=lambda line: line.get("dev F1@5") or 0)
                scores = [f"{best[m]:.3f}" for m in METRICS]
                rows.append([name, label_of(shown, best), *scores, *spent(best, reference)])
    return rows


def label_of(shown: str, line: Line) -> str:
    """The name of a row: the head's, and the rate that was chosen."""
    head = f"{shown}: {line['head']}, {line['steps']} steps" if shown == "sigfft" else shown
    return head if line["rate"] is None else f"{head}, rate {line['rate']:g}"


def spent(line: Line, reference: Line | None) -> list[str]:
    """CPU seconds, their ratio to those of PLT, seconds."""
    if "head" in line:
        cpu, told, seconds = line["cpu_seconds"], f"{line['cpu_seconds']:.1f}", line["seconds"]
    else:
        parts = line["train_cpu_seconds"], line["predict_cpu_seconds"]
        cpu, told = sum(parts), " + ".join(f"{part:.1f}" for part in parts)
        seconds = line["train_seconds"] + line["predict_seconds"]
    of_plt = reference and reference["train_cpu_seconds"] + reference["predict_cpu_seconds"]
    return [told, f"{cpu / of_plt:.1f}" if of_plt else "", f"{seconds:.0f}"]


def main() -> None:
    """Run what is asked for and not kept, keep it, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets, a folder each")
    parser.add_argument("--libraries", default="", help="the Python of the environment of the libraries")
    parser.add_argument("--only", nargs="+", default=[], choices=(*ALL, *NAMES), metavar="NAME")
    parser.add_argument("--again", action="store_true", help="also what is kept already")
    parser.add_argument("--workdir", type=Path, default=Path("runs/libraries"))
    args = parser.parse_args()
    lines = kept(KEPT)
    for name, system, rate in asked(args.only):
        if (name, system, rate) in lines and not args.again:
            continue
        if system in SYSTEMS and not args.libraries:
            parser.error(f"{system} takes --libraries ENVIRONMENT/bin/python; see {Path(__file__).name}")
        if system in SYSTEMS:
            line = of_library(name, system, args.libraries, args.data, args.workdir)
        else:
            line = of_head(name, system, rate, args.data, args.workdir)
        line = {"set": name, "system": system, "rate": rate, "date": str(datetime.date.today())} | line
        print(json.dumps(line), flush=True)
        lines[name, system, rate] = line
        write_text(KEPT, "".join(json.dumps(own) + "\n" for own in lines.values()))
    header = ("data", "system", *METRICS, "CPU seconds", "ratio", "seconds")
    print(table(header, rows_of(lines)))
    write_section("Extreme-classification libraries", explained(__doc__), table(header, rows_of(lines)))


if __name__ == "__main__":
    main()
