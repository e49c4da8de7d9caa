"""Keys of a config: which there are, what their values may be, and in which of them two configs differ."""

import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sigfft.training.config import Config

_POSITIVE = ("optim.steps", "optim.batch_size", "optim.label_shards", "eval.every", "eval.log_every")
_NOT_NEGATIVE = (
    *("seed", "optim.block_size", "optim.warmup_steps", "optim.weight_decay", "optim.clip_norm"),
    *("optim.learning_rate", "optim.head_learning_rate", "eval.patience", "eval.max_dev_examples"),
    *("encoder.dim", "encoder.dropout", "encoder.feature_dropout", "data.max_features", "data.dev_share"),
)
_BELOW_ONE = ("encoder.dropout", "encoder.feature_dropout", "data.dev_share")


def check_overrides(arguments: Sequence[str]) -> None:
    """Raises ValueError for the first --config.key that `Config` does not have, and names the nearest that it has."""
    known = list(_keys(Config, ""))
    for argument in arguments:
        key = argument.lstrip("-").partition("=")[0]
        if not argument.startswith("-") or not key.startswith("config."):
            continue
        key = key.removeprefix("config.")
        if "options" in key.split("."):
            raise ValueError(f"config key {key!r} is one of a config file: a flag cannot set options of one's own")
        if key not in known:
            nearest = difflib.get_close_matches(key, known, 1, 0.0)
            raise ValueError(f"unknown config key {key!r}; the nearest is --config.{nearest[0]}=")


def check_values(config: Config) -> None:
    """Raises ValueError for the first number that is out of its range."""
    values = _flat(dataclasses.asdict(config))
    for key in (*_POSITIVE, *_NOT_NEGATIVE):
        least = 1 if key in _POSITIVE else 0
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
