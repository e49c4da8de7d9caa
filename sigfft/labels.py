"""Label sets: short rows of ascending label ids, padded with `n_labels`.

A dense (batch, n_labels) 0/1 matrix is never built. Everything here runs on the host in NumPy, but for `once`, and for
`from_multi_hot` and `to_multi_hot` of traced arrays.
"""

import hashlib
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from jaxtyping import Array, Bool, Int, Int32, Shaped

_SURELY_MULTI_HOT = 64  # labels: so wide an array that is traced is no array of ids

LabelSets = Sequence[Sequence[int] | Int[np.ndarray, " _ids"]] | Int[np.ndarray | Array, "sets cardinality"]


def pad(label_sets: LabelSets, n_labels: int, max_cardinality: int | None = None) -> Int32[np.ndarray, "sets width"]:
    """Label sets as one padded array: ids ascending within a row, `n_labels` after the last.

    Args:
      label_sets: integer sequences, or an array that is padded with `n_labels` already.
      n_labels: number of labels; ids are 0 .. n_labels - 1.
      max_cardinality: width of the result; default: the largest set, at least 1.

    Raises:
      ValueError: an id is negative, beyond `n_labels`, or repeated in a set; or a set exceeds `max_cardinality`.

    Example:
      >>> pad([[5, 2], [], [7]], n_labels=10)
      array([[ 2,  5],
             [10, 10],
             [ 7, 10]], dtype=int32)
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


from_lists = pad


def from_csr(
    indptr: Int[np.ndarray, " sets_plus_1"],
    indices: Int[np.ndarray, " nonzeros"],
    n_labels: int,
    max_cardinality: int | None = None,
) -> Int32[np.ndarray, "sets width"]:
    """Padded label sets from compressed sparse rows: set i is `indices[indptr[i]:indptr[i + 1]]`.

    Raises:
      ValueError: as `pad`; or `indptr` does not describe `indices`.

    Example:
      >>> from_csr(np.array([0, 2, 3]), np.array([4, 1, 0]), n_labels=5)
      array([[1, 4],
             [0, 5]], dtype=int32)
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


def from_multi_hot(
    matrix: Shaped[np.ndarray | Array, "sets labels"], max_cardinality: int | None = None
) -> Int32[np.ndarray | Array, "sets width"]:
    """Padded label sets from a matrix of 0s and 1s, or of booleans: (sets, n_labels).

    Under `jax.jit` the width must be given and values cannot be checked: what is not 0 is active, and of more than
    `max_cardinality` labels the first remain.

    Raises:
      ValueError: another shape or other values, a set exceeds `max_cardinality`, or a traced matrix without it.

    Example:
      >>> from_multi_hot(np.array([[0, 1, 1], [1, 0, 0]]))
      array([[1, 2],
             [0, 3]], dtype=int32)
    """
    if isinstance(matrix, jax.core.Tracer):
        return _from_traced(matrix, max_cardinality)
    dense = np.asarray(matrix)
    if dense.ndim != 2 or not ((dense == 0) | (dense == 1)).all():
        raise ValueError(f"a multi-hot matrix is (sets, n_labels) of 0s and 1s; given {dense.dtype} {dense.shape}")
    counts, indices = dense.astype(bool).sum(axis=1), np.nonzero(dense)[1]
    return from_csr(np.concatenate([[0], np.cumsum(counts)]), indices, dense.shape[1], max_cardinality)


def _from_traced(matrix: Array, max_cardinality: int | None) -> Array:
    if matrix.ndim != 2:
        raise ValueError(f"a multi-hot matrix is (sets, n_labels) of 0s and 1s; given {matrix.dtype} {matrix.shape}")
    if max_cardinality is None:
        raise ValueError("the width of label sets from a traced matrix must be known: give max_cardinality")
    n_labels = matrix.shape[1]
    ids = jnp.where(matrix.astype(bool), np.arange(n_labels, dtype=np.int32)[None], n_labels)
    first = -jax.lax.top_k(-ids, min(max_cardinality, n_labels))[0]
    return jnp.pad(first, ((0, 0), (0, max_cardinality - first.shape[1])), constant_values=n_labels)


def to_multi_hot(
    padded: Int[np.ndarray | Array, "sets width"], n_labels: int
) -> Bool[np.ndarray | Array, "sets labels"]:
    """Padded label sets as a dense boolean matrix (sets, n_labels), for libraries that want one; also traced."""
    if isinstance(padded, jax.core.Tracer):
        rows, ids = np.arange(len(padded))[:, None], jnp.where(padded < 0, n_labels, padded)
        return jnp.zeros((len(padded), n_labels), bool).at[rows, ids].set(True, mode="drop")
    dense = np.zeros((len(padded), n_labels + 1), bool)
    np.put_along_axis(dense, np.minimum(np.asarray(padded), n_labels), True, axis=1)
    return dense[:, :n_labels]


def once(labels: Int[np.ndarray | Array, "*batch width"], n_labels: int) -> Int[Array, "*batch width"]:
    """Label sets in which each id stands once, ascending, and padding is n_labels; traced or not.

    Padding may have been any id that is not a label's, negative ones among them.
    """
    ids = jnp.asarray(labels, jnp.int32)
    ids = jnp.sort(jnp.where((ids < 0) | (ids > n_labels), n_labels, ids), axis=-1)
    return ids.at[..., 1:].set(jnp.where(ids[..., 1:] == ids[..., :-1], n_labels, ids[..., 1:]))


def to_csr(
    padded: Int[np.ndarray, "sets width"], n_labels: int
) -> tuple[Int[np.ndarray, " sets_plus_1"], Int[np.ndarray, " nonzeros"]]:
    """The (indptr, indices) of padded label sets: the inverse of `from_csr`."""
    active = padded < n_labels
    return np.concatenate([[0], np.cumsum(active.sum(axis=1))]), padded[active].astype(np.int64)


def to_sparse(
    padded: Int[np.ndarray, "sets width"], n_labels: int, dtype: np.typing.DTypeLike = np.float64
) -> scipy.sparse.csr_array:
    """Padded label sets as rows of 0 and 1, (sets, n_labels), of which ones alone are stored."""
    indptr, indices = to_csr(padded, n_labels)
    places = (
        array.astype(scipy.sparse.get_index_dtype(maxval=max(len(indices), n_labels))) for array in (indices, indptr)
    )
    return scipy.sparse.csr_array((np.ones(len(indices), dtype), *places), shape=(len(padded), n_labels))


def check(
    labels: Shaped[np.ndarray | Array, "..."], batch: tuple[int, ...], n_labels: int, name: str = "labels"
) -> None:
    """Raise ValueError unless an array is of padded label ids (..., width), as far as its values are known.

    A matrix of 0s and 1s, whose width is n_labels, is told by its values, or by its width alone where it is traced and
    no set is likely to have so many labels.
    """
    hint = "a matrix of 0s and 1s becomes label ids by sigfft.labels.from_multi_hot, lists by sigfft.labels.pad"
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"{name} must be integer label ids, padded with {n_labels}; given {labels.dtype}; {hint}")
    if labels.ndim != len(batch) + 1 or labels.shape[:-1] != batch:
        expected = ", ".join(map(str, (*batch, "max_cardinality")))
        raise ValueError(f"{name} must be ({expected}), as the examples; given shape {labels.shape}; {hint}")
    if labels.shape[-1] == n_labels > 2:
        traced = isinstance(labels, jax.core.Tracer)
        if n_labels > _SURELY_MULTI_HOT if traced else labels.size and bool(((labels == 0) | (labels == 1)).all()):
            raise ValueError(f"{name} has a column for each of {n_labels} labels; expected label ids: {hint}")


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
