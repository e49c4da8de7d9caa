"""What `sigfft train` does: the run of a config, in a folder of its own."""

import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import logging

from sigfft.training.cluster import Cluster, joined
from sigfft.training.config_files import config_or_default
from sigfft.training.experiment import run
from sigfft.training.resume import RESUME


def launch(
    config: str,
    overrides: Sequence[str],
    workdir: str | None = None,
    *,
    resume: str = "auto",
    distributed: bool | Cluster = False,
    show: bool = True,
) -> tuple[Path, dict[str, Any]]:
    """Runs an experiment.

    Args:
      config: as `config_or_default`, and so are overrides.
      overrides: such as `--config.optim.steps=500`.
      workdir: folder of the run; None or "": a new one below runs/.
      resume: as `run`.
      distributed: this process is one of several: those of a `Cluster`, or with True of one that JAX finds.
      show: print the table.

    Returns:
      The folder, and the content of its report.json.

    Raises:
      ValueError: as `config_of` and `run`; or there is no folder to go on with.
      FloatingPointError: as `run`.
    """
    logging.set_verbosity(logging.WARNING)  # Orbax tells of every file at INFO
    chosen = config_or_default(config, overrides)
    if resume not in RESUME:
        raise ValueError(f"--resume={resume} must be one of: {', '.join(RESUME)}")
    if resume == "always" and not workdir:
        raise ValueError("--resume needs the --workdir of the run to go on with")
    cluster = Cluster() if distributed is True else distributed
    with joined(cluster) if cluster else contextlib.nullcontext():
        folder = Path(workdir) if workdir else new_workdir(chosen.name)
        return folder, run(chosen, folder, resume=resume, show=show)


def new_workdir(name: str) -> Path:
    """The first of runs/name, runs/name-2, ... that is not there yet."""
    names = itertools.chain([name], (f"{name}-{i}" for i in itertools.count(2)))
    return next(path for path in map(Path("runs").joinpath, names) if not path.exists())
