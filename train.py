"""Train, evaluate and check output heads: `python train.py --config=configs/demo.py --workdir=runs/demo`."""

import itertools
import sys
from pathlib import Path

import jax
from absl import app, flags, logging
from ml_collections import config_flags

from sigfft import training

_CONFIG = config_flags.DEFINE_config_file("config", "configs/demo.py", "The experiment; see configs/.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; default: a new one below runs/.")
_RESUME = flags.DEFINE_bool("resume", False, "Go on with the run that --workdir holds.")
_DISTRIBUTED = flags.DEFINE_bool("distributed", False, "One process of several: call jax.distributed.initialize().")


def _new_workdir(name: str) -> Path:
    names = itertools.chain([name], (f"{name}-{i}" for i in itertools.count(2)))
    return next(path for path in map(Path("runs").joinpath, names) if not path.exists())


def main(_: list[str]) -> None:
    """Runs the config; mistakes in it end with one line."""
    logging.set_verbosity(logging.WARNING)  # Orbax tells of every file at INFO
    if _DISTRIBUTED.value:
        jax.distributed.initialize()
    if _RESUME.value and not _WORKDIR.value:
        sys.exit("train.py: --resume needs the --workdir of the run to go on with")
    config = _CONFIG.value
    workdir = Path(_WORKDIR.value or _new_workdir(config.name))
    try:
        training.run(config, workdir, resume=_RESUME.value)
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"train.py: {error}")
    print(f"\n{workdir}: report.json, verdicts/, figures/, metrics.jsonl, events/, checkpoints/")


if __name__ == "__main__":
    try:
        training.check_overrides(sys.argv[1:])
    except ValueError as error:
        sys.exit(f"train.py: {error}")
    app.run(main)
