"""Models of finished runs, and what report.json says of them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from sigfft import heads
from sigfft.heads.head import whole
from sigfft.training.checkpoint import Checkpoints
from sigfft.training.encoder import stored_encoder
from sigfft.training.model import Model, ModelParams
from sigfft.training.workdir import Workdir


def load_model(workdir: Path | str, name: str | None = None) -> tuple[Model, ModelParams]:
    """A model of a finished run, by its head's name in the run's table, and the parameters of its best checkpoint.

    The default is the last head.

    Raises:
      ValueError: the folder holds no finished run, one of another version, or no head of this name.
    """
    run = Workdir(workdir)
    report, config = run.read(run.report), run.read(run.config)
    with as_written(run):
        entry = entry_of(run, report, name)
        head = heads.make(entry["kind"], entry["head"])
        best_step = whole("best_step", entry["best_step"], 0)
        model = Model(stored_encoder(report, config, head.feature_dim), head)
        shapes = jax.eval_shape(model.init, jax.random.key(0))
    folder = run.checkpoints(model.name)
    if not folder.is_dir():
        raise ValueError(f"{workdir} holds no checkpoints of {model.name!r}: {folder} is missing")
    with contextlib.closing(Checkpoints(folder, read_only=True)) as checkpoints:
        return model, checkpoints.restore_params(shapes, best_step)


def entry_of(run: Workdir, report: dict[str, Any], name: str | None) -> dict[str, Any]:
    """What a report says of a head, by its name there or the last one; a KeyError or the like: it is no report.

    Raises:
      ValueError: no head has this name.
    """
    entries = {entry["name"]: entry for entry in report["heads"]}
    if name is not None and name not in entries:
        raise ValueError(f"{run.path} has no head {name!r}; its heads are {', '.join(map(repr, entries))}")
    return entries[name] if name is not None else report["heads"][-1]


@contextlib.contextmanager
def as_written(run: Workdir) -> Iterator[None]:
    """Within the block values of the run's report.json and config.json are taken to be there, and of their types.

    Raises:
      ValueError: they are not.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, IndexError, KeyError, SyntaxError, TypeError) as error:
        raise ValueError(
            f"{run.path}: report.json and config.json are not what this version of sigfft writes "
            f"({type(error).__name__}: {error}); read the run with the version that trained it, or train anew"
        ) from error
