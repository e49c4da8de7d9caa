"""Damages of checkpoint files for benchmarks/soak.py: one at a time, each in a copy of a finished run."""

import collections
import contextlib
import random as python_random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import logging
from soak_runs import FLAGS, Place, leaves

from sigfft.training import load_model
from sigfft.training.checkpoint import Checkpoints
from sigfft.training.config_files import config_of
from sigfft.training.devices import make_data_parallel

DAMAGES = ("bit", "zeros", "cut", "longer", "missing")
OUTCOMES = ("refused", "older taken", "right", "silently wrong", "other error")


def damage(path: Path, kind: str, random: python_random.Random) -> None:
    """One damage of a file; a file without content can only be longer or missing."""
    content = bytearray(path.read_bytes())
    if kind == "missing":
        path.unlink()
        return
    start = random.randrange(len(content)) if content else 0
    if kind == "longer" or not content:
        content += random.randbytes(1 + random.randrange(20))
    elif kind == "bit":
        content[start] ^= 1 << random.randrange(8)
    elif kind == "zeros":
        content[start : start + 16] = bytes(len(content[start : start + 16]))
    else:
        del content[start:]
    path.write_bytes(content)


class Readers:
    """How a head's checkpoints are read, and what they hold: its model loaded, and its training gone on with."""

    def __init__(self, run: Path, head: str):
        self.run, self.head = run, head
        model, params = load_model(run, head)
        config = config_of("demo", FLAGS)
        self._devices = make_data_parallel(model, config.optim, config.seed)
        self._params = leaves(params)
        self.folder = Place.checkpoints(run, head)
        with contextlib.closing(Checkpoints(self.folder, keep=config.eval.keep, read_only=True)) as checkpoints:
            steps = sorted(int(path.name) for path in self.folder.iterdir() if (path / "rest").exists())
            self._states = {step: self._content(*checkpoints.restore(*self._shapes(), step)) for step in steps}

    def loaded(self, run: Path) -> str:
        """What `load_model` of this run comes to."""
        return "right" if leaves(load_model(run, self.head)[1]) == self._params else "silently wrong"

    def gone_on(self, run: Path) -> str:
        """What going on with this run comes to."""
        with contextlib.closing(Checkpoints(Place.checkpoints(run, self.head), keep=2)) as checkpoints:
            found = checkpoints.newest(*self._shapes())
        if found is None:
            return "silently wrong"  # training would start anew
        step = int(found[0].step)
        if self._content(*found) != self._states.get(step):
            return "silently wrong"
        return "right" if step == max(self._states) else "older taken"

    def _shapes(self) -> tuple[Any, Any]:
        return self._devices.layout, self._devices.shapes

    def _content(self, state: Any, progress: Any) -> Any:
        return leaves(state), progress.losses, progress.evaluated_step, progress.metric


def damaged(first: int, last: int, run: Path, heads: list[str], seed: int) -> dict[str, collections.Counter]:
    """How readers take the damages of these numbers: counts of outcomes, by reader."""
    logging.set_verbosity(logging.ERROR)  # the warnings name each damage
    readers = [Readers(run, head) for head in heads]
    counts: dict[str, collections.Counter] = {name: collections.Counter() for name in ("load_model", "--resume")}
    for i in range(first, last):
        random, kind = python_random.Random(f"{seed} {i}"), DAMAGES[i % len(DAMAGES)]
        reader = random.choice(readers)
        path = random.choice(sorted(path for path in reader.folder.rglob("*") if path.is_file())).relative_to(run)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "run"
            copy.mkdir()
            for name in ("report.json", "config.json"):
                shutil.copy(run / name, copy)
            shutil.copytree(reader.folder, Place.checkpoints(copy, reader.head))
            damage(copy / path, kind, random)
            for name, read in {"load_model": reader.loaded, "--resume": reader.gone_on}.items():
                outcome = _outcome(read, copy)
                counts[name][outcome.split(":")[0]] += 1
                if outcome not in OUTCOMES[:3]:
                    print(f"damage {i}, {kind} of {path}: {name} {outcome}", flush=True)
    return counts


def _outcome(read: Callable[[Path], str], run: Path) -> str:
    try:
        return read(run)
    except ValueError:
        return "refused"
    except Exception as error:
        return f"other error: {type(error).__name__}: {error}"
