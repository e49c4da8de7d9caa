"""Which labels have training examples like a given one, by the centroids of labels: no training, and no low rank.

Where labels have words of their own, this says more of most of them than a bag of words learns in some epochs.
`NearestBag` starts the activation of a DFT head from it.
"""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from jaxtyping import Float32, Int32

from sigfft import labels
from sigfft.data.dataset import Dataset, NearestLabels, SparseFeatures
from sigfft.files import replacing
from sigfft.files.arrays import open_arrays

_SCORES = 1 << 24  # of points and labels, held at a time
_KEPT = ("data", "indices", "indptr", "shape", "counts")  # in a file
_NONE = 1e-5  # squared length of a sum of unit vectors, or product with one, that is but rounding


@dataclasses.dataclass(frozen=True)
class LabelCentroids:
    """The sum over each label's training examples of their features at unit length: the direction of their centroid.

    Reference: Rocchio's classifier; in extreme classification, "positive instance feature aggregation" (Yu et al.,
    PECOS, 2022, section 3).
    """

    sums: scipy.sparse.csr_matrix  # float32 (n_labels, n_features)
    counts: Int32[np.ndarray, " labels"]  # training examples of each label

    @classmethod
    def fit(cls, train: Dataset) -> "LabelCentroids":
        """The centroids of a split.

        Raises:
          ValueError: its features are not sparse.
        """
        if not isinstance(train.features, SparseFeatures):
            raise ValueError(f"centroids are of SparseFeatures; given {type(train.features).__name__}")
        member = labels.to_sparse(train.labels, train.n_labels, np.float32)
        sums = scipy.sparse.csr_matrix(member.T @ _unit_rows(train.features))
        sums.sort_indices()
        return cls(sums, train.label_counts().astype(np.int32))

    @classmethod
    def load(cls, path: Path | str, n_labels: int | None = None, n_features: int | None = None) -> "LabelCentroids":
        """What `save` wrote; perhaps with the sizes that it must have.

        Raises:
          ValueError: it is missing, damaged, of other sizes, or something else.
        """
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"{path}, the centroids of a run's labels, is missing")
        with open_arrays(path) as arrays:
            if missing := [name for name in _KEPT if name not in arrays.shapes]:
                raise ValueError(f"{path} holds no centroids of labels: {missing[0]!r} is missing")
            own = {name: arrays.read(name) for name in _KEPT}
        try:
            sums = scipy.sparse.csr_matrix((own["data"], own["indices"], own["indptr"]), tuple(own["shape"].tolist()))
            sums.check_format(full_check=True)
            counts = own["counts"]
            if sums.dtype != np.float32:
                raise ValueError(f"its sums must be float32; they are {sums.dtype}")
            if not np.isfinite(sums.data).all():
                raise ValueError("its sums must be finite; some are not")
            if counts.shape != sums.shape[:1] or counts.dtype != np.int32 or counts.min(initial=0) < 0:
                raise ValueError(f"its counts must be whole numbers from 0, one for each of {sums.shape[0]} labels")
            for name, size, expected in zip(("labels", "features"), sums.shape, (n_labels, n_features), strict=True):
                if not size or size != (expected or size):
                    raise ValueError(f"it is of {size} {name}, and not of {expected or 'any'}")
        except (TypeError, ValueError, OverflowError, MemoryError) as error:
            raise ValueError(f"{path} holds no centroids of labels, as the run has them: {error}") from error
        return cls(sums, counts)

    def save(self, path: Path) -> None:
        """Writes an .npz file, which appears when it is whole."""
        own: dict[str, Any] = {name: getattr(self.sums, name) for name in _KEPT[:-1]} | {"counts": self.counts}
        with replacing(path) as part, part.open("wb") as file:
            np.savez(file, **own)

    def nearest(
        self, features: SparseFeatures, n: int, active: Int32[np.ndarray, "points max_cardinality"] | None = None
    ) -> NearestLabels:
        """The `n` labels of each point whose centroids have the largest cosine with it, above 0, best first.

        Args:
          features: of the points.
          n: labels, at most n_labels.
          active: of training points, their labels, padded with n_labels: what a point itself gave to their centroids
            and counts is taken out, so that it meets them as a new point would.

        Raises:
          ValueError: `n` is not from 1 to n_labels, or the features are others than those of the centroids.
        """
        if not 1 <= n <= len(self.counts):
            raise ValueError(f"n={n} must be at least 1 and at most the number of labels, {len(self.counts)}")
        if features.n_features != self.sums.shape[1]:
            raise ValueError(f"points of {features.n_features} features; the centroids have {self.sums.shape[1]}")
        parts = [self._nearest(points, own, n) for points, own in self._chunks(features, active)]
        ids, scores, counts = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return NearestLabels(ids, scores, counts, len(self.counts))

    def _chunks(
        self, features: SparseFeatures, active: Int32[np.ndarray, "points max_cardinality"] | None
    ) -> Iterator[tuple[scipy.sparse.csr_matrix, Int32[np.ndarray, "chunk max_cardinality"] | None]]:
        points, size = _unit_rows(features), max(1, _SCORES // len(self.counts))
        for start in range(0, max(1, len(features)), size):
            part = slice(start, start + size)
            yield points[part], None if active is None else active[part]

    def _nearest(
        self, points: scipy.sparse.csr_matrix, active: Int32[np.ndarray, "chunk max_cardinality"] | None, n: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        scores = (points @ self._directions).toarray()
        if active is not None:
            rows, places = np.nonzero(active < len(self.counts))
            own = active[rows, places]
            products, squares = scores[rows, own] * self._lengths[own], self._lengths[own] ** 2
            left = squares - 2 * products + 1  # of the centroid without the point: |c - x|²
            directed = (self.counts[own] > 1) & (left > _NONE) & (products > 1 + _NONE)
            scores[rows, own] = np.where(directed, (products - 1) / np.sqrt(np.where(directed, left, 1)), 0)
        best = np.argpartition(scores, -n, axis=1)[:, -n:]
        best.sort(axis=1)
        values = np.take_along_axis(scores, best, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        best, values = np.take_along_axis(best, order, axis=1), np.take_along_axis(values, order, axis=1)
        counts = self.counts[best].astype(np.float32)
        if active is not None:
            counts -= (best[:, :, None] == active[:, None, :]).any(axis=2)
        near = values > 0
        ids = np.where(near, best, len(self.counts)).astype(np.int32)
        return ids, np.where(near, values, 0).astype(np.float32), np.where(near, counts, 0)

    @functools.cached_property
    def _lengths(self) -> Float32[np.ndarray, " labels"]:
        return np.sqrt(np.asarray(self.sums.multiply(self.sums).sum(axis=1))).ravel().astype(np.float32)

    @functools.cached_property
    def _directions(self) -> scipy.sparse.csr_matrix:
        """Centroids of unit length as columns, (n_features, n_labels)."""
        scale = 1 / np.where(self._lengths > 0, self._lengths, 1)
        return (scipy.sparse.diags(scale.astype(np.float32)) @ self.sums).T.tocsr()


def _unit_rows(features: SparseFeatures) -> scipy.sparse.csr_matrix:
    matrix = features.matrix()
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1))).ravel()
    return (scipy.sparse.diags((1 / np.where(lengths > 0, lengths, 1)).astype(np.float32)) @ matrix).tocsr()
