"""Label sets: short rows of ascending label ids, padded with `n_labels`.

A dense (batch, n_labels) 0/1 matrix is never built. Everything here runs on the host in NumPy.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Array, Int, Int32

LabelSets = Sequence[Sequence[int] | Int[np.ndarray, " _ids"]] | Int[np.ndarray | Array, "sets cardinality"]


def pad(label_sets: LabelSets, n_labels: int, max_cardinality: int | None = None) -> Int32[np.ndarray, "sets width"]:
    """Label sets as one padded array: ids ascending within a row, `n_labels` after the last.

    Args:
      label_sets: integer sequences, or an array that is padded with `n_labels` already.
      n_labels: number of labels; ids are 0 .. n_labels - 1.
      max_cardinality: width of the result; default: the largest set, at least 1.

    Raises:
      ValueError: an id is negative, beyond `n_labels`, or repeated in a set; or a set exceeds `max_cardinality`.
    """
    if getattr(label_sets, "ndim", None) == 2:  # of NumPy or JAX
        label_sets = np.asarray(label_sets)
        rows, columns = np.nonzero(_integers(label_sets) != n_labels)
        indices = label_sets[rows, columns]
        counts = np.bincount(rows, minlength=len(label_sets))
    else:
        counts = np.fromiter((len(s) for s in label_sets), np.int64, len(label_sets))
        chunks = [_integers(np.asarray(s)) for s in label_sets if len(s)]
        indices = np.concatenate(chunks) if chunks else np.zeros(0, np.int64)
    return from_csr(np.concatenate([[0], np.cumsum(counts)]), indices, n_labels, max_cardinality)


def from_csr(
    indptr: Int[np.ndarray, " sets_plus_1"],
    indices: Int[np.ndarray, " nonzeros"],
    n_labels: int,
    max_cardinality: int | None = None,
) -> Int32[np.ndarray, "sets width"]:
    """Padded label sets from compressed sparse rows: set i is `indices[indptr[i]:indptr[i + 1]]`.

    Raises:
      ValueError: as `pad`; or `indptr` does not describe `indices`.
    """
    indptr, indices = _integers(np.asarray(indptr)), _integers(np.asarray(indices))
    counts = np.diff(indptr)
    if len(indptr) == 0 or indptr[0] != 0 or indptr[-1] != len(indices) or (counts < 0).any():
        raise ValueError(f"indptr must rise from 0 to len(indices) = {len(indices)}; given {indptr}")
    rows = np.repeat(np.arange(len(counts)), counts)
    outside = (indices < 0) | (indices >= n_labels)
    if outside.any():
        first = int(np.argmax(outside))
        raise ValueError(
            f"label id {indices[first]} in set {rows[first]} is not one of the {n_labels} labels, 0 .. {n_labels - 1}"
        )
    widest = int(counts.max(initial=0))
    width = max(widest, 1) if max_cardinality is None else max_cardinality
    if widest > width:
        raise ValueError(
            f"set {int(np.argmax(counts))} has {widest} labels, more than max_cardinality={width}; "
            f"raise max_cardinality to {widest} or drop labels"
        )
    padded = np.full((len(counts), width), n_labels, np.int32)
    padded[rows, np.arange(len(indices)) - np.repeat(indptr[:-1], counts)] = indices
    padded.sort(axis=1)
    repeated = (padded[:, 1:] == padded[:, :-1]) & (padded[:, 1:] < n_labels)
    if repeated.any():
        row, column = np.argwhere(repeated)[0]
        raise ValueError(f"label id {padded[row, column]} is repeated in set {row}; a set holds each id once")
    return padded


def to_csr(
    padded: Int[np.ndarray, "sets width"], n_labels: int
) -> tuple[Int[np.ndarray, " sets_plus_1"], Int[np.ndarray, " nonzeros"]]:
    """The (indptr, indices) of padded label sets: the inverse of `from_csr`."""
    active = padded < n_labels
    return np.concatenate([[0], np.cumsum(active.sum(axis=1))]), padded[active].astype(np.int64)


def unpack(padded: Int[np.ndarray, "sets width"], n_labels: int) -> list[list[int]]:
    """Padded label sets as a list of id lists: the inverse of `pad`."""
    return [row[row < n_labels].tolist() for row in padded]


def cardinality(padded: Int[np.ndarray, "sets width"], n_labels: int) -> Int[np.ndarray, " sets"]:
    """Number of active labels of each set."""
    return (padded < n_labels).sum(axis=1)


def dedupe(
    padded: Int[np.ndarray, "sets width"],
) -> tuple[Int[np.ndarray, "distinct width"], Int[np.ndarray, " sets"], Int[np.ndarray, " distinct"]]:
    """Distinct label sets in order of first appearance, the inverse map, and how often each occurs."""
    _, first, inverse, counts = np.unique(padded, axis=0, return_index=True, return_inverse=True, return_counts=True)
    appearance = np.argsort(first)
    rank = np.empty_like(appearance)
    rank[appearance] = np.arange(len(appearance))
    return padded[first[appearance]], rank[inverse.reshape(-1)], counts[appearance]


def digest(padded: Int[np.ndarray, "sets width"], n_labels: int) -> list[str]:
    """A stable 128-bit hash of each label set, in hexadecimal.

    It depends on the active ids alone: not on padding width, dtype, platform or `n_labels`.
    """
    return [_blake2b(np.sort(row[row < n_labels])) for row in padded]


def _blake2b(ids: Int[np.ndarray, " ids"]) -> str:
    return hashlib.blake2b(np.asarray(ids, "<i8").tobytes(), digest_size=16).hexdigest()


def _integers(array: np.ndarray) -> np.ndarray:
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"label ids must be integers; given {array.dtype} values such as {array.flat[0]!r}")
    return array if array.size else array.astype(np.int64)
