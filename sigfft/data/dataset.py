"""A split in memory: packed arrays, and padded batches of static shape gathered from them by index."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse
from jaxtyping import Bool, Float32, Int, Int32, Real, Shaped, UInt8

Batch = dict[str, Shaped[np.ndarray, "batch ..."]]


@dataclasses.dataclass(frozen=True)
class SparseFeatures:
    """Features as compressed sparse rows: point i has the ids `ids[indptr[i]:indptr[i + 1]]`, and likewise values.

    `width` is the row length of a gathered batch; no point has more features (see `keep_largest`).
    """

    indptr: Int[np.ndarray, " points_plus_1"]
    ids: Int32[np.ndarray, " nonzeros"]
    values: Float32[np.ndarray, " nonzeros"]
    n_features: int
    width: int

    def __post_init__(self) -> None:
        widest = int(np.diff(self.indptr).max(initial=0))
        if widest > self.width:
            raise ValueError(f"a point has {widest} features, more than width={self.width}; see keep_largest")
        low, high = self.ids.min(initial=0), self.ids.max(initial=-1)
        if low < 0 or high >= self.n_features:
            raise ValueError(f"ids must be of features 0 to {self.n_features - 1}; given ids from {low} to {high}")

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def matrix(self) -> scipy.sparse.csr_matrix:
        """The same as SciPy has it, (points, n_features), which shares the memory."""
        return scipy.sparse.csr_matrix((self.values, self.ids, self.indptr), (len(self), self.n_features))

    def select(self, indices: Int[np.ndarray, " chosen"]) -> "SparseFeatures":
        """The points at `indices` alone."""
        indptr, positions = _rows(self.indptr, indices)
        return dataclasses.replace(self, indptr=indptr, ids=self.ids[positions], values=self.values[positions])

    def count_distinct(self, indices: Int[np.ndarray, " chosen"]) -> int:
        """How many different features the points at `indices` have together."""
        seen = np.zeros(self.n_features, bool)
        seen[self.ids[_rows(self.indptr, indices)[1]]] = True
        return int(seen.sum())

    def gather(self, indices: Int[np.ndarray, " batch"], present: Bool[np.ndarray, " batch"]) -> Batch:
        """`feature_ids` padded with `n_features`, and `feature_values` padded with 0; both (batch, width)."""
        starts = self.indptr[indices]
        counts = np.where(present, self.indptr[indices + 1] - starts, 0)
        columns = np.arange(self.width)
        inside = columns < counts[:, None]
        ids = np.full((len(indices), self.width), self.n_features, np.int32)
        values = np.zeros((len(indices), self.width), np.float32)
        positions = (starts[:, None] + columns)[inside]
        ids[inside] = self.ids[positions]
        values[inside] = self.values[positions]
        return {"feature_ids": ids, "feature_values": values}


@dataclasses.dataclass(frozen=True)
class DenseFeatures:
    """One vector per point, of any real dtype, in memory or mapped from a file; batches are float32."""

    values: Real[np.ndarray, "points feature_dim"]
    name: str = "features"  # of the array of a batch

    def __len__(self) -> int:
        return len(self.values)

    def select(self, indices: Int[np.ndarray, " chosen"]) -> "DenseFeatures":
        """The points at `indices` alone, in memory."""
        return dataclasses.replace(self, values=self.values[indices])

    def gather(self, indices: Int[np.ndarray, " batch"], present: Bool[np.ndarray, " batch"]) -> Batch:
        """`features`, or as it is named, float32 (batch, feature_dim); zeros where there is no point."""
        return {self.name: np.asarray(self.values[indices], np.float32) * present[:, None].astype(np.float32)}


@dataclasses.dataclass(frozen=True)
class TokenFeatures:
    """Texts as ids of tokens, below `n_tokens`, packed as compressed sparse rows: the ids of text i are in order.

    `width` is the row length of a gathered batch; no text has more tokens.
    """

    indptr: Int[np.ndarray, " points_plus_1"]
    ids: Int32[np.ndarray, " tokens"]
    n_tokens: int
    width: int

    def __post_init__(self) -> None:
        longest = int(np.diff(self.indptr).max(initial=0))
        if longest > self.width:
            raise ValueError(f"a text has {longest} tokens, more than width={self.width}")

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def select(self, indices: Int[np.ndarray, " chosen"]) -> "TokenFeatures":
        """The texts at `indices` alone."""
        indptr, positions = _rows(self.indptr, indices)
        return dataclasses.replace(self, indptr=indptr, ids=self.ids[positions])

    def gather(self, indices: Int[np.ndarray, " batch"], present: Bool[np.ndarray, " batch"]) -> Batch:
        """`tokens`, int32, padded with 0, and `token_mask`, bool, True for tokens; both (batch, width)."""
        starts = self.indptr[indices]
        columns = np.arange(self.width)
        inside = columns < np.where(present, self.indptr[indices + 1] - starts, 0)[:, None]
        tokens = np.zeros((len(indices), self.width), np.int32)
        tokens[inside] = self.ids[(starts[:, None] + columns)[inside]]
        return {"tokens": tokens, "token_mask": inside}


@dataclasses.dataclass(frozen=True)
class ImageFeatures:
    """Images of one size, in colour."""

    values: UInt8[np.ndarray, "points height width 3"]

    def __len__(self) -> int:
        return len(self.values)

    def select(self, indices: Int[np.ndarray, " chosen"]) -> "ImageFeatures":
        """The images at `indices` alone."""
        return dataclasses.replace(self, values=self.values[indices])

    def gather(self, indices: Int[np.ndarray, " batch"], present: Bool[np.ndarray, " batch"]) -> Batch:
        """`image`, uint8 (batch, height, width, 3); black where there is no point."""
        return {"image": self.values[indices] * present[:, None, None, None].astype(np.uint8)}


Features = SparseFeatures | DenseFeatures | TokenFeatures | ImageFeatures


@dataclasses.dataclass(frozen=True)
class NearestLabels:
    """Labels whose training examples are like a point, best first; see `sigfft.data.centroids`."""

    ids: Int32[np.ndarray, "points n"]  # padded with n_labels
    scores: Float32[np.ndarray, "points n"]  # cosines above 0; 0 at the padding
    counts: Float32[np.ndarray, "points n"]  # training examples of these labels, besides the point itself
    n_labels: int

    def select(self, indices: Int[np.ndarray, " chosen"]) -> "NearestLabels":
        """Those of the points at `indices` alone."""
        return NearestLabels(self.ids[indices], self.scores[indices], self.counts[indices], self.n_labels)

    def gather(self, indices: Int[np.ndarray, " batch"], present: Bool[np.ndarray, " batch"]) -> Batch:
        """`nearest_ids`, `nearest_scores` and `nearest_counts`, each (batch, n); none where there is no point."""
        own, there = self.select(indices), present[:, None]
        return {
            "nearest_ids": np.where(there, own.ids, np.int32(self.n_labels)),
            "nearest_scores": own.scores * there,
            "nearest_counts": own.counts * there,
        }


@dataclasses.dataclass(frozen=True)
class Origin:
    """What a source tells of its examples besides their numbers; a run keeps it."""

    names: tuple[str, ...] | None = None  # of the labels, in the order of their ids
    intake: Mapping[str, Any] | None = None  # how raw examples become features, as `data.intake` reads it
    about: str = ""  # what was read as what, in one line


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One split. All widths, of labels, sparse features and tokens, are those of the widest split of the data set."""

    features: Features
    labels: Int32[np.ndarray, "points max_cardinality"]  # ascending ids, padded with n_labels
    n_labels: int
    origin: Origin = Origin()
    nearest: NearestLabels | None = None  # of each point, where the encoder asks for them

    def __post_init__(self) -> None:
        if len(self.features) != len(self.labels):
            raise ValueError(f"{len(self.features)} rows of features do not match {len(self.labels)} label sets")
        if self.nearest is not None and len(self.nearest.ids) != len(self.labels):
            raise ValueError(f"nearest labels of {len(self.nearest.ids)} points do not match {len(self.labels)}")
        names = self.origin.names
        if names is not None and len(names) != self.n_labels:
            raise ValueError(f"{len(names)} names do not match n_labels={self.n_labels}; give one for each label")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def n_features(self) -> int | None:
        """Size of the sparse feature space, or of the vocabulary of tokens; None for other features."""
        if isinstance(self.features, TokenFeatures):
            return self.features.n_tokens
        return self.features.n_features if isinstance(self.features, SparseFeatures) else None

    @property
    def feature_dim(self) -> int | None:
        """Length of a dense feature vector; None for other features."""
        return self.features.values.shape[1] if isinstance(self.features, DenseFeatures) else None

    @property
    def max_cardinality(self) -> int:
        """Labels of the largest label set over all splits, at least 1."""
        return self.labels.shape[1]

    @property
    def mean_cardinality(self) -> float:
        """Mean number of labels of a point of this split."""
        return float((self.labels < self.n_labels).sum() / len(self))

    @property
    def density(self) -> float:
        """Share of the sparse features that a point of this split has, on average; 1 for other features."""
        features = self.features
        if not isinstance(features, SparseFeatures):
            return 1.0
        return float(features.indptr[-1] / (max(1, len(self)) * max(1, features.n_features)))

    def label_counts(self) -> Int[np.ndarray, " labels"]:
        """How many points of this split have each label: what propensities are made of."""
        return np.bincount(self.labels.ravel(), minlength=self.n_labels + 1)[: self.n_labels]

    def hold_out(self, share: float, seed: int) -> tuple["Dataset", "Dataset"]:
        """Two splits of this one: what is left, and a random `share` of the points.

        Raises:
          ValueError: one of the two would be empty.
        """
        n_held = round(share * len(self))
        if not 0 < n_held < len(self):
            raise ValueError(f"a share of {share} of {len(self)} points leaves one split empty; give one in (0, 1)")
        shuffled = np.random.default_rng(seed).permutation(len(self))
        parts = np.sort(shuffled[n_held:]), np.sort(shuffled[:n_held])
        kept, held = (self._select(own) for own in parts)
        return kept, held

    def _select(self, indices: Int[np.ndarray, " chosen"]) -> "Dataset":
        nearest = None if self.nearest is None else self.nearest.select(indices)
        own = {"features": self.features.select(indices), "labels": self.labels[indices], "nearest": nearest}
        return dataclasses.replace(self, **own)

    def gather(self, indices: Int[np.ndarray, " batch"]) -> Batch:
        """The points at `indices` as one batch; an index of `len(self)` or more gives an empty row.

        Returns:
          `labels`, int32 (batch, max_cardinality), padded with `n_labels`; `mask`, bool (batch,), True for points;
          and what the features' own `gather` gives: `features`; `feature_ids` with `feature_values`; `tokens` with
          `token_mask`; or `image`; and of nearest labels theirs, where the split has them.
        """
        present = indices < len(self)
        rows = np.where(present, indices, 0)
        labels = np.where(present[:, None], self.labels[rows], np.int32(self.n_labels))
        nearest = {} if self.nearest is None else self.nearest.gather(rows, present)
        return {"labels": labels, "mask": present, **self.features.gather(rows, present), **nearest}


Splits = dict[str, Dataset]  # "train", "test", and perhaps "dev"


def keep_largest(
    indptr: Int[np.ndarray, " points_plus_1"],
    ids: Int32[np.ndarray, " nonzeros"],
    values: Float32[np.ndarray, " nonzeros"],
    max_features: int,
) -> tuple[
    Int[np.ndarray, " points_plus_1"], Int32[np.ndarray, " kept_nonzeros"], Float32[np.ndarray, " kept_nonzeros"]
]:
    """Of each point, the `max_features` features of largest |value|, still in their order; of equals, the first.

    Raises:
      ValueError: `max_features` is less than 1.
    """
    if max_features < 1:
        raise ValueError(f"max_features must be at least 1; given {max_features}")
    counts = np.diff(indptr)
    rows = np.repeat(np.arange(len(counts)), counts)
    crowded = np.flatnonzero(counts[rows] > max_features)
    order = crowded[np.lexsort((-np.abs(values[crowded]), rows[crowded]))]
    # Sorting moves entries only within their row, so the sorted rows still start where they started.
    crowded_counts = counts[counts > max_features]
    rank = np.arange(len(crowded)) - np.repeat(np.cumsum(crowded_counts) - crowded_counts, crowded_counts)
    kept = np.ones(len(ids), bool)
    kept[order[rank >= max_features]] = False
    return np.concatenate([[0], np.cumsum(np.minimum(counts, max_features))]), ids[kept], values[kept]


def _rows(
    indptr: Int[np.ndarray, " points_plus_1"], indices: Int[np.ndarray, " chosen"]
) -> tuple[Int[np.ndarray, " chosen_plus_1"], Int[np.ndarray, " entries"]]:
    """The `indptr` of some rows alone, and where their entries lie among all."""
    counts = np.diff(indptr)[indices]
    own = np.concatenate([[0], np.cumsum(counts)])
    return own, np.arange(own[-1]) + np.repeat(indptr[indices] - own[:-1], counts)
