"""Folder of a run: the path of everything in it, its JSON files and its lock. Of several processes the first writes."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import flax
import jax

import sigfft
from sigfft.data import Origin
from sigfft.files import locks, write_text
from sigfft.files.atomic import parts, remove_parts
from sigfft.files.documents import read_object
from sigfft.heads.head import whole
from sigfft.training.config import Config
from sigfft.training.processes import is_first_process

CONTENTS = (
    "report.html",
    "report.json",
    "verdicts/",
    "thresholds/",
    "figures/",
    "metrics.jsonl",
    "events/",
    "checkpoints/",
)
# What a config's keys mean and how states are stored. 0, in which config.json names no format: head.n_fft=0 was
# n_labels, and clipping was part of the optimiser.
FORMAT = 1


class InUseError(ValueError):
    """Another process trains in a folder; or, where it is `in_doubt`, one of another host that may have ended."""

    def __init__(self, message: str, *, in_doubt: bool):
        super().__init__(message)
        self.in_doubt = in_doubt


class Workdir:
    """The folder of a run, whose heads are told by their names."""

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.lock = self.path / "lock"  # of the process that trains here
        self.config = self.path / "config.json"  # of the run; with it the folder begins
        self.report = self.path / "report.json"  # of the finished run
        self.page = self.path / "report.html"  # the same for readers
        self.metrics = self.path / "metrics.jsonl"  # a line for each step that was logged
        self.names = self.path / "label_names.json"  # the labels' "names", if they have any
        self.intake = self.path / "intake.json"  # how raw examples become features, if the data were raw
        self.centroids = self.path / "label_centroids.npz"  # by which examples get their nearest labels, if they do
        self.figures = self.path / "figures"
        self.tuning = self.path / "tuning.jsonl"  # a line for each trial of a search, with its score
        self.trials = self.path / "tuning"  # folders of those under way

    def events(self, head: str) -> Path:
        return self.path / "events" / slug(head)

    def checkpoints(self, head: str) -> Path:
        return self.path / "checkpoints" / slug(head)

    def verdicts(self, head: str) -> Path:
        return self.path / "verdicts" / f"{slug(head)}.jsonl"

    def verdicts_at_threshold(self, head: str) -> Path:
        return self.path / "verdicts" / f"{slug(head)}.at_threshold.jsonl"

    def verdicts_on_features(self, head: str) -> Path:
        return self.path / "verdicts" / f"{slug(head)}.on_features.jsonl.gz"

    def thresholds(self, head: str) -> Path:
        return self.path / "thresholds" / f"{slug(head)}.npz"

    def write_config(self, config: Config, data: Mapping[str, str] | None = None) -> None:
        """Begins the run's folder, or goes on there; `data` is the `fingerprint` of its splits."""
        content = {"format": FORMAT, "origin": {"versions": versions(), "data": data}, **dataclasses.asdict(config)}
        try:
            text = json.dumps(content, indent=2)
        except TypeError as error:
            raise ValueError(f"options of a config must be what JSON can hold: {error}") from error
        self.path.mkdir(parents=True, exist_ok=True)
        if self.config.exists() and self.config.read_text(encoding="utf-8") != text:
            self.report.unlink(missing_ok=True)  # the best checkpoint that it names may go
            self.page.unlink(missing_ok=True)
        write_text(self.config, text)

    def write_origin(self, origin: Origin) -> None:
        """Keeps what the data's source tells besides numbers."""
        names = None if origin.names is None else {"names": origin.names}
        for path, content in {self.names: names, self.intake: origin.intake}.items():
            if content is not None:
                write_text(path, json.dumps(content, ensure_ascii=False))

    def label_names(self) -> list[str] | None:
        """The names of the labels in the order of their ids; None if they have ids alone."""
        return self.read(self.names)["names"] if self.names.exists() else None

    def read(self, path: Path) -> Any:
        """What a finished run wrote to one of its .json files.

        Raises:
          ValueError: the file is missing, or holds no JSON object.
        """
        try:
            return read_object(path)
        except FileNotFoundError as error:
            raise ValueError(f"{self.path} holds no finished run: {path.name} is missing") from error

    def max_features(self) -> int:
        """How many features of a sparse example a finished run took; 0: all.

        Raises:
          ValueError: config.json does not tell.
        """
        data = self.read(self.config).get("data", {})
        if not isinstance(data, dict):
            raise ValueError(f"{self.config}: data must be an object; given {data!r:.60}")
        return whole(f"{self.config}: data.max_features", data.get("max_features", 0), 0)

    def is_new(self) -> bool:
        """Whether nothing is here, or at most what a start that was broken off left."""
        if not self.path.exists():
            return True
        return self.path.is_dir() and not {path.name for path in self.path.iterdir()} - self._before_a_run()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes from training here while the block lasts; a folder that stays empty is removed.

        Of several processes of one run the first one holds it. Who only reads a run does not ask.

        Raises:
          InUseError: another process trains here, or one of another host may.
          ValueError: the path is that of a file.
        """
        if not is_first_process():
            yield
            return
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path} is a file; give a folder as the workdir")
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            with locks.exclusive(self.lock) as in_doubt:
                if in_doubt is not None:
                    raise InUseError(
                        f"{self.path} is in use by {in_doubt}, or was when that ended without saying so; "
                        f"if it does not run any more, remove {self.lock}",
                        in_doubt=True,
                    )
                yield
        except locks.HeldError as error:
            message = f"{self.path} is in use by {error.holder}; wait for it, end it, or give another workdir"
            raise InUseError(message, in_doubt=False) from error
        finally:
            for folder in made:
                with contextlib.suppress(OSError):  # it is not empty: there is a run
                    folder.rmdir()

    def remove_parts(self) -> None:
        """Removes files that a killed run had begun to write; for the process that holds the folder."""
        figures = self.figures / "*.png", self.figures / "*.svg"
        verdicts = self.verdicts("*"), self.verdicts_on_features("*")
        for path in (self.config, self.report, self.page, self.metrics, self.centroids, *figures, *verdicts):
            remove_parts(path)

    def _before_a_run(self) -> set[str]:
        return {self.lock.name, *(part.name for part in parts(self.config))}


def slug(name: str) -> str:
    """A head's name as a file name: "dft k=50 spread=200" -> "dft_k50_spread200"."""
    return name.replace("=", "").replace(" ", "_")


def versions() -> dict[str, str]:
    """Versions of what a run's results depend on to the last bit."""
    return {package.__name__: package.__version__ for package in (sigfft, jax, flax)}
