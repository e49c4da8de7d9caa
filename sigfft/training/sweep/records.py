"""What tables tell of a sweep's finished runs, as each run's folder holds it, and which rate dev chose for a head."""

import dataclasses
import json
from typing import Any

from sigfft.files import write_text
from sigfft.files.documents import read_object
from sigfft.training.evaluate import LOSS
from sigfft.training.sweep.folder import Rate, Sweep, SweptHead, SweptRun
from sigfft.training.workdir import Workdir

_RECORD, _CHECK = "record.json", "check.json"  # in a run's folder: what tables tell of it, and of its label sets
# "step", "seconds" of training alone, None where the log does not tell, "train_loss" and each metric as "dev NAME"
Evaluation = dict[str, Any]
Row = dict[str, Any]


class RatesOpenError(Exception):
    """Not all rates of a head have been tried."""


@dataclasses.dataclass(frozen=True)
class Record:
    """A run that finished: its cells in the table of runs, and its evaluations on dev; when read, all are text."""

    row: Row
    curve: list[Evaluation]

    @property
    def metric(self) -> str:
        """The name of the dev metric that steps and rates are chosen by."""
        return self.row["dev_metric"]

    @property
    def best(self) -> Evaluation:
        """The evaluation that chose the parameters."""
        return next(line for line in self.curve if str(line["step"]) == str(self.row["best_step"]))

    def score(self, evaluation: Evaluation) -> float:
        """The dev metric of an evaluation, of which larger is better."""
        value = float(evaluation[f"dev {self.metric}"])
        return -value if self.metric == LOSS else value


def cell(value: Any) -> str:
    """A value as tables have it: nothing for what is not known, and 6 significant digits."""
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def write_record(folder: Workdir, record: Record) -> None:
    """Ends a run of a sweep: `is_finished` from here on."""
    rounded = [{name: cell(value) for name, value in row.items()} for row in (record.row, *record.curve)]
    write_text(folder.path / _RECORD, json.dumps({"row": rounded[0], "curve": rounded[1:]}))


def write_check(folder: Workdir, checked: Row) -> None:
    """Adds to a finished run what was found of its label sets: it `is_checked`."""
    write_text(folder.path / _CHECK, json.dumps({name: cell(value) for name, value in checked.items()}))


def is_finished(folder: Workdir) -> bool:
    """Whether a run has ended, and all that tables tell of it but its label sets is there."""
    return (folder.path / _RECORD).exists()


def is_checked(folder: Workdir) -> bool:
    """Whether the label sets of a run have been checked."""
    return (folder.path / _CHECK).exists()


def forget(folder: Workdir) -> None:
    """Removes what a run's folder holds for tables, that it may be trained anew."""
    for name in (_CHECK, _RECORD):
        (folder.path / name).unlink(missing_ok=True)


def has_ended(sweep: Sweep, run: SweptRun) -> bool:
    """Whether a run has finished or failed."""
    return is_finished(sweep.workdir(run)) or sweep.failure(run).exists()


def read_record(folder: Workdir) -> Record:
    """The record of a run that `is_finished`, with what is known of its label sets.

    Raises:
      ValueError: it is damaged.
    """
    content = read_object(folder.path / _RECORD)
    check = read_object(folder.path / _CHECK) if is_checked(folder) else {}
    try:
        return Record(content["row"] | check, content["curve"])
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{folder.path / _RECORD} is not what a sweep writes; remove it, and the sweep writes it anew"
        ) from error


def chosen_rate(sweep: Sweep, head: SweptHead) -> Rate | None:
    """The rate whose run of the first seed has the best dev score, the first of equals; None where all failed.

    Raises:
      RatesOpenError: one of them has neither finished nor failed.
    """
    runs = [SweptRun(head, rate, sweep.seeds[0]) for rate in head.rates]
    if waited := [run.slug for run in runs if not has_ended(sweep, run)]:
        raise RatesOpenError(f"{', '.join(waited)} have not ended")
    records = {run.rate: read_record(folder) for run in runs if is_finished(folder := sweep.workdir(run))}
    return max(records, key=lambda rate: records[rate].score(records[rate].best), default=None)
