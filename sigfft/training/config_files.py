"""A config by its name or its file, and values that flags set in it."""

import runpy
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

import sigfft
from sigfft.training.config import Config
from sigfft.training.config_checks import check_overrides


def config_of(config: str, overrides: Sequence[str]) -> Config:
    """The config of a name, such as "demo", or of a file with `get_config()`; `--config.key=value` sets a value in it.

    Raises:
      ValueError: an unknown name or key, a file that is missing or fails, a value of another type, or a flag that is
        none of a config.
    """
    check_overrides(overrides)
    path = _file(config)
    made = _made_by(path)
    if not isinstance(made, Config):
        raise ValueError(f"get_config() of {path} must return a sigfft.training.Config; it returns {made!r:.60}")
    arguments, values = ["sigfft train", *overrides], flags.FlagValues()
    config_flags.DEFINE_config_dataclass("config", made, flag_values=values, sys_argv=arguments)
    try:
        _, *rest = values(arguments)
    except flags.Error as error:
        raise ValueError(str(error)) from error
    if rest:
        raise ValueError(f"{rest[0]!r} is no option; values of the config are set by --config.key=value")
    return values.config


def config_or_default(config: str, overrides: Sequence[str]) -> Config:
    """`config_of`, where "" is "auto" if the overrides set data.dir, and else "demo"."""
    own_data = any(argument.lstrip("-").startswith("config.data.dir=") for argument in overrides)
    return config_of(config or ("auto" if own_data else "demo"), overrides)


def _made_by(path: Path) -> Any:
    """What get_config() of a file returns."""
    try:
        return runpy.run_path(str(path))["get_config"]()
    except Exception as error:  # whatever it was, it is the file's
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f", line {lines[-1]}" if lines else ""
        raise ValueError(f"{path}{where}: get_config() fails: {type(error).__name__}: {error}") from error


def shipped_configs() -> dict[str, Path]:
    """The configs that come with this package, by name."""
    package = Path(sigfft.__file__).parent
    inside = package / "configs"  # of a wheel; a checkout has them beside the package
    folder = inside if inside.is_dir() else package.parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.py"))}


def _file(config: str) -> Path:
    shipped = shipped_configs()
    path = shipped.get(config, Path(config))
    if path.suffix != ".py" or not path.is_file():
        raise ValueError(f"there is no config {config!r}; expected {', '.join(shipped)} or a .py file")
    return path
