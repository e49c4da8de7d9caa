"""What a config leaves open, settled by the training examples and by the model that is trained."""

import dataclasses
import math

import jax

from sigfft.data import Dataset, Splits
from sigfft.encoders import ENCODERS
from sigfft.training.config import Config, EvalConfig, OptimConfig
from sigfft.training.model import Model

_EVALUATIONS = 10  # of a run, where the config names no steps between them
_PATIENCE = 5
_LARGEST_K = 5
USUAL_STEPS = 1500  # at most, where a config leaves them open
_LEAST_EPOCHS = 2  # where those steps allow it
_BATCHES = (64, 128, 256)
_STEPS_OF_EPOCH = 64  # at least, where the data are so many
_OFTEN = 2  # examples of a batch that have a feature: of rarer ones weights decay more, up to `_RAREST` times
_RAREST = 4
_BLOCK = 2048  # labels that CPUs visit at a time
_RATES_AT = 256  # examples of a batch that rates are for; others take them times the root of the ratio


def settle(config: Config, splits: Splits, model: Model, baseline: bool = False) -> Config:
    """The config that one model is trained by: steps, learning rates and evaluations as they are, nothing left open.

    Args:
      config: of the run.
      splits: "train", and perhaps "dev", held out already.
      model: the one to train.
      baseline: whether it has the run's baseline as its head.
    """
    optim = _optim_for(config.optim, splits["train"], model, baseline)
    evaluation = _eval_for(config.eval, optim.steps, splits["train"].n_labels, "dev" in splits)
    return dataclasses.replace(config, optim=optim, eval=evaluation)


def _optim_for(config: OptimConfig, train: Dataset, model: Model, baseline: bool) -> OptimConfig:
    n_train, encoder = len(train), ENCODERS.get(model.encoder.kind)
    batch_size = config.batch_size or _batch_size(n_train)
    by_epochs = max(1, math.ceil(config.epochs * n_train / batch_size)) if config.epochs else math.inf
    steps, warmup_steps = config.steps or math.inf, config.warmup_steps
    if config.steps < 0:
        read = max(getattr(encoder, "usual_examples", math.inf), _LEAST_EPOCHS * n_train)
        steps = math.ceil(min(USUAL_STEPS, read / batch_size))
        warmup_steps = min(warmup_steps, steps // 10)
    if by_epochs < steps:
        steps, warmup_steps = by_epochs, min(warmup_steps, int(by_epochs) // 10)
    own = config.baseline_learning_rate if baseline else 0.0
    scale = math.sqrt(batch_size / _RATES_AT)
    usual = model.head.learning_rate
    most = min(usual, getattr(encoder, "learning_rate", math.inf))
    rate = own or config.learning_rate or _rounded(most * scale)
    of_head = own or config.head_learning_rate or config.learning_rate or _rounded(usual * scale)
    decay = config.encoder_weight_decay or config.weight_decay
    if decay < 0:
        rarity = max(1.0, _OFTEN / max(train.density * batch_size, _OFTEN / _RAREST))
        # A cosine's mean is a half: without a gradient, weights end at exp(-usual_decay · rarity) times their start.
        # Of few steps one takes half of them at most.
        decay = _rounded(min(2 * getattr(encoder, "usual_decay", 0.0) * rarity / steps, 0.5) / rate)
    block_size = config.block_size if config.block_size >= 0 else _block_size(train.n_labels)
    config = dataclasses.replace(config, learning_rate=rate, head_learning_rate=of_head, encoder_weight_decay=decay)
    config = dataclasses.replace(config, steps=int(steps), epochs=0.0, warmup_steps=warmup_steps)
    return dataclasses.replace(config, batch_size=batch_size, block_size=block_size)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _batch_size(n_train: int) -> int:
    """The largest with which an epoch has `_STEPS_OF_EPOCH` steps, or the least: on all devices the same."""
    return max((size for size in _BATCHES if n_train >= _STEPS_OF_EPOCH * size), default=_BATCHES[0])


def _block_size(n_labels: int) -> int:
    """On CPUs blocks are faster where labels are many (`benchmarks/bench_heads.py`); accelerators take all at once."""
    return _BLOCK if jax.default_backend() == "cpu" and n_labels > 2 * _BLOCK else 0


def _eval_for(config: EvalConfig, steps: int, n_labels: int, has_dev: bool) -> EvalConfig:
    ks = [k for k in config.ks if k <= n_labels]
    k = max((k for k in ks if k <= _LARGEST_K), default=min(ks, default=1))
    patience = config.patience if config.patience >= 0 else _PATIENCE * has_dev
    every, metric = config.every or max(1, steps // _EVALUATIONS), config.metric or f"nDCG@{k}"
    return dataclasses.replace(config, every=every, metric=metric, patience=patience)
