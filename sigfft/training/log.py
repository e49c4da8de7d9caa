"""The log of a run, which never ends one: metrics.jsonl, events for TensorBoard, and a progress bar."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

from sigfft.files.appended import AppendedFile, keep_only
from sigfft.files.documents import read_objects
from sigfft.training import events
from sigfft.training.processes import is_first_process
from sigfft.training.workdir import Workdir

_LOG = logging.getLogger(__name__)


class RunLog:
    """Scalars of one head's training, to metrics.jsonl (shared by the heads of a run), events and a progress bar.

    Training starts or goes on after `first_step` and ends at `n_steps` at the latest. Of several processes only the
    first one writes and shows; the bar is for a terminal, and no part of a log file. What a full disk does not take is
    said once, kept, and written when there is room.
    """

    def __init__(self, workdir: Workdir, head: str, first_step: int, n_steps: int):
        self._head = head
        self._writes = is_first_process()
        self._warned = False
        self._lines = AppendedFile(workdir.metrics)
        self._events = AppendedFile(events.new_file(workdir.events(head)))
        self._begin = events.first_records(first_step)
        unseen = not (self._writes and sys.stderr.isatty())
        looks = {"desc": head, "unit": "step", "dynamic_ncols": True, "disable": unseen}
        self._bar = tqdm(total=n_steps, initial=first_step, **looks)

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """One line, and one event, of all scalars."""
        if not self._writes:
            return
        line = json.dumps({"head": self._head, "step": step, **scalars}) + "\n"
        self._attempt(lambda: self._lines.write(line.encode()))
        record, self._begin = self._begin + events.scalar_record(step, scalars), b""
        self._attempt(lambda: self._events.write(record))

    def progress(self, step: int, **shown: str) -> None:
        """Moves the bar to a step and shows values beside it."""
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(step - self._bar.n)

    def close(self) -> None:
        """Closes files and bar."""
        self._bar.close()
        self._attempt(self._events.close)
        self._attempt(self._lines.close)

    def _attempt(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if not self._warned:
                _LOG.warning("the log cannot be written (%s); training goes on, and writes it when it can", error)
            self._warned = True


def read_log(workdir: Workdir) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, of all heads, without one that a killed run could not finish.

    Raises:
      ValueError: a line is not as this package writes it; the message names it.
    """
    if not workdir.metrics.exists():
        return []
    lines = read_objects(workdir.metrics)
    for number, line in enumerate(lines, 1):
        if type(line.get("head")) is not str or type(line.get("step")) is not int:
            raise ValueError(f"{workdir.metrics}, line {number}: expected the name of a head and a step")
    return lines


def forget_after(workdir: Workdir, head: str, step: int) -> None:
    """Drops a head's lines and events after a step: a run that goes on from there writes them again."""
    if not is_first_process():
        return
    events.drop_after(workdir.events(head), step)
    if workdir.metrics.exists():
        lines = [line for line in read_log(workdir) if line["head"] != head or line["step"] <= step]
        keep_only(workdir.metrics, "".join(json.dumps(line) + "\n" for line in lines).encode())
