"""Config of an experiment: plain dataclasses, set by a file in configs/ and by --config.… flags.

The part that chooses an encoder, a head, a loss or a data source by name holds the fields of all kinds: a kind is given
those that its constructor names, and one that it does not name must stay at its default. `options` are further keyword
arguments, for kinds of one's own; a config file sets them, and no flag.
"""

import dataclasses
from pathlib import Path
from typing import Any

from sigfft.data import SyntheticSpec


@dataclasses.dataclass
class DataConfig:
    """Where examples come from."""

    # a name in `sigfft.data.SOURCES`: "bioasq", "images", "mimic3", "npy", "openimages", "synthetic", "text" or "xmc";
    # or "auto": what `dir` holds
    source: str = "synthetic"
    # folder of a data set. Of "xmc": train.txt.gz, test.txt.gz and perhaps dev.txt.gz; of "npy": features in train.npy,
    # test.npy and perhaps dev.npy, label sets in train.txt, test.txt and dev.txt; of "text" and "images": tables, as
    # `sigfft.data.text` tells
    dir: str = ""
    n_labels: int = 0  # of "npy"; 0: as its files say, or one more than the largest id
    # of each example of "xmc", or of "text" as tf-idf, keep this many features of largest |value|; 0 keeps all
    max_features: int = 0
    text_columns: str = ""  # of "text": the columns of texts, separated by commas; "": those that hold words
    image_column: str = ""  # of "images": the column of paths; "": the one that holds them
    label_column: str = ""  # of both: the column of labels; "": one of a usual name, or the only one of lists
    split_column: str = ""  # of both: where rows say train, dev or test; "": "split", "subset" or "partition"
    label_delimiter: str = ""  # of both: between labels in a string; "": the first of | ; , that one has
    keep_unlabelled: bool = False  # of both: also examples whose list of labels is empty
    skip_malformed: bool = False  # of both: leave out rows and images that cannot be read, and count them
    # of "text": "tf-idf" or "tokens"; "": what the encoder reads, or tokens where there is a tokenizer, or tf-idf
    text_as: str = ""
    ngrams: int = 1  # of tf-idf: words of an n-gram, at most
    min_count: int = 3  # of "text": how often a word stands in the training texts to be in the vocabulary
    max_length: int = 512  # of tokens: further ones of a text are cut
    tokenizer: str = ""  # of tokens: a tokenizer.json; "": words of the training texts
    image_size: int = 64  # of "images": pixels of a side
    # share of the training examples held out as dev split where the source has none; 0: no dev split
    dev_share: float = 0.0
    cache_dir: str = "~/.cache/sigfft"  # where prepared records are kept; "": in `dir`, below .sigfft
    # size and shape of the "synthetic" source
    synthetic: SyntheticSpec = dataclasses.field(default_factory=SyntheticSpec)
    options: dict[str, Any] = dataclasses.field(default_factory=dict)  # further arguments of the source

    @property
    def cache(self) -> Path:
        """The folder of prepared records."""
        return Path(self.cache_dir).expanduser() if self.cache_dir else Path(self.dir) / ".sigfft"


@dataclasses.dataclass
class EncoderConfig:
    """From examples to features."""

    # a name in `sigfft.encoders.ENCODERS`; "": what examples hold decides: "bag" for sparse features, "mlp" for dense
    # ones, "text_cnn" for tokens, "resnet" for images; "transformer" is for tokens as well
    kind: str = ""
    # size of the features; for an "mlp" 0 passes examples on as they are. -1: as many as serve the head, at least 512
    dim: int = 512
    normalise: bool = True  # bring sparse examples to unit length
    # share of activations dropped in training; each encoder says which. -1: what suits kind and examples
    dropout: float = 0.0
    feature_dropout: float = 0.0  # share of a sparse example's entries dropped in training
    embedding_dim: int = 100  # of the tokens of a "text_cnn"
    activation: str = "relu"  # of a "text_cnn", or "tanh"
    layers: int = 2  # of a "transformer"; of a "resnet", blocks of each of its 4 stages
    pooling: str = "mean"  # of a "transformer": the mean of all tokens' states, or "cls", the first one's
    # of sparse examples, beside a DFT head: so many labels whose training examples are nearest start higher; 0: none.
    # -1: 32 where they tell much that frequencies of labels do not, none elsewhere
    nearest: int = 0
    dtype: str = "float32"  # that activations are computed in, or "bfloat16"; parameters and features are float32
    # what to start from: a folder with config.json and model.safetensors for a "transformer"; an .npy, .npz or
    # .safetensors file with a vector for each token for a "text_cnn"
    pretrained: str = ""
    frozen: bool = False  # train the head alone
    cached: bool = True  # of a frozen encoder: features are computed once, before training, and kept in data.cache_dir
    options: dict[str, Any] = dataclasses.field(default_factory=dict)  # further arguments of the encoder


@dataclasses.dataclass
class HeadConfig:
    """The output layer."""

    # a name in `sigfft.heads.KINDS`, such as "dft", "bottleneck" or "sigmoid"; for a baseline also "none"
    kind: str = "dft"
    # every set of up to so many labels is guaranteed; 0: as many as the largest training set has, or, where that
    # takes more than twice the dim, as 99.9 % of them have at most
    max_cardinality: int = 0
    # extra fixed frequencies of a DFT head; -1: enough for float32, as `sigfft.dft_head` has "auto", and 200 where the
    # transform has room, which score better
    spread: int = 0
    slack: int = 0  # learned columns of a DFT head; -1: 100, or as many as make its dim that of the labels
    # what slack starts as: "embedding", the first columns of `sigfft.label_embedding` of the training split's features,
    # as far as they give it; "": at random
    slack_start: str = ""
    # columns of a DFT head that are given and not learned: `sigfft.label_embedding` of the training split's features
    embedding: int = 0
    # start every label at its own log-odds in the training split, and not all at their mean: a DFT head by one more
    # column that is given and not learned, others by what they learn
    label_priors: bool = False
    n_fft: int = 0  # length of the transform of a DFT head; 0: the head's default. The paper's is the number of labels
    # how labels are laid on the circle of a DFT head: "chains", by `sigfft.label_order` of the training split; "": as
    # they come
    order: str = ""
    dim: int = 0  # size of a bottleneck; 0, in a baseline: as many parameters as the head beside it, rounded up
    random_start: bool = False  # start as the paper does, not at the label prior
    # subtract their mean from the features of a DFT head: those of a ReLU then reach every z, before and after training
    centred: bool = False
    options: dict[str, Any] = dataclasses.field(default_factory=dict)  # further arguments of the head


@dataclasses.dataclass
class LossOptions:
    """Options of the loss, as its function in `sigfft.losses.LOSSES` explains them."""

    label_smoothing: float = 0.0  # of all three
    positive_weight: float = 1.0  # of "bce"
    gamma: float = 2.0  # of "focal"
    gamma_active: float = 0.0  # of "asymmetric"
    gamma_inactive: float = 4.0  # of "asymmetric"
    margin: float = 0.05  # of "asymmetric"
    options: dict[str, Any] = dataclasses.field(default_factory=dict)  # further arguments of the loss


@dataclasses.dataclass
class OptimConfig:
    """How parameters are trained: Adam, or AdamW with decay, linear warm-up, then as the schedule says."""

    loss: str = "bce"  # a name in `sigfft.losses.LOSSES`: "bce", "asymmetric" or "focal"
    loss_options: LossOptions = dataclasses.field(default_factory=LossOptions)  # its options
    steps: int = 1000  # at most this many; 0: `epochs` says; -1: what suits the encoder, up to 1500
    epochs: float = 0.0  # at most so many passes over the training examples; 0: `steps` says
    # examples of a step, over all devices of all machines; 0: a power of 2 from 64 to 256 by their number
    batch_size: int = 256
    # labels that loss and evaluation visit at a time, never holding all logits; 0: all at once. -1: what is faster,
    # blocks of 2048 on CPUs where labels are many
    block_size: int = 0
    # devices that share one copy of the parameters per label, each with a range of labels; copies split the batch. It
    # must divide the devices of each process. 1: every device holds all labels
    label_shards: int = 1
    learning_rate: float = 3e-3  # peak, of the encoder; 0: what suits the kind of head and the size of a batch
    head_learning_rate: float = 0.0  # peak, of the head; 0: the encoder's
    baseline_learning_rate: float = 0.0  # peak, of the baseline and its encoder; 0: as the two above
    warmup_steps: int = 100  # from zero to the peak; where `epochs` ends training, at most a tenth of the steps
    schedule: str = "cosine"  # of the rates behind it: "cosine", down to zero, or "constant"
    weight_decay: float = 0.0  # AdamW's, on matrices
    encoder_weight_decay: float = 0.0  # of the encoder's matrices; 0: as all; -1: what suits the kind of encoder
    # Adam of an embedding table changes the rows that a batch reads and leaves the others, and their moments, as they
    # are; False: all move on at each step, and decay
    lazy_embeddings: bool = False
    clip_norm: float = 0.0  # gradients are scaled down to this global norm; 0: never
    # seconds that a step may take, compilation of the first and the wait for its loss included, before the run ends
    # with a line and the stacks of its threads; 0: as long as it takes
    step_timeout: float = 0.0


@dataclasses.dataclass
class EvalConfig:
    """What is measured, and when training stops."""

    # steps between evaluations on the dev split, each of which writes a checkpoint; 0: a tenth of all steps
    every: int = 0
    # the dev metric that the best checkpoint is chosen by, the later of equals; "loss": the smallest loss; "": nDCG at
    # the largest of `ks` up to 5
    metric: str = ""
    loss: bool = False  # measure the loss on the dev split as well, also where it is not the metric
    # evaluations without a better metric before training stops; 0: never; -1: 5 where there is a dev split
    patience: int = -1
    keep: int = 2  # the latest so many checkpoints, besides the best: where the last is damaged, another is taken
    ks: tuple[int, ...] = (1, 3, 5, 10)  # cut-offs of the ranking metrics
    # what the threshold of predicted label sets makes largest on the dev split, if there is one: "micro F1",
    # "macro F1", "sample F1" or "exact match"; "": none is chosen
    threshold: str = "micro F1"
    threshold_per_label: bool = False  # one for each label, of micro or macro F1, in place of one for all labels
    max_dev_examples: int = 0  # evaluate on the first so many, rounded up to whole batches; 0: all
    propensity_a: float = 0.55  # A of the propensity model (Jain et al. 2016)
    propensity_b: float = 1.5  # B of the propensity model
    log_every: int = 20  # steps between lines of training loss


@dataclasses.dataclass
class TuneConfig:
    """A search over learning rates, dropout and steps on the dev split, before a head is trained."""

    trials: int = 0  # so many choices are tried; 0: no search
    share: float = 0.25  # of its steps that each is tried with; the best quarter is then tried with all of them


@dataclasses.dataclass
class CheckpointConfig:
    """When a checkpoint is written, besides those of evaluations."""

    every_minutes: float = 10.0  # with the first line of the log so long after the one before; 0: never


@dataclasses.dataclass
class CheckConfig:
    """The check of the distinct test label sets at the end."""

    max_sets: int = 0  # check at most so many, drawn evenly; 0: all. A negative number: no check


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
    tune: TuneConfig = dataclasses.field(default_factory=TuneConfig)
    checkpoint: CheckpointConfig = dataclasses.field(default_factory=CheckpointConfig)
    check: CheckConfig = dataclasses.field(default_factory=CheckConfig)
