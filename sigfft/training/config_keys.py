"""Keys of a config: which there are, what their values may be, and in which of them two configs differ."""

import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sigfft.training.config import Config

_LEAST = {
    "seed": 0,
    "optim.steps": 1,
    "optim.batch_size": 1,
    "optim.block_size": 0,
    "optim.label_shards": 1,
    "optim.warmup_steps": 0,
    "optim.weight_decay": 0,
    "optim.clip_norm": 0,
    "optim.learning_rate": 0,
    "optim.head_learning_rate": 0,
    "eval.every": 1,
    "eval.log_every": 1,
    "eval.patience": 0,
    "eval.max_dev_examples": 0,
    "encoder.dim": 0,
    "encoder.dropout": 0,
    "encoder.feature_dropout": 0,
    "data.max_features": 0,
    "data.dev_share": 0,
}
_BELOW_ONE = ("encoder.dropout", "encoder.feature_dropout", "data.dev_share")


def check_overrides(arguments: Sequence[str]) -> None:
    """Raises ValueError for the first --config.key that `Config` does not have, and names the nearest that it has."""
    known = list(_keys(Config, ""))
    for argument in arguments:
        key = argument.lstrip("-").partition("=")[0]
        if not argument.startswith("-") or not key.startswith("config."):
            continue
        key = key.removeprefix("config.")
        parent = key.rpartition(".")[0]
        if key not in known and not parent.endswith(".options"):
            nearest = difflib.get_close_matches(key, known, 1, 0.0)
            raise ValueError(f"unknown config key {key!r}; the nearest is --config.{nearest[0]}=")


def check_values(config: Config) -> None:
    """Raises ValueError for the first number that is out of its range."""
    values = _flat(dataclasses.asdict(config))
    for key, least in _LEAST.items():
        if not values[key] >= least:
            raise ValueError(f"{key}={values[key]} must be at least {least}")
    for key in _BELOW_ONE:
        if values[key] >= 1:
            raise ValueError(f"{key}={values[key]} must be less than 1")
    if config.optim.warmup_steps >= config.optim.steps:
        raise ValueError(
            f"optim.warmup_steps={config.optim.warmup_steps} must be less than optim.steps={config.optim.steps}"
        )


def differences(config: Config, stored: Mapping[str, Any]) -> list[str]:
    """The keys in which a config and a stored one's dictionary differ, as "key (ours, not the stored one's)".

    A key that is not stored is one of a later version, and has its default there.
    """
    mine, theirs = _flat(dataclasses.asdict(config)), _flat(dataclasses.asdict(Config())) | _flat(stored)
    keys = sorted(mine.keys() | theirs.keys())
    return [f"{key} ({mine.get(key)!r}, not {theirs.get(key)!r})" for key in keys if mine.get(key) != theirs.get(key)]


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of nested dictionaries by their keys, joined by dots; tuples as lists, as JSON has them."""
    values: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            values |= _flat(value, f"{prefix}{key}.")
        else:
            values[prefix + key] = list(value) if isinstance(value, tuple) else value
    return values


def _keys(part: Any, prefix: str) -> Iterator[str]:
    for field in dataclasses.fields(part):
        if dataclasses.is_dataclass(field.type):
            yield from _keys(field.type, f"{prefix}{field.name}.")
        elif field.name != "options":
            yield prefix + field.name
