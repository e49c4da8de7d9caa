"""Where a check stands inside a batch, for its progress bar: stages tell, and a bar of this process shows it.

What worker processes tell, nobody sees: there the bar moves batch by batch.
"""

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

_LEAST = 0.1  # seconds between two looks at the bar


class _Watch:
    def __init__(self, bar: Any):
        self.bar, self.finished, self.shown, self.waiting = bar, 0, 0.0, ""

    def show(self, decided: int | None = None, waiting: str | None = None, at_once: bool = False) -> None:
        if decided is not None:
            self.bar.n = self.finished + decided
        if waiting is not None:
            self.bar.set_postfix_str(waiting, refresh=False)
        if at_once or time.monotonic() - self.shown > _LEAST:
            self.bar.refresh()
            self.shown = time.monotonic()


_WATCH: ContextVar[_Watch | None] = ContextVar("watch", default=None)


@contextlib.contextmanager
def shown_on(bar: Any) -> Iterator[None]:
    """Shows on a tqdm bar what stages tell while the block lasts; on one that is disabled nothing."""
    token = _WATCH.set(None if bar.disable else _Watch(bar))
    try:
        yield
    finally:
        _WATCH.reset(token)


def decided(count: int) -> None:
    """So many sets of the batch at hand are decided."""
    if watch := _WATCH.get():
        watch.show(decided=count)


def waits_for(what: str) -> None:
    """What the batch at hand waits for."""
    if watch := _WATCH.get():
        watch.waiting = what
        watch.show(waiting=what)


def works_on(step: str) -> None:
    """What is done for that."""
    if watch := _WATCH.get():
        watch.show(waiting=f"{watch.waiting}: {step}" if watch.waiting else step)


def batch_finished(size: int) -> None:
    """A batch of so many sets is finished."""
    if watch := _WATCH.get():
        watch.finished += size
        watch.show(decided=0, waiting="", at_once=True)
