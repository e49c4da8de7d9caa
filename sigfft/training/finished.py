"""Models of finished runs."""

import contextlib
from pathlib import Path

import jax

from sigfft import heads
from sigfft.training.checkpoint import Checkpoints
from sigfft.training.config import EncoderConfig
from sigfft.training.model import Model, ModelParams, make_encoder, with_width
from sigfft.training.workdir import Workdir


def load_model(workdir: Path | str, name: str | None = None) -> tuple[Model, ModelParams]:
    """A model of a finished run, by its head's name in the run's table, and the parameters of its best checkpoint.

    The default is the last head.

    Raises:
      ValueError: the folder holds no finished run, one of another version, or no head of this name.
    """
    run = Workdir(workdir)
    report, config = run.read(run.report), run.read(run.config)
    try:
        entries = {entry["name"]: entry for entry in report["heads"]}
        if name is not None and name not in entries:
            raise ValueError(f"{workdir} has no head {name!r}; its heads are {', '.join(map(repr, entries))}")
        entry = entries[name] if name is not None else report["heads"][-1]
        head = heads.make(entry["kind"], entry["head"])
        best_step, sizes = entry["best_step"], (report["data"]["n_features"], report["data"]["feature_dim"])
        encoder = with_width(EncoderConfig(**config["encoder"]), head.feature_dim)
        model = Model(make_encoder(encoder, *sizes), head)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"{workdir}: report.json and config.json are not what this version of sigfft writes "
            f"({type(error).__name__}: {error}); read the run with the version that trained it, or train anew"
        ) from error
    folder = run.checkpoints(model.name)
    if not folder.is_dir():
        raise ValueError(f"{workdir} holds no checkpoints of {model.name!r}: {folder} is missing")
    with contextlib.closing(Checkpoints(folder, read_only=True)) as checkpoints:
        return model, checkpoints.restore_params(jax.eval_shape(model.init, jax.random.key(0)), best_step)
