"""A finished run's models, from its folder."""

import json
from pathlib import Path

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
      ValueError: the folder holds no finished run, or no head of this name.
    """
    workdir = Path(workdir)
    try:
        report = json.loads((workdir / "report.json").read_text(encoding="utf-8"))
        config = json.loads((workdir / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{workdir} holds no finished run: {Path(error.filename).name} is missing") from error
    entries = {entry["name"]: entry for entry in report["heads"]}
    if name is not None and name not in entries:
        raise ValueError(f"{workdir} has no head {name!r}; its heads are {', '.join(map(repr, entries))}")
    entry = entries[name] if name is not None else report["heads"][-1]
    data = report["data"]
    head = heads.make(entry["kind"], entry["head"])
    model = make_model(head, EncoderConfig(**config["encoder"]), data["n_features"], data["feature_dim"])
    checkpoints = Checkpoints(workdir / "checkpoints" / slug(model.name))
    try:
        params = checkpoints.restore_params(jax.eval_shape(model.init, jax.random.key(0)), entry["best_step"])
    finally:
        checkpoints.close()
    return model, params
