"""What an experiment is: plain dataclasses, set by a file in configs/ and by --config.… flags."""

import dataclasses
import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from sigfft.data import SyntheticSpec


@dataclasses.dataclass
class DataConfig:
    """Where examples come from.

    Attributes:
      source: "synthetic" or "xmc".
      dir: folder of an "xmc" data set: train.txt.gz, test.txt.gz and perhaps dev.txt.gz.
      max_features: of each example, keep this many features of largest |value|; 0 keeps all.
      dev_share: share of the training examples held out as dev split where the source has none; 0: no dev split.
      cache_dir: where prepared records are kept.
      synthetic: size and shape of the "synthetic" source.
    """

    source: str = "synthetic"
    dir: str = ""
    max_features: int = 0
    dev_share: float = 0.0
    cache_dir: str = "~/.cache/sigfft"
    synthetic: SyntheticSpec = dataclasses.field(default_factory=SyntheticSpec)


@dataclasses.dataclass
class EncoderConfig:
    """From examples to features: an embedding bag for sparse examples, an MLP for dense ones.

    Attributes:
      dim: size of the features; for dense examples 0 passes them on as they are.
      normalise: bring sparse examples to unit length.
      dropout: share of the features dropped in training.
      feature_dropout: share of a sparse example's entries dropped in training.
    """

    dim: int = 512
    normalise: bool = True
    dropout: float = 0.0
    feature_dropout: float = 0.0


@dataclasses.dataclass
class HeadConfig:
    """The output layer; fields that its kind does not know are ignored.

    Attributes:
      kind: "dft", "bottleneck" or "sigmoid"; for a baseline also "none".
      max_cardinality: k of a DFT head; 0: the largest training label set.
      spread: extra fixed frequencies of a DFT head.
      slack: learned columns of a DFT head.
      n_fft: length of the transform of a DFT head; 0: n_labels.
      order: method of `sigfft.label_order` on the training split that orders the labels of a DFT head; "": none.
      dim: size of a bottleneck; 0, in a baseline: as many parameters as the head beside it, rounded up.
      random_start: start as the paper does, not at the label prior.
    """

    kind: str = "dft"
    max_cardinality: int = 0
    spread: int = 0
    slack: int = 0
    n_fft: int = 0
    order: str = ""
    dim: int = 0
    random_start: bool = False


@dataclasses.dataclass
class OptimConfig:
    """How parameters are trained: Adam, or AdamW with decay, linear warm-up, then a cosine down to zero.

    Attributes:
      steps: at most this many.
      batch_size: examples of a step, over all devices of all machines.
      block_size: labels that loss and evaluation visit at a time, never holding all logits; 0: all at once.
      label_shards: devices that share one copy of the parameters per label, each with a range of labels; copies split
        the batch. It must divide the devices of each process. 1: every device holds all labels.
      learning_rate: peak, of the encoder.
      head_learning_rate: peak, of the head; 0: the encoder's.
      warmup_steps: from zero to the peak.
      weight_decay: AdamW's, on matrices.
      clip_norm: gradients are scaled down to this global norm; 0: never.
    """

    steps: int = 1000
    batch_size: int = 256
    block_size: int = 0
    label_shards: int = 1
    learning_rate: float = 3e-3
    head_learning_rate: float = 0.0
    warmup_steps: int = 100
    weight_decay: float = 0.0
    clip_norm: float = 0.0


@dataclasses.dataclass
class EvalConfig:
    """What is measured, and when training stops.

    Attributes:
      every: steps between evaluations on the dev split; each writes a checkpoint.
      metric: the dev metric that the best checkpoint is chosen by.
      patience: evaluations without a better metric before training stops; 0: never.
      ks: cut-offs of the ranking metrics.
      max_dev_examples: evaluate on the first so many, rounded up to whole batches; 0: all.
      propensity_a: A of the propensity model (Jain et al. 2016).
      propensity_b: B of the propensity model.
      log_every: steps between lines of training loss.
    """

    every: int = 200
    metric: str = "P@1"
    patience: int = 0
    ks: tuple[int, ...] = (1, 3, 5, 10)
    max_dev_examples: int = 0
    propensity_a: float = 0.55
    propensity_b: float = 1.5
    log_every: int = 20


@dataclasses.dataclass
class CheckConfig:
    """The check of the distinct test label sets at the end.

    Attributes:
      max_sets: check at most so many, drawn evenly; 0: all. A negative number: no check.
    """

    max_sets: int = 0


@dataclasses.dataclass
class Config:
    """One experiment: `baseline`, if any, and then `head` are trained on the same data with the same budget."""

    name: str = "demo"
    seed: int = 0
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    encoder: EncoderConfig = dataclasses.field(default_factory=EncoderConfig)
    head: HeadConfig = dataclasses.field(default_factory=HeadConfig)
    baseline: HeadConfig = dataclasses.field(default_factory=lambda: HeadConfig(kind="none"))
    optim: OptimConfig = dataclasses.field(default_factory=OptimConfig)
    eval: EvalConfig = dataclasses.field(default_factory=EvalConfig)
    check: CheckConfig = dataclasses.field(default_factory=CheckConfig)


def check_overrides(arguments: Sequence[str]) -> None:
    """Raises ValueError for the first --config.key that `Config` does not have, and names the nearest that it has."""
    known = list(_keys(Config, ""))
    for argument in arguments:
        key = argument.lstrip("-").partition("=")[0]
        if not argument.startswith("-") or not key.startswith("config."):
            continue
        key = key.removeprefix("config.")
        if key not in known:
            nearest = difflib.get_close_matches(key, known, 1, 0.0)
            raise ValueError(f"unknown config key {key!r}; the nearest is --config.{nearest[0]}=")


def check_values(config: Config) -> None:
    """Raises ValueError for the first number that is out of its range."""
    least = {
        "optim": {
            "steps": 1,
            "batch_size": 1,
            "block_size": 0,
            "label_shards": 1,
            "warmup_steps": 0,
            "weight_decay": 0,
            "clip_norm": 0,
            "learning_rate": 0,
            "head_learning_rate": 0,
        },
        "eval": {"every": 1, "log_every": 1, "patience": 0, "max_dev_examples": 0},
        "encoder": {"dim": 0, "dropout": 0, "feature_dropout": 0},
        "data": {"max_features": 0, "dev_share": 0},
    }
    if config.seed < 0:
        raise ValueError(f"seed={config.seed} must be at least 0")
    for part, bounds in least.items():
        for name, bound in bounds.items():
            value = getattr(getattr(config, part), name)
            if not value >= bound:
                raise ValueError(f"{part}.{name}={value} must be at least {bound}")
    if config.optim.warmup_steps >= config.optim.steps:
        raise ValueError(
            f"optim.warmup_steps={config.optim.warmup_steps} must be less than optim.steps={config.optim.steps}"
        )
    for part, name in (("encoder", "dropout"), ("encoder", "feature_dropout"), ("data", "dev_share")):
        if getattr(getattr(config, part), name) >= 1:
            raise ValueError(f"{part}.{name}={getattr(getattr(config, part), name)} must be less than 1")


def differences(config: Config, other: dict) -> list[str]:
    """The keys in which a config and another one's dictionary differ, as "key (ours, other's)"."""
    mine, theirs = _flat(dataclasses.asdict(config)), _flat(other)
    keys = sorted(mine.keys() | theirs.keys())
    return [f"{key} ({mine.get(key)!r}, not {theirs.get(key)!r})" for key in keys if mine.get(key) != theirs.get(key)]


def _keys(kind: Any, prefix: str) -> Iterator[str]:
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(field.type):
            yield from _keys(field.type, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name


def _flat(nested: dict, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = list(value) if isinstance(value, tuple) else value
    return flat
