"""What the folder of a finished run holds that tables of a sweep tell, and which rate dev chose for a head."""

import dataclasses
import json
import logging
import shutil
from typing import Any

import jax
import numpy as np

from sigfft.argmaxability.epsilon import EPSILON, epsilon_argmaxable
from sigfft.argmaxability.of_heads.streamed import HELD
from sigfft.argmaxability.report import Report
from sigfft.files import write_text
from sigfft.heads import stored_layer
from sigfft.training.evaluate import LOSS
from sigfft.training.finished import load_model
from sigfft.training.log import read_log
from sigfft.training.sweep.folder import Rate, Sweep, SweptHead, SweptRun
from sigfft.training.workdir import Workdir

_LOG = logging.getLogger(__name__)
_MEASURED = "measured.json"  # in a run's folder: what its report lacks
# "step", "seconds" of training alone, None where the log does not tell, "train_loss" and each metric as "dev NAME"
Evaluation = dict[str, Any]


class RatesOpenError(Exception):
    """Not all rates of a head have been tried."""


@dataclasses.dataclass(frozen=True)
class Record:
    """A run that finished: report.json, its only head there, config.json, what was measured, and its evaluations."""

    report: dict[str, Any]
    entry: dict[str, Any]
    config: dict[str, Any]
    measured: dict[str, Any]
    curve: list[Evaluation]

    @property
    def metric(self) -> str:
        """The name of the dev metric that steps and rates are chosen by."""
        return self.entry["trained_by"]["metric"]

    @property
    def best(self) -> Evaluation:
        """The evaluation that chose the parameters."""
        return next(line for line in self.curve if line["step"] == self.entry["best_step"])

    def score(self, evaluation: Evaluation) -> float:
        """The dev metric of an evaluation, of which larger is better."""
        value = evaluation[f"dev {self.metric}"]
        return -value if self.metric == LOSS else value


def is_finished(folder: Workdir) -> bool:
    """Whether a run has ended, and what its report lacks has been measured."""
    return folder.report.exists() and (folder.path / _MEASURED).exists()


def has_ended(sweep: Sweep, run: SweptRun) -> bool:
    """Whether a run has finished or failed."""
    return is_finished(sweep.workdir(run)) or sweep.failure(run).exists()


def read_record(folder: Workdir) -> Record:
    """The record of a run that `is_finished`."""
    report = folder.read(folder.report)
    (entry,) = report["heads"]
    measured = folder.read(folder.path / _MEASURED)
    return Record(report, entry, folder.read(folder.config), measured, _evaluations(folder))


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


def measure(folder: Workdir) -> None:
    """Writes what tables tell of a finished run beside its report: of the parameters, and of room for balls."""
    model, params = load_model(folder.path)
    share, verdicts = None, folder.verdicts(model.name)
    if verdicts.exists() and model.head.n_labels * model.head.dim <= HELD:
        weight, bias = stored_layer(model.head, params["head"])
        try:
            share = float(epsilon_argmaxable(weight, Report.load(verdicts), bias).mean())
        except RuntimeError as error:  # a linear program without an answer: the share is not known
            _LOG.warning("%s: the share of ε-argmaxable sets is left out: %s", folder.path, error)
    content = {
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(params)),
        "dim": model.head.dim,
        "epsilon": None if share is None else EPSILON,
        "epsilon_argmaxable_z": share,
        "numpy": np.__version__,
    }
    write_text(folder.path / _MEASURED, json.dumps(content))


def keep_best_parameters(folder: Workdir) -> None:
    """Leaves of a finished run's checkpoints the parameters that `load_model` reads: a sweep has many runs."""
    (entry,) = folder.read(folder.report)["heads"]
    best = folder.checkpoints(entry["name"]) / str(entry["best_step"])
    for path in best.parent.iterdir():
        if path != best:
            shutil.rmtree(path)
    if (rest := best / "rest").exists():  # which a best one may have lost before
        shutil.rmtree(rest)


def _evaluations(folder: Workdir) -> list[Evaluation]:
    """The evaluations on dev in the order of steps, each with loss and seconds of the log's line before it."""
    trained: dict[str, Any] = {}
    found = []
    for line in read_log(folder):
        if "loss" in line:
            trained = {"seconds": line.get("seconds"), "train_loss": line["loss"]}
        else:
            dev = {name: value for name, value in line.items() if name.startswith("dev ")}
            found.append({"step": line["step"], **trained, **dev})
    return found
