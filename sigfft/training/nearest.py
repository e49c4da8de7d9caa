"""Whether examples come with their nearest labels, and those of a run's splits."""

import dataclasses
import logging
import time

import numpy as np

from sigfft.data import Dataset, LabelCentroids, SparseFeatures, Splits
from sigfft.heads import KINDS
from sigfft.training.arguments import chosen
from sigfft.training.config import Config

_LOG = logging.getLogger(__name__)
_NEAREST = 32
_FROM_LABELS = 1000
_FEW = 16  # training examples of a label, on average
_MOST = 100_000_000  # entries of the centroids, before those of equal features are added up
_MOST_SCORES = 20_000_000_000  # of points and labels, some minutes
_BAGS = ("", "bag", "nearest_bag")


def with_nearest(splits: Splits, config: Config) -> tuple[Splits, LabelCentroids | None]:
    """The splits with the nearest labels of each example, and the centroids of the training split that tell them.

    As they are, and None, where the config asks for none, or leaves it open and they are of no use.

    Raises:
      ValueError: the config asks for them where they cannot be.
    """
    if given := [name for name, data in splits.items() if data.nearest is not None]:
        raise ValueError(f"the {given[0]} split comes with nearest labels; leave them out, encoder.nearest makes them")
    n = _how_many(config, splits)
    if not n:
        if config.encoder.kind == "nearest_bag":
            raise ValueError("encoder.kind='nearest_bag' takes nearest labels; set encoder.nearest=32, or take 'bag'")
        return splits, None
    begun, centroids = time.perf_counter(), LabelCentroids.fit(splits["train"])
    found = {}
    for name, data in splits.items():
        assert isinstance(data.features, SparseFeatures), data.features  # as those of the training split
        active = data.labels if name == "train" else None  # each training example is met without itself
        found[name] = dataclasses.replace(data, nearest=centroids.nearest(data.features, n, active))
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


def _how_many(config: Config, splits: Splits) -> int:
    n, train = config.encoder.nearest, splits["train"]
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
    if train.n_labels < _FROM_LABELS or sizes.sum() > _FEW * train.n_labels:
        return 0
    scores = sum(map(len, splits.values())) * train.n_labels
    if entries > _MOST or scores > _MOST_SCORES:
        _LOG.info(
            "no nearest labels: they would take %d entries and %d scores; encoder.nearest=32 asks", entries, scores
        )
        return 0
    return min(_NEAREST, train.n_labels)


def _why_not(config: Config, train: Dataset) -> str:
    """What nearest labels are for, where this config or data set is something else; "" where it is that."""
    if not isinstance(train.features, SparseFeatures):
        return "sparse features, as tf-idf is"
    if config.encoder.kind not in _BAGS:
        return f"a bag of sparse features; encoder.kind={config.encoder.kind!r} reads none"
    if config.encoder.frozen:
        return "an encoder that is trained, and encoder.frozen=True"
    if not getattr(chosen(KINDS, config.head.kind, "head.kind"), "known_dim", 0) or not config.head.spread:
        return (
            "a DFT head with spread, which keeps what raises a label from raising its neighbours, and "
            f"head.kind={config.head.kind!r} head.spread={config.head.spread}"
        )
    if config.baseline.kind != "none":
        return f"a run of one head, and baseline.kind={config.baseline.kind!r}"
    return ""
