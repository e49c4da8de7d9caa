"""Whether examples come with their nearest labels, and those of a run's splits."""

import dataclasses
import logging
import time

import numpy as np

from sigfft.data import Dataset, LabelCentroids, SparseFeatures, Splits
from sigfft.training.config import Config

_LOG = logging.getLogger(__name__)
_NEAREST = 32
_FROM_LABELS = 1000
_FEW = 16  # training examples of a label, on average
_MOST = 100_000_000  # entries of the centroids, before those of equal features are added up


def with_nearest(splits: Splits, config: Config) -> tuple[Splits, LabelCentroids | None]:
    """The splits with the nearest labels of each example, and the centroids of the training split that tell them.

    As they are, and None, where the config asks for none, or leaves it open and they are of no use.

    Raises:
      ValueError: the config asks for them where they cannot be.
    """
    n = _how_many(config, splits["train"])
    if not n:
        return splits, None
    begun, centroids = time.perf_counter(), LabelCentroids.fit(splits["train"])
    found = {name: near(data, centroids, n, name == "train") for name, data in splits.items()}
    _LOG.info("the %d nearest labels of each example: %.0f s", n, time.perf_counter() - begun)
    return found, centroids


def nearest_line(train: Dataset) -> str:
    """What comes with the examples, and why, in one line."""
    assert train.nearest is not None
    n, mean = train.nearest.ids.shape[1], train.mean_cardinality * len(train) / train.n_labels
    return (
        f"each example comes with the {n} labels whose training examples are nearest (encoder.nearest): "
        f"{train.n_labels:,} labels have {mean:.1f} examples on average"
    )


def near(data: Dataset, centroids: LabelCentroids, n: int, trained: bool) -> Dataset:
    """A split with the nearest labels of each example; of the split that centroids are of, each without itself."""
    assert isinstance(data.features, SparseFeatures), data.features
    nearest = centroids.nearest(data.features, n, data.labels if trained else None)
    return dataclasses.replace(data, nearest=nearest)


def _how_many(config: Config, train: Dataset) -> int:
    n = config.encoder.nearest
    if not n:
        return 0
    unfit = _why_not(config, train)
    if n > 0:
        if unfit:
            raise ValueError(f"encoder.nearest={n} is for {unfit}; leave it at 0 or -1")
        if n > train.n_labels:
            raise ValueError(f"encoder.nearest={n} must be at most the number of labels, {train.n_labels}")
        return n
    if unfit:
        return 0
    sizes = (train.labels < train.n_labels).sum(axis=1).astype(np.int64)
    assert isinstance(train.features, SparseFeatures), train.features
    entries = int((sizes * np.diff(train.features.indptr)).sum())
    many = train.n_labels >= _FROM_LABELS and sizes.sum() <= _FEW * train.n_labels
    return min(_NEAREST, train.n_labels) if many and entries <= _MOST else 0


def _why_not(config: Config, train: Dataset) -> str:
    """What nearest labels are for, where this config or data set is something else; "" where it is that."""
    if not isinstance(train.features, SparseFeatures):
        return "sparse features, as tf-idf is"
    if config.encoder.kind not in ("", "bag", "nearest_bag"):
        return f"a bag of sparse features; encoder.kind={config.encoder.kind!r} reads none"
    if config.encoder.frozen:
        return "an encoder that is trained, and encoder.frozen=True"
    if config.head.kind != "dft" or config.head.order:
        given = f"head.kind={config.head.kind!r}" if config.head.kind != "dft" else f"head.order={config.head.order!r}"
        return f"a DFT head whose labels are laid out as they come, and {given}"
    if config.baseline.kind != "none":
        return f"a run of one head, and baseline.kind={config.baseline.kind!r}"
    return ""
