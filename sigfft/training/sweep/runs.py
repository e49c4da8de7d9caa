"""Training the runs of a sweep: each process takes the next one that nobody holds, until none is left.

The label sets of a run are checked once dev has chosen its rate: other runs are not shown to anyone.
"""

import contextlib
import itertools
import json
import shutil
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import jax

from sigfft.files import write_text
from sigfft.files.atomic import remove_parts
from sigfft.training.experiment import load_splits
from sigfft.training.experiment import run as train_run
from sigfft.training.sweep.folder import Sweep, SweptHead, SweptRun
from sigfft.training.sweep.measuring import check, keep_best_parameters, measure
from sigfft.training.sweep.records import (
    RatesOpenError,
    chosen_rate,
    forget,
    is_checked,
    is_finished,
    read_record,
)
from sigfft.training.workdir import InUseError

_PAUSE = 1.0  # seconds between looks at what others hold
Say = Callable[[str], None]


class Task(NamedTuple):
    """A run, and whether its label sets are to be checked."""

    run: SweptRun
    checked: bool

    def is_done(self, sweep: Sweep) -> bool:
        folder = sweep.workdir(self.run)
        return sweep.failure(self.run).exists() or (is_finished(folder) and (is_checked(folder) or not self.checked))


def due(sweep: Sweep, head: SweptHead) -> list[Task]:
    """What the protocol asks for of a head, as far as is known: all rates, then seeds at the chosen one, checked."""
    first, *others = sweep.seeds
    chosen = None
    with contextlib.suppress(RatesOpenError):  # the rates are still being tried
        chosen = chosen_rate(sweep, head)
    runs = [SweptRun(head, rate, first) for rate in head.rates]
    if chosen is not None:
        runs += [SweptRun(head, chosen, seed) for seed in others]
    checks = sweep.config.check.max_sets >= 0
    return [Task(run, checks and run.rate == chosen) for run in runs]


def work(sweep: Sweep, heads: list[SweptHead], say: Say | None = None) -> None:
    """Trains what is left of some heads; a run that another process holds is left to it, and waited for.

    A run that raises is kept as failed. An OSError is not of one run, and ends the work.

    Raises:
      OSError: nothing can be written.
      Preempted: as `run`.
    """
    told, say = set[str](), say or _to_stderr
    while left := {head.name: tasks for head in heads if (tasks := _left(sweep, head))}:
        heads = [head for head in heads if head.name in left]  # the others are done
        for task in itertools.chain.from_iterable(left.values()):
            try:
                _do(sweep, task, say)
                break
            except InUseError as error:
                if error.in_doubt and task.run.slug not in told:
                    say(str(error))
                    told.add(task.run.slug)
        else:
            time.sleep(_PAUSE)


def _left(sweep: Sweep, head: SweptHead) -> list[Task]:
    return [task for task in due(sweep, head) if not task.is_done(sweep)]


def _do(sweep: Sweep, task: Task, say: Say) -> None:
    """One run to its end, and what is measured of it; raises InUseError where another process has it."""
    run, checked = task
    folder = sweep.workdir(run)
    try:
        if is_finished(folder) and not folder.report.exists():  # from a table, and dev had not chosen it there
            forget(folder)
        if trained := not is_finished(folder):  # also where a report is there: what comes after it may not be whole
            train_run(sweep.config_of(run), folder.path, resume="auto", show=False)
        with folder.held():
            folder.remove_parts()
            remove_parts(folder.path / "*.json")
            if not is_finished(folder):
                measure(folder)
                keep_best_parameters(folder)
            if checked and not is_checked(folder):
                check(folder, load_splits(sweep.config_of(run))["test"], sweep.config.check.max_sets)
    except InUseError:
        raise
    except (ArithmeticError, ValueError, RuntimeError, MemoryError) as error:
        message = f"{type(error).__name__}: {' '.join(str(error).split())}"
        sweep.failure(run).parent.mkdir(exist_ok=True)
        write_text(sweep.failure(run), json.dumps({"error": message}))
        # Those of a finished run are what its label sets are checked by when it is tried again.
        if not is_finished(folder) and (checkpoints := folder.path / "checkpoints").exists():
            shutil.rmtree(checkpoints)
        say(f"{run.slug} failed: {message}")
    else:
        if not trained:
            return
        record = read_record(folder)
        best, steps = record.best, record.row["steps"]
        score = f"{record.metric} {float(best[f'dev {record.metric}']):.4f} on dev at step {best['step']} of {steps}"
        say(f"{run.slug}: {score}, {float(record.row['seconds']):.0f} s")
    finally:
        jax.clear_caches()  # of this run's programs, which no other run has


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
