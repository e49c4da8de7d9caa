"""What run folders hold for a page. A run that is not finished, or of an older version, lacks some of it."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sigfft.argmaxability.proofs.verdicts import Line, read_lines
from sigfft.training.finished import as_written
from sigfft.training.log import read_log
from sigfft.training.workdir import Workdir

Z, FEATURES, THRESHOLDS = "on z", "on features", "on z, at thresholds"  # what verdicts are about
COUNTS = {  # what a report calls the numbers of them
    Z: "argmaxability",
    FEATURES: "argmaxability_on_features",
    THRESHOLDS: "argmaxability_at_threshold",
}
_SHOWN = 10  # impossible sets of a file


@dataclass(frozen=True)
class Impossible:
    """A label set that is not proved argmaxable: its labels, and those of its certificate."""

    labels: tuple[int, ...]
    on: tuple[int, ...] = ()
    off: tuple[int, ...] = ()
    reason: str = ""  # why it is undecided

    @staticmethod
    def of(line: Line) -> "Impossible":
        """Of a line of verdicts. The labels of the certificate come by their share in it, the largest first."""
        labels, proof = tuple(line.labels), line.verdict.certificate
        if proof is None:
            return Impossible(labels, reason=line.verdict.reason or "undecided")
        shares = sorted(zip(proof.multipliers, proof.labels, strict=True), key=lambda share: (-share[0], share[1]))
        core = [label for _, label in shares if label < line.layer.n_labels]  # further rows: bias and domain
        active = set(labels)
        return Impossible(labels, tuple(i for i in core if i in active), tuple(i for i in core if i not in active))


@dataclass(frozen=True)
class Decided:
    """What a file of verdicts says: cardinality and status of each set, and the smallest ones that are impossible."""

    cardinality: np.ndarray
    status: np.ndarray
    impossible: list[Impossible]

    @staticmethod
    def read(path: Path) -> "Decided":
        """Reads a file of verdicts line by line, of which it keeps no witness.

        Raises:
          ValueError: the file is damaged.
        """
        cardinality, status = [], []

        def lines() -> Iterator[tuple[int, float, int, Line]]:
            for number, line in read_lines(path):
                cardinality.append(len(line.labels))
                status.append(line.verdict.status)
                if line.verdict.status != "argmaxable":
                    yield len(line.labels), line.verdict.margin[0], number, line

        # Fewest labels first; of equally many, those that the search came least near to.
        impossible = [Impossible.of(line) for *_, line in heapq.nsmallest(_SHOWN, lines())]
        return Decided(np.array(cardinality), np.array(status, dtype="<U12"), impossible)

    def count(self, status: str) -> int:
        """How many sets have this status."""
        return int((self.status == status).sum())


@dataclass(frozen=True)
class HeadRecord:
    """A head of a run, in the order of the report, or else of the log."""

    name: str
    entry: dict[str, Any]  # of report.json; empty: there is none
    curve: list[dict[str, Any]]  # lines of metrics.jsonl
    decided: dict[str, Decided] = field(default_factory=dict)  # by what it is about


@dataclass(frozen=True)
class RunRecord:
    """What the folder of a run holds; what it lacks is empty, and told in `absent`."""

    title: str
    path: Path
    config: dict[str, Any]
    report: dict[str, Any]
    names: Sequence[str] | None
    heads: list[HeadRecord]
    absent: list[str]

    def told(self, label: int) -> str:
        """A label by its name, if it has one."""
        if self.names is None or not 0 <= label < len(self.names):
            return str(label)
        return f"{self.names[label]} ({label})"


def read_runs(paths: Sequence[Path]) -> list[RunRecord]:
    """The runs of these folders, called after them, or by their whole paths where that does not tell them apart.

    Raises:
      ValueError: no folder is given, one is given twice or holds no run, or a file in it is damaged.
    """
    folders = [path.resolve() for path in paths]
    if not folders or len(set(folders)) < len(folders):
        raise ValueError(
            f"expected one or more folders of runs, each once; given {', '.join(map(str, paths)) or 'none'}"
        )
    short = [path.name for path in folders]
    titles = short if len(set(short)) == len(short) else [str(path) for path in paths]
    return [_read_run(path, title) for path, title in zip(paths, titles, strict=True)]


def _read_run(path: Path, title: str) -> RunRecord:
    run = Workdir(path)
    if not (run.config.is_file() or run.report.is_file()):
        raise ValueError(f"{path} holds no run: neither config.json nor report.json is there")
    absent = []
    config = run.read(run.config) if run.config.is_file() else {}
    report = run.read(run.report) if run.report.is_file() else {}
    log = read_log(run)
    if not config:
        absent.append("config.json: what was asked for is not known")
    if not report:
        absent.append("report.json: the run is not finished, or it was changed; there are no scores and no counts")
    if not log:
        absent.append("metrics.jsonl: there are no curves")
    with as_written(run):
        entries = {entry["name"]: entry for entry in report["heads"]} if report else {}
        names = list(entries) or list(dict.fromkeys(line["head"] for line in log))
        heads = []
        for name in names:
            entry = entries.get(name, {})
            files = {about: file for about, file in _files(run, name).items() if entry.get(COUNTS[about])}
            decided = {about: Decided.read(file) for about, file in files.items() if file.is_file()}
            heads.append(HeadRecord(name, entry, [line for line in log if line["head"] == name], decided))
            lacking = [file for about, file in files.items() if about not in decided]
            absent += [f"{file.relative_to(path)}: verdicts of {name} that report.json counts" for file in lacking]
    return RunRecord(title, path, config, report, run.label_names(), heads, absent)


def _files(run: Workdir, head: str) -> dict[str, Path]:
    return {
        Z: run.verdicts(head),
        FEATURES: run.verdicts_on_features(head),
        THRESHOLDS: run.verdicts_at_threshold(head),
    }
