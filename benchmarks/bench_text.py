"""Encoders of raw texts on tibkat_en: bags of words, a convolution, and a transformer that starts at random.

    python benchmarks/bench_text.py --data FOLDER [--only bag text_cnn transformer]

`train.py --config.data.dir=FOLDER/tibkat_en/texts.jsonl.gz` with the flags that the table's last column shows, no
check. Seconds are of training, without evaluations; CPU seconds are of the whole process, which reads the texts too
where no run of the same flags did before. Trainings are far too short to tell which encoder is best: these are trials
of the way from raw texts to predictions. Each predicts 100 raw texts of the test split from JSON lines. The transformer
of two layers is interrupted (SIGTERM) with its first evaluation, and goes on with `--resume`. A run that is there
already is not repeated.
"""

import argparse
import gzip
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from results import explained, table, write_section

from sigfft.files import write_text

COMMON = (
    "--config.optim.warmup_steps=20 --config.eval.max_dev_examples=1024 --config.check.max_sets=-1 "
    "--config.encoder.dim=256 --config.encoder.dropout=0.2 --config.eval.metric=P@1 "
    "--config.head.max_cardinality=26 --config.head.spread=100"
)
RUNS = {
    "bag": "--config.optim.steps=300 --config.optim.batch_size=128 --config.optim.learning_rate=1e-2 "
    "--config.eval.every=100 --config.data.max_features=100",
    "text_cnn": "--config.encoder.kind=text_cnn --config.data.max_length=64 --config.optim.steps=150 "
    "--config.optim.batch_size=128 --config.optim.learning_rate=3e-3 --config.eval.every=75 --config.eval.threshold=",
    "transformer": "--config.encoder.kind=transformer --config.encoder.layers=2 --config.data.max_length=48 "
    "--config.optim.steps=60 --config.optim.batch_size=64 --config.optim.learning_rate=1e-3 --config.eval.every=20 "
    "--config.eval.threshold=",
}
INTERRUPTED, TEXTS = "transformer", 100


def train(texts: Path, workdir: Path, flags: str, *, until_checkpoint: bool = False, resume: bool = False) -> float:
    """Runs to the end, or until there is a checkpoint; CPU seconds of the process. Raises RuntimeError if it fails."""
    command = [sys.executable, "train.py", f"--config.data.dir={texts}", f"--workdir={workdir}", *shlex.split(flags)]
    before = sum(os.times()[2:4])  # CPU seconds of children that have ended
    process = subprocess.Popen(command + ["--resume"] * resume)
    if until_checkpoint:
        while process.poll() is None and not evaluated(workdir):
            time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
    code, expected = process.wait(), 143 if until_checkpoint else 0
    if code != expected:
        raise RuntimeError(f"{shlex.join(command)} ended with {code}; expected {expected}")
    return sum(os.times()[2:4]) - before


def evaluated(workdir: Path) -> list[int]:
    """The steps at which the dev split has been evaluated so far."""
    path = workdir / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return [line["step"] for line in map(json.loads, lines) if "dev P@1" in line]


def predicted(texts: Path, workdir: Path) -> str:
    """Predicts the first test texts, unlabelled; what came of it."""
    raw, out = workdir / "raw.jsonl", workdir / "predictions.tsv"
    with gzip.open(texts, "rt", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["split"] == "test"][:TEXTS]
    write_text(raw, "".join(json.dumps({key: row[key] for key in ("id", "title", "abstract")}) + "\n" for row in rows))
    command = [sys.executable, "-m", "sigfft", "predict", "--workdir", workdir, "--input", raw, "--output", out]
    begun = time.perf_counter()
    subprocess.run(list(map(str, command)), check=True)
    lines = out.read_text(encoding="utf-8").splitlines()[1:]  # behind the header
    return f"{len(lines)} lines for {len(rows)} texts in {time.perf_counter() - begun:.0f} s"


def result_of(name: str, texts: Path, workdir: Path) -> dict[str, Any]:
    """What the table shows of a run, which is trained if its folder holds no result."""
    kept, flags = workdir / "bench_text.json", f"{COMMON} {RUNS[name]}"
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    stopped, cpu_seconds = "", 0.0
    if name == INTERRUPTED:
        cpu_seconds = train(texts, workdir, flags, until_checkpoint=True)
        stopped = f"stopped after the evaluation at step {evaluated(workdir)[-1]}; "
    cpu_seconds += train(texts, workdir, flags, resume=name == INTERRUPTED)
    report = json.loads((workdir / "report.json").read_text(encoding="utf-8"))
    (entry,) = report["heads"]
    told = f"{stopped}steps of evaluations {evaluated(workdir)}; {predicted(texts, workdir)}"
    result = {"encoder": name, "cpu_seconds": cpu_seconds, "told": told, "flags": RUNS[name]} | entry
    write_text(kept, json.dumps(result))
    return result


def main() -> None:
    """Run what is missing, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets, a folder each")
    parser.add_argument("--only", nargs="+", default=list(RUNS), choices=RUNS, help="printed; all of them are written")
    parser.add_argument("--workdir", type=Path, default=Path("runs/text"))
    args = parser.parse_args()
    texts = args.data / "tibkat_en" / "texts.jsonl.gz"
    rows = []
    for name in args.only:
        result = result_of(name, texts, args.workdir / name)
        scores = [f"{result['test'][metric]:.3f}" for metric in ("P@1", "P@5", "F1@5")]
        spent = [f"{result['seconds']:.0f}", f"{result['cpu_seconds']:.0f}"]
        shown = " ".join(flag.removeprefix("--config.") for flag in result["flags"].split())
        rows.append([name, result["name"], result["steps"], *scores, *spent, result["told"], f"`{shown}`"])
    header = ("encoder", "head", "steps", "P@1", "P@5", "F1@5", "seconds", "CPU seconds", "course", "flags")
    print(table(header, rows))
    if args.only == list(RUNS):
        write_section("Encoders of raw texts", f"{explained(__doc__)}\n\nAll: `{COMMON}`.", table(header, rows))


if __name__ == "__main__":
    main()
