"""Processes that train the runs of a sweep side by side, on one machine and its devices."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from absl import logging

from sigfft.training.preemption import Notice, Preempted
from sigfft.training.sweep.folder import Sweep, SweptHead
from sigfft.training.sweep.runs import work

_LOOK = 0.5  # seconds between looks for a signal


def share_devices() -> None:
    """Lets several processes have a GPU: none takes most of its memory at its start. For before JAX is first used."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def work_side_by_side(sweep: Sweep, heads: list[SweptHead], processes: int) -> None:
    """Trains what is left of some heads in so many processes of their own; raises as `side_by_side`."""
    side_by_side(work_in_process, (sweep, heads), processes, sweep.path)


def side_by_side(target: Callable[..., None], arguments: tuple[Any, ...], processes: int, workdir: Path) -> None:
    """Calls a function in so many new processes, which SIGTERM and SIGINT of this one end by SIGTERM.

    Raises:
      Preempted: a signal ended them.
      RuntimeError: one of them failed.
    """
    spawned = multiprocessing.get_context("spawn")
    workers: list[BaseProcess] = [spawned.Process(target=target, args=arguments) for _ in range(processes)]
    # The terminal's Ctrl-C goes to them too, and is for this process alone: it passes a signal on, once.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for worker in workers:
            worker.start()
    finally:
        signal.signal(signal.SIGINT, before)
    notice, told = Notice(workdir), False
    with notice.watching(), notice.deferred():
        while running := [worker for worker in workers if worker.is_alive()]:
            connection.wait([worker.sentinel for worker in running], timeout=_LOOK)
            if notice.reached() and not told:
                told = True
                for worker in running:
                    worker.terminate()
    if codes := [worker.exitcode for worker in workers if worker.exitcode]:
        raise RuntimeError(
            f"{len(codes)} of {processes} processes ended early, with status {codes[0]}; the same command goes on"
        )


def work_in_process(sweep: Sweep, heads: list[SweptHead]) -> None:
    """What a process does; it ends with the one that started it, also when that is killed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.set_verbosity(logging.WARNING)  # as `launch`
    try:
        work(sweep, heads)
    except Preempted as ended:
        sys.exit(ended.code)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"sigfft sweep: {error}", file=sys.stderr, flush=True)
        sys.exit(2)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
