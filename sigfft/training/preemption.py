"""Ending a run from outside: SIGTERM, SIGINT, or the preemption notice of `jax.distributed`."""

import contextlib
import itertools
import os
import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

import jax
from jax.experimental import multihost_utils

_SIGNALS = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}  # and what Python does at them


class Preempted(BaseException):
    """A run was ended from outside and can go on; no `Exception`, so that nothing takes it for a failure.

    `code` is the exit status: 143 after SIGTERM, 130 after SIGINT, 0 after the notice of `jax.distributed` to all
    processes, whose platform starts them again.
    """

    def __init__(self, cause: str, code: int, workdir: Path):
        super().__init__(cause)
        self.code, self.workdir = code, workdir


class Notice:
    """Whether a run is to end. The first SIGTERM or SIGINT asks for it, a second of the same kind ends the process.

    While training is `deferred` the step is finished; elsewhere, and while `interrupting`, the signal raises
    `Preempted` at once. Signals that the program handles itself stay with it, and so do all beside the main thread.

    Of several processes (`jax.distributed`) all must end after the same step: JAX takes SIGTERM for the platform's
    notice and agrees on one. A SIGINT of one process is passed on as such. Outside of training the notice waits.
    """

    def __init__(self, workdir: Path):
        self._workdir = workdir
        self._signal: signal.Signals | None = None
        self._deferred = False
        self._several = jax.process_count() > 1
        self._count = itertools.count()  # of calls, over all heads: processes agree on one of them

    @contextlib.contextmanager
    def watching(self) -> Iterator["Notice"]:
        """Handles signals within the block."""
        handled = [number for number, usual in _SIGNALS.items() if signal.getsignal(number) == usual]
        if threading.current_thread() is not threading.main_thread():
            handled = []
        elif self._several:
            handled = [number for number in handled if number != signal.SIGTERM]  # which JAX handles, unseen by Python
        before = {number: signal.signal(number, self._handle) for number in handled}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Within the block signals wait until `reached` is asked, or for its end."""
        with self._set(True):
            yield
        self._raise_if_due()

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """Within the block, inside of `deferred`, a signal raises `Preempted`; not with several processes."""
        with self._set(self._several):
            self._raise_if_due()
            yield

    def reached(self) -> bool:
        """Whether training is to end after this step; every process must ask after each."""
        if self._several:
            return multihost_utils.reached_preemption_sync_point(next(self._count))
        return self._signal is not None

    def ending(self, after: str = "") -> Preempted:
        """What to raise, with where the run stands, such as "; step 12 is saved"."""
        if self._signal is None:
            return Preempted(f"ended by the platform's preemption notice{after}", 0, self._workdir)
        return Preempted(f"ended by {self._signal.name}{after}", 128 + self._signal, self._workdir)

    def _raise_if_due(self) -> None:
        if self._signal is not None and not self._several:
            raise self.ending()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self._signal = signal.Signals(number)
        if not self._deferred:
            raise self.ending()
        if self._several:
            os.kill(os.getpid(), signal.SIGTERM)

    @contextlib.contextmanager
    def _set(self, deferred: bool) -> Iterator[None]:
        before, self._deferred = self._deferred, deferred
        try:
            yield
        finally:
            self._deferred = before


def command_to_go_on(arguments: Sequence[str], workdir: Path) -> str:
    """The command line of `sigfft` that goes on with a run that these arguments began."""
    apart = ("--workdir", "--resume")
    kept = [
        argument
        for before, argument in zip(["", *arguments], arguments, strict=False)
        if argument.partition("=")[0] not in apart and before != "--workdir"
    ]
    return shlex.join(["sigfft", *kept, f"--workdir={workdir}", "--resume"])
