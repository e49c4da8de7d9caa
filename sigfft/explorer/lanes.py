"""Lanes: threads, each of which works on the newest job that it was given and drops the one before."""

import queue
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from threadpoolctl import threadpool_limits

from sigfft.argmaxability.progress import shown_on

Event = dict[str, Any]
Steps = Callable[[], Iterator[Event]]

_LOOK = 0.05  # seconds between two looks at whether a job that waits is still wanted


class Stopped(BaseException):
    """A job is no longer wanted. No Exception: the checker turns those into verdicts."""


class Job:
    """One question, whose answer comes in events; the last one is {"kind": "end"}.

    Args:
      steps: makes the events.
      send: takes each of them, in the lane's thread.
    """

    def __init__(self, steps: Steps, send: Callable[[Event], None]):
        self.steps, self.send = steps, send
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Asks for no more events; the work ends at the next place where it can."""
        self._stopped.set()

    def look(self) -> None:
        """Raise Stopped where it was asked for."""
        if self._stopped.is_set():
            raise Stopped


class _Bar:
    """Where the checker shows its progress: it looks at whether the job is wanted, and lets the first lane go first."""

    disable, n = False, 0

    def __init__(self, job: Job, first: "Lane | None"):
        self.job, self.first = job, first

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        """What the checker waits for; nobody is told."""

    def refresh(self) -> None:
        self.job.look()
        while self.first is not None and not self.first.idle.wait(_LOOK):
            self.job.look()


class _SmallProducts:
    """One BLAS thread while any lane is busy, as the checker has it; the user's setting afterwards."""

    def __init__(self) -> None:
        self._busy, self._lock = 0, threading.Lock()
        self._limit: threadpool_limits | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._busy += 1
            if self._limit is None:
                self._limit = threadpool_limits(limits=1, user_api="blas")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._busy -= 1
            if not self._busy and self._limit is not None:
                self._limit.restore_original_limits()
                self._limit = None


_SMALL_PRODUCTS = _SmallProducts()


class Lane:
    """A thread with at most one job that counts: a new one stops the one before.

    Args:
      first: a lane that goes first: while it is busy, this one waits wherever it can.
    """

    def __init__(self, first: "Lane | None" = None):
        self.first, self.idle = first, threading.Event()
        self.idle.set()
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._newest: Job | None = None
        threading.Thread(target=self._work, daemon=True).start()

    def ask(self, steps: Steps, send: Callable[[Event], None]) -> Job:
        """Begins a job, and stops the one before."""
        job = Job(steps, send)
        with self._lock:
            if self._newest is not None:
                self._newest.stop()
            self._newest = job
            self.idle.clear()
            self._jobs.put(job)
        return job

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            with _SMALL_PRODUCTS:
                for event in self._events(job):
                    job.send(event)
            with self._lock:
                if job is self._newest:
                    self.idle.set()

    def _events(self, job: Job) -> Iterator[Event]:
        bar = _Bar(job, self.first)
        try:
            with shown_on(bar):
                bar.refresh()
                for event in job.steps():
                    yield event
                    bar.refresh()
        except Stopped:
            yield {"kind": "stopped"}
        except ValueError as error:  # of what was asked
            yield {"kind": "error", "text": str(error)}
        except Exception as error:  # a fault of ours or of the machine: told to both who asked and who started this
            traceback.print_exc()
            yield {"kind": "error", "text": f"{type(error).__name__}: {error}"}
        yield {"kind": "end"}
