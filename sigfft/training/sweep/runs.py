"""Training the runs of a sweep: each process takes the next one that nobody holds, until none is left."""

import contextlib
import itertools
import json
import shutil
import sys
import time
from collections.abc import Callable

import jax

from sigfft.files import write_text
from sigfft.files.atomic import remove_parts
from sigfft.training.experiment import run as train_run
from sigfft.training.sweep.folder import Sweep, SweptHead, SweptRun
from sigfft.training.sweep.records import (
    RatesOpenError,
    chosen_rate,
    has_ended,
    is_finished,
    keep_best_parameters,
    measure,
    read_record,
)
from sigfft.training.workdir import InUseError

_PAUSE = 1.0  # seconds between looks at what others hold
Say = Callable[[str], None]


def due(sweep: Sweep, head: SweptHead) -> list[SweptRun]:
    """The runs of a head that the protocol asks for, as far as is known: all rates, then seeds at the chosen one."""
    first, *others = sweep.seeds
    runs = [SweptRun(head, rate, first) for rate in head.rates]
    with contextlib.suppress(RatesOpenError):  # the rates are still being tried
        if (rate := chosen_rate(sweep, head)) is not None:
            runs += [SweptRun(head, rate, seed) for seed in others]
    return runs


def work(sweep: Sweep, heads: list[SweptHead], say: Say | None = None) -> None:
    """Trains what is left of some heads; a run that another process holds is left to it, and waited for.

    A run that raises is kept as failed. An OSError is not of one run, and ends the work.

    Raises:
      OSError: nothing can be written.
      Preempted: as `run`.
    """
    told, say = set[str](), say or _to_stderr
    while left := {head.name: runs for head in heads if (runs := _left(sweep, head))}:
        heads = [head for head in heads if head.name in left]  # the others are done
        for run in itertools.chain.from_iterable(left.values()):
            try:
                _train(sweep, run, say)
                break
            except InUseError as error:
                if error.in_doubt and run.slug not in told:
                    say(str(error))
                    told.add(run.slug)
        else:
            time.sleep(_PAUSE)


def _left(sweep: Sweep, head: SweptHead) -> list[SweptRun]:
    return [run for run in due(sweep, head) if not has_ended(sweep, run)]


def _train(sweep: Sweep, run: SweptRun, say: Say) -> None:
    """One run to its end, and what was measured of it; raises InUseError where another process has it."""
    folder = sweep.workdir(run)
    try:
        if not is_finished(folder):  # also where a report is there: what comes after it may not be whole
            train_run(sweep.config_of(run), folder.path, resume="auto", show=False)
        with folder.held():
            if not is_finished(folder):
                remove_parts(folder.path / "measured.json")
                measure(folder)
                keep_best_parameters(folder)
    except InUseError:
        raise
    except (ArithmeticError, ValueError, RuntimeError, MemoryError) as error:
        message = f"{type(error).__name__}: {' '.join(str(error).split())}"
        sweep.failure(run).parent.mkdir(exist_ok=True)
        write_text(sweep.failure(run), json.dumps({"error": message}))
        if (checkpoints := folder.path / "checkpoints").exists():
            shutil.rmtree(checkpoints)
        say(f"{run.slug} failed: {message}")
    else:
        record = read_record(folder)
        best, steps = record.best, record.entry["steps"]
        score = f"{record.metric} {best[f'dev {record.metric}']:.4f} on dev at step {best['step']} of {steps}"
        say(f"{run.slug}: {score}, {record.entry['seconds']:.0f} s")
    finally:
        jax.clear_caches()  # of this run's programs, which no other run has


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
