"""The command that trains a config, found from config.json."""

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

from sigfft.training.config import Config
from sigfft.training.config_checks import flat
from sigfft.training.config_files import config_of, shipped_configs


def command_of(config: Mapping[str, Any]) -> str:
    """The shortest `sigfft train` that trains a config, or why there is none.

    It starts from the shipped config that differs in the fewest values; a key that the config does not have, as one of
    an older version, is not compared.
    """
    values = {key: value for key, value in flat(config).items() if not key.startswith(("origin.", "format"))}
    if values.get("data.source") == "given":
        return "none: data of this run were given as arrays (sigfft.training.run(splits=...))"
    own = [key for key in values if "options" in key.split(".")]
    if own:
        return f"none: {own[0]} is set by a config file, and by no flag"
    known = flat(dataclasses.asdict(Config()))
    compared = {key: value for key, value in values.items() if key in known}
    found = []
    for name in shipped_configs():
        base = flat(dataclasses.asdict(config_of(name, [])))
        flags = [f"--config.{key}={_written(value)}" for key, value in compared.items() if base[key] != value]
        found.append((len(flags), name != config.get("name"), name, flags))
    _, _, name, flags = min(found)
    return shlex.join(["sigfft", "train", f"--config={name}", *flags])


def changed(config: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a config that are not the defaults of `Config`, by key."""
    known = flat(dataclasses.asdict(Config()))
    values = flat({key: value for key, value in config.items() if key not in ("origin", "format")})
    return {key: value for key, value in values.items() if key not in known or known[key] != value}


def _written(value: Any) -> str:
    return str(tuple(value)) if isinstance(value, list) else str(value)
