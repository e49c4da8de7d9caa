"""Checks of a config before anything runs: its keys, and the type and range of each value."""

import dataclasses
import difflib
import reprlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from sigfft.training.config import Config

_POSITIVE = (
    *("optim.label_shards", "eval.log_every", "eval.keep"),
    *("data.ngrams", "data.min_count", "data.max_length", "data.image_size"),
)
_NOT_NEGATIVE = (
    *("seed", "optim.batch_size", "optim.warmup_steps", "optim.weight_decay", "optim.clip_norm"),
    *("optim.step_timeout",),
    *("optim.epochs", "optim.learning_rate", "optim.head_learning_rate"),
    *("optim.baseline_learning_rate", "eval.every", "eval.max_dev_examples", "tune.trials", "tune.share"),
    "checkpoint.every_minutes",
    *("encoder.feature_dropout", "data.max_features", "data.n_labels", "data.dev_share"),
)
# -1 leaves the choice to the data, or to the kind
_CHOSEN = (
    *("encoder.dim", "encoder.dropout", "head.spread", "baseline.spread", "head.slack", "baseline.slack"),
    *("encoder.nearest", "optim.steps", "optim.block_size", "optim.encoder_weight_decay", "eval.patience"),
)
_LARGEST = 2**31 - 1  # of whole numbers, which are 32-bit ones on devices
_LARGEST_SEED = 2**63 - 1
_BELOW_ONE = ("encoder.dropout", "encoder.feature_dropout", "data.dev_share")


def check_overrides(arguments: Sequence[str]) -> None:
    """Raises ValueError for the first `--config.key` that `Config` does not have, and names the nearest that it has."""
    known = list(flat(dataclasses.asdict(Config())))
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
    """Raises ValueError for the first value that is of another type than its default, or out of its range."""
    values = flat(dataclasses.asdict(config))
    for key, default in flat(dataclasses.asdict(Config())).items():
        _check_value(key, values[key], default)
    if not config.name or not config.name.isprintable() or ".." in config.name.split("/"):
        raise ValueError(f"name={config.name!r:.80} must be what a folder can be called")
    if config.data.source == "synthetic":
        dataclasses.replace(config.data.synthetic)  # is checked as it is made, and flags set values afterwards
    for key in (*_POSITIVE, *_NOT_NEGATIVE, *_CHOSEN):
        least = 1 if key in _POSITIVE else -1 if key in _CHOSEN else 0
        if not values[key] >= least:
            raise ValueError(f"{key}={values[key]} must be at least {least}")
    for key, most in {"encoder.dropout": "to below 1", "optim.encoder_weight_decay": "up"}.items():
        if -1 < values[key] < 0:
            raise ValueError(f"{key}={values[key]} must be -1, or from 0 {most}")
    for key in _BELOW_ONE:
        if values[key] >= 1:
            raise ValueError(f"{key}={values[key]} must be less than 1")
    if config.optim.schedule not in ("constant", "cosine"):
        raise ValueError(f"optim.schedule={config.optim.schedule!r} must be one of: constant, cosine")
    steps, warmup_steps = config.optim.steps, config.optim.warmup_steps
    if not steps and not config.optim.epochs:
        raise ValueError("optim.steps=0 and optim.epochs=0 leave training without an end; set one of them")
    if not 0 < config.tune.share <= 1:
        raise ValueError(f"tune.share={config.tune.share} must be above 0 and at most 1")
    if 0 < steps <= warmup_steps:
        raise ValueError(f"optim.warmup_steps={warmup_steps} must be less than optim.steps={steps}")


def _check_value(key: str, value: Any, default: Any) -> None:
    kinds = {float: (float, int), list: (list,)}.get(type(default), (type(default),))
    if type(value) not in kinds or (isinstance(value, list) and not all(type(own) is int for own in value)):
        expected = "whole numbers, such as (1, 5)" if isinstance(default, list) else type(default).__name__
        raise ValueError(f"{key}={reprlib.repr(value)} must be {expected}")
    if isinstance(default, float) and not abs(value) <= sys.float_info.max:
        raise ValueError(f"{key}={reprlib.repr(value)} must be finite")
    largest = _LARGEST_SEED if key.split(".")[-1] == "seed" else _LARGEST
    for own in value if isinstance(value, list) else [value]:
        if isinstance(default, int | list) and not abs(own) <= largest:
            raise ValueError(f"{key}={reprlib.repr(value)} must be at most {largest}")


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of nested dictionaries by their keys, joined by dots; tuples as lists, as JSON has them."""
    values: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[prefix + key] = list(value) if isinstance(value, tuple) else value
    return values
