"""A tiny `sigfft train` for benchmarks/soak.py: started, watched for the moment to disturb it, and compared."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

STEPS, EVERY = 30, 10
FLAGS = [
    *("--config.data.synthetic.n_labels=60", "--config.data.synthetic.feature_dim=12"),
    *("--config.data.synthetic.n_train=1000", "--config.data.synthetic.n_dev=200"),
    *("--config.data.synthetic.n_test=200", "--config.data.synthetic.mean_cardinality=3"),
    *("--config.data.synthetic.max_cardinality=6", "--config.encoder.dim=16", "--config.head.spread=10"),
    *(f"--config.optim.steps={STEPS}", "--config.optim.warmup_steps=5", "--config.optim.batch_size=32"),
    *(f"--config.eval.every={EVERY}", "--config.eval.log_every=1", "--config.eval.keep=2"),
    "--config.check.max_sets=20",
]
_TIMES = ("seconds", "check_seconds", "examples_per_second", "memory")  # what differs between two runs of one config


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a run, its records and the programs that JAX compiled are kept."""

    folder: Path
    compiled: Path

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @contextlib.contextmanager
    def started(self) -> Iterator[subprocess.Popen[str]]:
        """The process of a run that starts or goes on here; killed if it outlives the block."""
        where = [f"--workdir={self.run}", f"--config.data.cache_dir={self.cache}"]
        environment = os.environ | {
            "JAX_PLATFORMS": "cpu",
            "XLAFLAGS": "",
            "JAX_COMPILATION_CACHE_DIR": str(self.compiled),  # a restart then takes seconds
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "MPLBACKEND": "agg",
        }
        options: dict[str, Any] = {"env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-m", "sigfft", "train", *where, *FLAGS]
        with subprocess.Popen(command, text=True, **options) as process:
            try:
                yield process
            finally:
                process.kill()

    def finish(self, seconds: float = 300.0) -> tuple[int | None, str]:
        """Runs to the end: exit code, None where it took longer than that, and the last line of its stderr."""
        with self.started() as process:
            return ended(process, seconds)

    def lines(self) -> list[str]:
        """Whole lines of the log so far."""
        try:
            return (self.run / "metrics.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
        except OSError:
            return []

    def last_logged(self) -> tuple[str, int]:
        """Head and step of the last line."""
        line = json.loads(self.lines()[-1])
        return line["head"], line["step"]

    @staticmethod
    def checkpoints(run: Path, head: str) -> Path:
        """The folder of a head's checkpoints."""
        return run / "checkpoints" / head.replace("=", "").replace(" ", "_")

    def last_saved(self, head: str) -> int:
        """The step of a head's last checkpoint; 0: there is none."""
        folder = self.checkpoints(self.run, head)
        return max((int(path.name) for path in folder.glob("*") if path.name.isdigit()), default=0)

    def is_writing(self) -> bool:
        """Whether a checkpoint is half written."""
        return any(not path.name.isdigit() for path in self.run.glob("checkpoints/*/*"))

    def content(self) -> dict[str, Any]:
        """All of a finished run that must be the same however often it was disturbed, and what it left behind."""
        from sigfft.argmaxability.proofs.verdicts import read_lines
        from sigfft.training import load_model
        from sigfft.training.events import read_events

        report = json.loads((self.run / "report.json").read_text(encoding="utf-8"))
        names = [head["name"] for head in report["heads"]]
        # of checkpoints and records, only the names of their folders: those of files inside are drawn
        kept = sorted(str(path.relative_to(self.folder)) for path in self.folder.glob("cache/*/*/*"))
        # and of checkpoints the last and what is no checkpoint: a stop saves one more, which takes an older one's place
        of_heads = [[path.name for path in head.iterdir()] for head in sorted(self.run.glob("checkpoints/*"))]
        kept += [str(max((int(name) for name in own if name.isdigit()), default=0)) for own in of_heads]
        kept += sorted(name for own in of_heads for name in own if not name.isdigit())
        kept += sorted(path.name for path in self.folder.glob("cache/*/*"))
        kept += sorted(path.name for path in self.run.iterdir())
        folders = sorted((self.run / "events").iterdir())
        files = sorted((self.run / "verdicts").iterdir())
        verdicts = [line.to_json() for path in files for _, line in read_lines(path)]
        return {
            "report": _without_times(report),
            "log": [_without_times(json.loads(line)) for line in self.lines()],
            "events": [[e.step for e in read_events(own) if e.HasField("summary")] for own in folders],
            "parameters": [leaves(load_model(self.run, name)[1]) for name in names],
            "verdicts": [_without_times(json.loads(line)) for line in verdicts],
            "figures": {path.name: path.read_bytes() for path in sorted((self.run / "figures").iterdir())},
            "files": kept,
        }


def ended(process: subprocess.Popen[str], seconds: float) -> tuple[int | None, str]:
    """The exit code of a process, None where it took longer than that, and the last line of its stderr."""
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None, ""
    return process.returncode, (errors.strip().splitlines() or [""])[-1]


def wait_for(process: subprocess.Popen[str], mark: Callable[[], bool], delay: float) -> bool:
    """Waits until a mark is seen, and then so many seconds; False: the process ended before."""
    while process.poll() is None:
        if mark():
            time.sleep(delay)
            return process.poll() is None
        time.sleep(0.003)
    return False


def marks(place: Place, random: np.random.Generator) -> dict[str, tuple[Callable[[], bool], float]]:
    """For each phase of a run what shows that it has come, and a delay in seconds after that, both drawn."""
    seen: set[Path] = set()
    nth_checkpoint, nth_line = random.integers(1, 4 * STEPS // EVERY), random.integers(1, 2 * STEPS)
    nth_evaluation = random.integers(1, 2 * STEPS // EVERY + 1)

    def checkpoint() -> bool:  # names that appear, temporary ones included
        folder = place.run / "checkpoints"
        seen.update(path for path in folder.glob("*/*") if path.name[0].isdigit())
        return len(seen) >= nth_checkpoint

    def evaluation() -> bool:  # the step before is logged: it may be the step, its evaluation, or its checkpoint
        steps = [json.loads(line)["step"] for line in place.lines() if '"loss"' in line]
        return sum(step % EVERY == EVERY - 1 for step in steps) >= nth_evaluation

    def check() -> bool:
        lines = place.lines()
        return len(lines) >= 2 * (STEPS + STEPS // EVERY)

    return {
        "preparation": (lambda: any(place.cache.glob("*/*/incomplete.*")), random.uniform(0, 0.3)),
        "steps": (lambda: len(place.lines()) >= nth_line, random.uniform(0, 0.05)),
        "checkpoint": (checkpoint, random.uniform(0, 0.1)),
        "evaluation": (evaluation, random.uniform(0, 0.1)),
        "check": (check, random.uniform(0, 1.0)),
        "report": (lambda: (place.run / "verdicts").is_dir(), random.uniform(0, 1.0)),
    }


def differing(content: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """The parts in which two runs differ."""
    return [name for name in expected if content[name] != expected[name]]


def _without_times(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _without_times(value) for key, value in part.items() if key not in _TIMES}
    return [_without_times(value) for value in part] if isinstance(part, list) else part


def leaves(params: Any) -> dict[str, tuple[str, bytes]]:
    """The leaves of a tree by their names, as dtype and bytes."""
    import jax

    leaves = jax.tree.leaves_with_path(params)
    return {jax.tree_util.keystr(path): (str(leaf.dtype), np.asarray(leaf).tobytes()) for path, leaf in leaves}
