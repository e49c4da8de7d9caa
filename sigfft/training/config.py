"""Config of an experiment: plain dataclasses, set by a file in configs/ and by --config.… flags.

The part that chooses an encoder, a head, a loss or a data source by name holds the fields of all kinds: a kind is given
those that its constructor names, and one that it does not name must stay at its default. `options` are further keyword
arguments, for kinds of one's own; a config file sets them, and no flag.
"""

import dataclasses
from typing import Any

from sigfft.data import SyntheticSpec


@dataclasses.dataclass
class DataConfig:
    """Where examples come from.

    Attributes:
      source: a name in `sigfft.data.SOURCES`: "synthetic" or "xmc".
      dir: folder of an "xmc" data set: train.txt.gz, test.txt.gz and perhaps dev.txt.gz.
      max_features: of each example of "xmc", keep this many features of largest |value|; 0 keeps all.
      dev_share: share of the training examples held out as dev split where the source has none; 0: no dev split.
      cache_dir: where prepared records are kept.
      synthetic: size and shape of the "synthetic" source.
      options: further arguments of the source.
    """

    source: str = "synthetic"
    dir: str = ""
    max_features: int = 0
    dev_share: float = 0.0
    cache_dir: str = "~/.cache/sigfft"
    synthetic: SyntheticSpec = dataclasses.field(default_factory=SyntheticSpec)
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class EncoderConfig:
    """From examples to features.

    Attributes:
      kind: a name in `sigfft.encoders.ENCODERS`; "": "bag" for sparse examples, "mlp" for dense ones.
      dim: size of the features; for an "mlp" 0 passes examples on as they are.
      normalise: bring sparse examples to unit length.
      dropout: share of the features dropped in training.
      feature_dropout: share of a sparse example's entries dropped in training.
      options: further arguments of the encoder.
    """

    kind: str = ""
    dim: int = 512
    normalise: bool = True
    dropout: float = 0.0
    feature_dropout: float = 0.0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class HeadConfig:
    """The output layer.

    Attributes:
      kind: a name in `sigfft.heads.KINDS`, such as "dft", "bottleneck" or "sigmoid"; for a baseline also "none".
      max_cardinality: every set of up to so many labels is guaranteed; 0: the largest training label set.
      spread: extra fixed frequencies of a DFT head.
      slack: learned columns of a DFT head.
      n_fft: length of the transform of a DFT head; 0: the head's default. The paper's is the number of labels.
      order: how labels are laid on the circle of a DFT head: "chains", by `sigfft.label_order` of the training split;
        "": as they come.
      dim: size of a bottleneck; 0, in a baseline: as many parameters as the head beside it, rounded up.
      random_start: start as the paper does, not at the label prior.
      options: further arguments of the head.
    """

    kind: str = "dft"
    max_cardinality: int = 0
    spread: int = 0
    slack: int = 0
    n_fft: int = 0
    order: str = ""
    dim: int = 0
    random_start: bool = False
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class LossOptions:
    """Options of the loss, as its function in `sigfft.losses.LOSSES` explains them.

    Attributes:
      label_smoothing: of "bce" and "asymmetric".
      gamma_active: of "asymmetric".
      gamma_inactive: of "asymmetric".
      margin: of "asymmetric".
      options: further arguments of the loss.
    """

    label_smoothing: float = 0.0
    gamma_active: float = 0.0
    gamma_inactive: float = 4.0
    margin: float = 0.05
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class OptimConfig:
    """How parameters are trained: Adam, or AdamW with decay, linear warm-up, then a cosine down to zero.

    Attributes:
      loss: a name in `sigfft.losses.LOSSES`: "bce" or "asymmetric".
      loss_options: its options.
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

    loss: str = "bce"
    loss_options: LossOptions = dataclasses.field(default_factory=LossOptions)
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
