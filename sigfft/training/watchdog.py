"""A watchdog for steps: one that takes too long ends the run, with the stacks of what it was doing."""

import contextlib
import faulthandler
import os
import sys
import threading
from collections.abc import Callable, Iterator

from sigfft.training.cluster import tell_failure
from sigfft.training.ties import FAILED

Watch = Callable[[int], contextlib.AbstractContextManager[None]]


def step_watch(seconds: float) -> Watch:
    """A function from the number of a step to a context that may last so many seconds; 0: for ever.

    Beyond that the stacks of all threads go to stderr, the main thread's last, then a line; the process, and all others
    of the run, end with a status that is not 0. A step that waits for another process cannot be interrupted otherwise.
    """

    @contextlib.contextmanager
    def watched(step: int) -> Iterator[None]:
        timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), _give_up, [step, seconds])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    return watched if seconds else lambda step: contextlib.nullcontext()


def _give_up(step: int, seconds: float) -> None:
    reason = f"step {step} took longer than optim.step_timeout={seconds:g} s"
    faulthandler.dump_traceback(sys.__stderr__ or 2, all_threads=True)
    os.write(
        2, f"sigfft train: {reason}; its stacks are above. Go on from the last checkpoint with --resume\n".encode()
    )
    tell_failure(reason)
    os._exit(FAILED)
