"""Train, evaluate and check output heads: `python train.py --config=configs/demo.py --workdir=runs/demo`."""

import itertools
import sys
from pathlib import Path

import jax
from absl import app, flags, logging
from ml_collections import config_flags

from sigfft import training
from sigfft.training.workdir import CONTENTS


def define_flags() -> None:
    """The command line; `--config.key=value` overrides one value of the config file."""
    config_flags.DEFINE_config_file("config", "configs/demo.py", "The experiment; see configs/.")
    flags.DEFINE_string("workdir", None, "Folder of the run; default: a new one below runs/.")
    flags.DEFINE_bool("resume", False, "Go on with the run that --workdir holds.")
    flags.DEFINE_bool("distributed", False, "One process of several: call jax.distributed.initialize().")


def new_workdir(name: str) -> Path:
    """The first of runs/name, runs/name-2, ... that is not there yet."""
    names = itertools.chain([name], (f"{name}-{i}" for i in itertools.count(2)))
    return next(path for path in map(Path("runs").joinpath, names) if not path.exists())


def main(_: list[str]) -> None:
    """Runs the experiment that the flags describe."""
    logging.set_verbosity(logging.WARNING)  # Orbax tells of every file at INFO
    values = flags.FLAGS
    if values.distributed:
        jax.distributed.initialize()
    if values.resume and not values.workdir:
        raise ValueError("--resume needs the --workdir of the run to go on with")
    workdir = Path(values.workdir or new_workdir(values.config.name))
    training.run(values.config, workdir, resume=values.resume)
    if jax.process_index() == 0:
        print(f"\n{workdir}: {', '.join(CONTENTS)}")


if __name__ == "__main__":
    try:
        training.check_overrides(sys.argv[1:])
        define_flags()
        app.run(main)
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"train.py: {error}")
