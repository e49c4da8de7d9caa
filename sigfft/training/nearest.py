"""Whether examples come with their nearest labels, and those of a run's splits."""

import dataclasses
import logging
import time

import numpy as np
from jaxtyping import Int, Int32

from sigfft.data import Dataset, LabelCentroids, SparseFeatures, Splits
from sigfft.heads import KINDS
from sigfft.training.arguments import chosen
from sigfft.training.config import Config

_LOG = logging.getLogger(__name__)
_NEAREST = 32
_FIRST = 5  # of them are compared with as many of the most frequent labels
_TRIED = 1000  # training examples are met as new ones
_GAIN = 5.0  # times as many hits, or more, and they are used
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
    centroids = _centroids(config, splits)
    if centroids is None:
        return splits, None
    begun, n = time.perf_counter(), config.encoder.nearest
    n = n if n > 0 else min(_NEAREST, splits["train"].n_labels)
    found = {}
    for name, data in splits.items():
        assert isinstance(data.features, SparseFeatures), data.features  # as those of the training split
        active = data.labels if name == "train" else None  # each training example is met without itself
        found[name] = dataclasses.replace(data, nearest=centroids.nearest(data.features, n, active))
    _LOG.info("the %d nearest labels of each example: %.0f s", n, time.perf_counter() - begun)
    return found, centroids


def nearest_line(train: Dataset) -> str:
    """What comes with the examples, and how much it tells, in one line."""
    assert train.nearest is not None
    n, tried = train.nearest.ids.shape[1], _tried(train)
    first = min(_FIRST, n)
    gain = _gain(train, tried, train.nearest.ids[tried, :first])
    return (
        f"each example comes with the {n} labels whose training examples are nearest (encoder.nearest): the first "
        f"{first} hit {gain:.1f} times as many of its own as the {first} most frequent labels"
    )


def _centroids(config: Config, splits: Splits) -> LabelCentroids | None:
    """Those that tell the nearest labels, or None where there are to be none."""
    n, train = config.encoder.nearest, splits["train"]
    if not n:
        if config.encoder.kind == "nearest_bag":
            raise ValueError("encoder.kind='nearest_bag' takes nearest labels; set encoder.nearest=32, or take 'bag'")
        return None
    unfit = _why_not(config, train)
    if n > 0 and unfit:
        raise ValueError(f"encoder.nearest={n} is for {unfit}; leave it at 0 or -1")
    if n > train.n_labels:
        raise ValueError(f"encoder.nearest={n} must be at most the number of labels, {train.n_labels}")
    if n < 0 and (unfit or _too_many(splits)):
        return None
    centroids = LabelCentroids.fit(train)
    if n > 0 or _tells(centroids, train):
        return centroids
    if config.encoder.kind == "nearest_bag":
        raise ValueError(
            "encoder.kind='nearest_bag' takes nearest labels, which encoder.nearest=-1 leaves out: they tell little "
            "here; set encoder.nearest=32, or take 'bag'"
        )
    return None


def _too_many(splits: Splits) -> bool:
    train = splits["train"]
    assert isinstance(train.features, SparseFeatures), train.features
    sizes = (train.labels < train.n_labels).sum(axis=1).astype(np.int64)
    entries = int((sizes * np.diff(train.features.indptr)).sum())
    scores = sum(map(len, splits.values())) * train.n_labels
    if too_many := entries > _MOST or scores > _MOST_SCORES:
        _LOG.info(
            "no nearest labels: they would take %d entries and %d scores; encoder.nearest=32 asks", entries, scores
        )
    return too_many


def _tells(centroids: LabelCentroids, train: Dataset) -> bool:
    """Whether nearest labels say much that the frequencies of labels do not, by training examples left out in turn."""
    assert isinstance(train.features, SparseFeatures), train.features
    tried = _tried(train)
    near = centroids.nearest(train.features.select(tried), min(_FIRST, train.n_labels), train.labels[tried])
    gain = _gain(train, tried, near.ids)
    _LOG.info("nearest labels hit %.1f times as often as the most frequent ones; from %g on they are used", gain, _GAIN)
    return gain >= _GAIN


def _tried(train: Dataset) -> Int[np.ndarray, " tried"]:
    return np.linspace(0, len(train) - 1, min(len(train), _TRIED)).astype(int)


def _gain(train: Dataset, tried: Int[np.ndarray, " tried"], ids: Int32[np.ndarray, "tried first"]) -> float:
    """Labels of examples among the first of their nearest ones, over those among as many of the most frequent ones."""
    own = (ids[:, :, None] == train.labels[tried][:, None, :]) & (ids < train.n_labels)[:, :, None]
    usual = np.sort(train.label_counts())[-ids.shape[1] :].sum() / len(train)
    return float(own.sum() / len(tried) / max(usual, 1 / len(train)))


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
