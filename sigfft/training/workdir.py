"""Folder of a run: the path of everything in it, its JSON files and its log. Of several processes the first writes."""

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from jax.experimental import multihost_utils
from tensorboardX import SummaryWriter
from tqdm import tqdm

from sigfft.data import Origin
from sigfft.files import write_text
from sigfft.heads import KINDS
from sigfft.training.arguments import parameters_of
from sigfft.training.config import Config, differences

CONTENTS = ("report.json", "verdicts/", "figures/", "metrics.jsonl", "events/", "checkpoints/")
# What a config's keys mean and how states are stored. 0, in which config.json names no format: head.n_fft=0 was
# n_labels, and clipping was part of the optimiser.
_FORMAT = 1


class Workdir:
    """The folder of a run, whose heads are told by their names."""

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.config = self.path / "config.json"  # of the run; with it the folder begins
        self.report = self.path / "report.json"  # of the finished run
        self.metrics = self.path / "metrics.jsonl"  # a line for each step that was logged
        self.names = self.path / "label_names.json"  # a list of the labels' names, if they have any
        self.intake = self.path / "intake.json"  # how raw examples become features, if the data were raw
        self.figures = self.path / "figures"

    def events(self, head: str) -> Path:
        return self.path / "events" / slug(head)

    def checkpoints(self, head: str) -> Path:
        return self.path / "checkpoints" / slug(head)

    def verdicts(self, head: str) -> Path:
        return self.path / "verdicts" / f"{slug(head)}.jsonl"

    def write_config(self, config: Config) -> None:
        """Begins the run's folder."""
        content = {"format": _FORMAT, **dataclasses.asdict(config)}
        try:
            text = json.dumps(content, indent=2)
        except TypeError as error:
            raise ValueError(f"options of a config must be what JSON can hold: {error}") from error
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.config, text)

    def write_origin(self, origin: Origin) -> None:
        """Keeps what the data's source tells besides numbers."""
        for path, content in {self.names: origin.names, self.intake: origin.intake}.items():
            if content is not None:
                write_text(path, json.dumps(content, ensure_ascii=False))

    def label_names(self) -> list[str] | None:
        """The names of the labels in the order of their ids; None if they have ids alone."""
        return self.read(self.names) if self.names.exists() else None

    def read(self, path: Path) -> Any:
        """What a finished run wrote to one of its .json files.

        Raises:
          ValueError: the file is missing, or is no JSON.
        """
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ValueError(f"{self.path} holds no finished run: {path.name} is missing") from error
        except ValueError as error:
            raise ValueError(f"{path} is not JSON, damaged or truncated: {error}") from error

    def check(self, config: Config, resume: bool) -> None:
        """Raises ValueError unless a run of this config can start here, or go on here where it resumes."""
        if not self.config.exists():
            if resume:
                raise ValueError(f"{self.path} holds no run to resume; start one there without resuming")
            if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                raise ValueError(f"{self.path} is not empty and holds no run; give a new folder as the workdir")
            return
        if not resume:
            raise ValueError(f"{self.path} holds a run already; resume it, or give another workdir")
        stored = self.read(self.config)
        written = stored.pop("format", 0)
        changed = differences(config, stored)
        if changed:
            raise ValueError(f"{self.path} holds a run of another config; it differs in {', '.join(changed)}")
        if reason := _cannot_go_on(config, written):
            raise ValueError(
                f"{self.path} holds a run that another version of sigfft began, and {reason}; "
                "finish it with that version, or train anew in another folder"
            )


class RunLog:
    """Scalars of one head's training, to metrics.jsonl (shared by the heads of a run), events and a progress bar.

    Training starts or goes on at `first_step` and ends at `n_steps` at the latest. Of several processes only the first
    one writes and shows; the bar is for a terminal, and no part of a log file.
    """

    def __init__(self, workdir: Workdir, head: str, first_step: int, n_steps: int):
        self._head = head
        first = is_first_process()
        self._lines = (workdir.metrics if first else Path(os.devnull)).open("a", encoding="utf-8")
        self._events = SummaryWriter(str(workdir.events(head)), write_to_disk=first)
        unseen = not (first and sys.stderr.isatty())
        looks = {"desc": head, "unit": "step", "dynamic_ncols": True, "disable": unseen}
        self._bar = tqdm(total=n_steps, initial=first_step, **looks)

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """One line and one event per scalar."""
        self._lines.write(json.dumps({"head": self._head, "step": step, **scalars}) + "\n")
        self._lines.flush()
        for name, value in scalars.items():
            self._events.add_scalar(name.replace("@", "_at_").replace(" ", "_"), value, step)

    def progress(self, step: int, **shown: str) -> None:
        """Moves the bar to a step and shows values beside it."""
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(step - self._bar.n)

    def close(self) -> None:
        """Closes files and bar."""
        self._bar.close()
        self._events.close()
        self._lines.close()


def read_log(workdir: Workdir) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, of all heads."""
    if not workdir.metrics.exists():
        return []
    *whole, _ = workdir.metrics.read_text(encoding="utf-8").split("\n")  # after the last line break there is nothing,
    return [json.loads(line) for line in whole]  # or the beginning of a line that a killed run could not finish


def forget_after(workdir: Workdir, head: str, step: int) -> None:
    """Drops a head's lines after a step: a run that goes on from there writes them again."""
    if not is_first_process():
        return
    lines = [line for line in read_log(workdir) if line["head"] != head or line["step"] <= step]
    write_text(workdir.metrics, "".join(json.dumps(line) + "\n" for line in lines))


def is_first_process() -> bool:
    """Whether this is the process that writes: the only one, or the first of several (`jax.distributed`)."""
    return jax.process_index() == 0


@contextlib.contextmanager
def first_process_first(what: str) -> Iterator[None]:
    """The first process goes through the block before the others: what it prepares on a shared disk, they find."""
    if not is_first_process():
        multihost_utils.sync_global_devices(what)
    try:
        yield
    finally:
        if is_first_process():
            multihost_utils.sync_global_devices(what)


def slug(name: str) -> str:
    """A head's name as a file name: "dft k=50 spread=200" -> "dft_k50_spread200"."""
    return name.replace("=", "").replace(" ", "_")


def _cannot_go_on(config: Config, written: int) -> str:
    """Why a run that another version began would not go on here as it began; "" where it would."""
    if written > _FORMAT:
        return f"its format {written} is later than {_FORMAT}, the last that this one reads"
    for key, head in {"head": config.head, "baseline": config.baseline}.items():
        if written < 1 and head.kind in KINDS and "n_fft" in parameters_of(KINDS[head.kind]) and not head.n_fft:
            return f"{key}.n_fft=0 meant the number of labels there"
    return "its checkpoints keep clipping in another place" if written < 1 and config.optim.clip_norm else ""
