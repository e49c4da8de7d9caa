"""What the training split says of a head's parameters before training: an embedding of its labels."""

import logging
import time

import numpy as np
from jax.experimental import multihost_utils

from sigfft.data import Dataset, DenseFeatures, SparseFeatures
from sigfft.embedding import label_directions
from sigfft.heads import Head
from sigfft.training.config import HeadConfig

_LOG = logging.getLogger(__name__)


def most_embedding(data: Dataset) -> int:
    """The most columns of an embedding of a data set's labels: 0 where its features are no vectors."""
    return max(0, min(data.n_labels, data.n_features or data.feature_dim or 0) - 2) if _has_vectors(data) else 0


def check_embedding(config: HeadConfig, slack: int, data: Dataset, key: str) -> None:
    """Raises ValueError where the features of a data set do not give labels what a head's config asks of them."""
    size, start, most = config.embedding, config.slack_start, most_embedding(data)
    if start not in ("", "embedding"):
        raise ValueError(f"{key}.slack_start={start!r} must be empty or embedding")
    if start and not slack:
        raise ValueError(
            f"{key}.slack_start={start!r} is for a DFT head with slack, which this one lacks; leave it empty"
        )
    asked = f"{key}.slack_start={start!r}" if start else f"{key}.embedding={size}"
    if (start or size) and not _has_vectors(data):
        kind = type(data.features).__name__
        raise ValueError(f"{asked} is made of features that are vectors, which {kind} are not; leave it out")
    if size > most or (start and size == most):
        given = f"{data.n_labels} labels and {data.n_features or data.feature_dim} features"
        beside = f", and less beside {asked}" if start else ""
        raise ValueError(f"{key}.embedding={size} must be at most {most}, with {given}{beside}")


def given_params(head: Head, data: Dataset, slack_start: str = "") -> dict[str, np.ndarray]:
    """What the training split says of a head's params before training: its embedding, and what slack starts as.

    The first columns are those of slack, as far as there are so many. Of several processes, all have what the first one
    made.

    Raises:
      ValueError: the features give fewer columns than the embedding has.
    """
    size = head.arguments.get("embedding", 0)
    started = min(head.arguments["slack"], most_embedding(data) - size) if slack_start else 0
    if not size + started:
        return {}
    begun, features = time.perf_counter(), data.features
    assert isinstance(features, SparseFeatures | DenseFeatures), features  # as `make_head` has seen
    matrix = features.matrix() if isinstance(features, SparseFeatures) else features.values
    columns = label_directions(matrix, data.labels, data.n_labels, size + started)
    if (found := columns.shape[1]) < size:
        raise ValueError(
            f"head.embedding={size} must be at most {found}: the labels' examples differ in no more directions"
        )
    started = found - size
    _LOG.info("%s: the embedding of %d labels: %.0f s", head.name, data.n_labels, time.perf_counter() - begun)
    slack, embedding = np.split(np.asarray(multihost_utils.broadcast_one_to_all(columns)), [started], axis=1)
    return {name: own for name, own in {"slack": slack, "embedding": embedding}.items() if own.size}


def _has_vectors(data: Dataset) -> bool:
    return isinstance(data.features, SparseFeatures | DenseFeatures)
