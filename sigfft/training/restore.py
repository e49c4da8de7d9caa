"""A finished run's models, from its folder."""

import json
from pathlib import Path
from typing import Any

import jax

from sigfft import heads
from sigfft.training.checkpoint import Checkpoints
from sigfft.training.config import EncoderConfig
from sigfft.training.model import Model, Params, make_model
from sigfft.training.records import slug


def load_model(workdir: Path | str, name: str | None = None) -> tuple[Model, Params]:
    """A model of a finished run and the parameters of its best checkpoint.

    Args:
      workdir: of the run.
      name: of the head, as the run's table shows it; default: the last one.

    Raises:
      ValueError: the folder holds no finished run, one of another version, or no head of this name.
    """
    workdir = Path(workdir)
    report, config = read_json(workdir, "report.json"), read_json(workdir, "config.json")
    try:
        entries = {entry["name"]: entry for entry in report["heads"]}
        if name is not None and name not in entries:
            raise ValueError(f"{workdir} has no head {name!r}; its heads are {', '.join(map(repr, entries))}")
        entry = entries[name] if name is not None else report["heads"][-1]
        head = heads.make(entry["kind"], entry["head"])
        best_step, sizes = entry["best_step"], (report["data"]["n_features"], report["data"]["feature_dim"])
        model = make_model(head, EncoderConfig(**config["encoder"]), *sizes)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"{workdir}: report.json and config.json are not what this version of sigfft writes "
            f"({type(error).__name__}: {error}); read the run with the version that trained it, or train anew"
        ) from error
    folder = workdir / "checkpoints" / slug(model.name)
    if not folder.is_dir():
        raise ValueError(f"{workdir} holds no checkpoints of {model.name!r}: {folder} is missing")
    checkpoints = Checkpoints(folder)
    try:
        params = checkpoints.restore_params(jax.eval_shape(model.init, jax.random.key(0)), best_step)
    finally:
        checkpoints.close()
    return model, params


def read_json(workdir: Path, name: str) -> Any:
    """What a finished run wrote to one of its .json files.

    Raises:
      ValueError: the file is missing, or is no JSON.
    """
    try:
        return json.loads((workdir / name).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{workdir} holds no finished run: {name} is missing") from error
    except ValueError as error:
        raise ValueError(f"{workdir / name} is not JSON, damaged or truncated: {error}") from error
