"""Run log: metrics.jsonl, tensorboard events and a progress bar, while a head is trained."""

import json
import os
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter
from tqdm import tqdm

from sigfft.files import write_text
from sigfft.training.processes import is_first_process
from sigfft.training.workdir import Workdir


class RunLog:
    """Scalars of one head's training, to metrics.jsonl (shared by the heads of a run), events and a progress bar.

    Of several processes only the first one writes and shows.

    Args:
      workdir: of the run.
      head: name of the head.
      first_step: where training starts or goes on.
      n_steps: where it ends at the latest.
    """

    def __init__(self, workdir: Workdir, head: str, first_step: int, n_steps: int):
        self._head = head
        first = is_first_process()
        self._lines = (workdir.metrics if first else Path(os.devnull)).open("a", encoding="utf-8")
        self._events = SummaryWriter(str(workdir.events(head)), write_to_disk=first)
        self._bar = tqdm(
            total=n_steps, initial=first_step, desc=head, unit="step", dynamic_ncols=True, disable=not first
        )

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """One line and one event per scalar."""
        self._lines.write(json.dumps({"head": self._head, "step": step, **scalars}) + "\n")
        self._lines.flush()
        for name, value in scalars.items():
            self._events.add_scalar(name.replace("@", "_at_").replace(" ", "_"), value, step)

    def progress(self, step: int, **shown: str) -> None:
        """Moves the bar to a step and shows values beside it."""
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(step - self._bar.n)

    def close(self) -> None:
        """Closes files and bar."""
        self._bar.close()
        self._events.close()
        self._lines.close()


def read_log(workdir: Workdir) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, of all heads."""
    if not workdir.metrics.exists():
        return []
    *whole, _ = workdir.metrics.read_text(encoding="utf-8").split("\n")  # after the last line break there is nothing,
    return [json.loads(line) for line in whole]  # or the beginning of a line that a killed run could not finish


def forget_after(workdir: Workdir, head: str, step: int) -> None:
    """Drops a head's lines after a step: a run that goes on from there writes them again."""
    if not is_first_process():
        return
    lines = [line for line in read_log(workdir) if line["head"] != head or line["step"] <= step]
    write_text(workdir.metrics, "".join(json.dumps(line) + "\n" for line in lines))
