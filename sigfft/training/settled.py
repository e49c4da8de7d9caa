"""What a config leaves open, settled by the training examples and by the head that is trained."""

import dataclasses
import math

from sigfft.data import Splits
from sigfft.heads import Head
from sigfft.training.config import Config, EvalConfig, OptimConfig

_EVALUATIONS = 20  # of a run, where the config names no steps between them
_PATIENCE = 10
_LARGEST_K = 5


def settle(config: Config, splits: Splits, head: Head, baseline: bool = False) -> Config:
    """The config that one head is trained by: steps, learning rates and evaluations as they are, nothing left open.

    Args:
      config: of the run.
      splits: "train", and perhaps "dev", held out already.
      head: the one to train.
      baseline: whether it is the run's baseline.
    """
    optim = _optim_for(config.optim, len(splits["train"]), head, baseline)
    evaluation = _eval_for(config.eval, optim.steps, splits["train"].n_labels, "dev" in splits)
    return dataclasses.replace(config, optim=optim, eval=evaluation)


def _optim_for(config: OptimConfig, n_train: int, head: Head, baseline: bool) -> OptimConfig:
    by_epochs = max(1, math.ceil(config.epochs * n_train / config.batch_size)) if config.epochs else math.inf
    steps, warmup_steps = config.steps or math.inf, config.warmup_steps
    if by_epochs < steps:
        steps, warmup_steps = by_epochs, min(warmup_steps, int(by_epochs) // 10)
    own = config.baseline_learning_rate if baseline else 0.0
    rate = own or config.learning_rate or head.learning_rate
    of_head = own or config.head_learning_rate or rate
    limits = dataclasses.replace(config, steps=int(steps), epochs=0.0, warmup_steps=warmup_steps)
    return dataclasses.replace(limits, learning_rate=rate, head_learning_rate=of_head)


def _eval_for(config: EvalConfig, steps: int, n_labels: int, has_dev: bool) -> EvalConfig:
    ks = [k for k in config.ks if k <= n_labels]
    k = max((k for k in ks if k <= _LARGEST_K), default=min(ks, default=1))
    patience = config.patience if config.patience >= 0 else _PATIENCE * has_dev
    every, metric = config.every or max(1, steps // _EVALUATIONS), config.metric or f"nDCG@{k}"
    return dataclasses.replace(config, every=every, metric=metric, patience=patience)
