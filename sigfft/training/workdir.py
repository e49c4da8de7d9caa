"""Folder of a run: the path of everything in it, and its JSON files."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from sigfft.files import write_text
from sigfft.heads import KINDS
from sigfft.training.arguments import parameters_of
from sigfft.training.config import Config
from sigfft.training.config_keys import differences

CONTENTS = ("report.json", "verdicts/", "figures/", "metrics.jsonl", "events/", "checkpoints/")
# What a config's keys mean and how states are stored. 0, in which config.json names no format: head.n_fft=0 was
# n_labels, and clipping was part of the optimiser.
_FORMAT = 1


class Workdir:
    """The folder of a run, whose heads are told by their names.

    Args:
      path: of the folder.

    Attributes:
      config: of the run; with it the folder begins.
      report: of the finished run.
      metrics: a line for each step that was logged.
      figures: their folder.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.config, self.report = self.path / "config.json", self.path / "report.json"
        self.metrics, self.figures = self.path / "metrics.jsonl", self.path / "figures"

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
