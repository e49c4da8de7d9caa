"""Given columns of a DFT head's W: labels by the directions in which the features of their training examples differ.

Labels whose examples are alike have rows that are alike, as a bottleneck has to learn them. Beside the fixed columns,
which carry the guarantee, these are for scores: `benchmarks/why_spread.py` compares heads of equal parameters.

Reference: label features from their positive examples are usual in extreme classification, "positive instance feature
aggregation" (Yu et al., PECOS, 2022, section 3); that they are columns of an output layer is ours.
"""

from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from jaxtyping import Float32, Real

from sigfft import labels
from sigfft.heads.head import whole

_RARE = 20  # added to a label's number of examples, so that labels of one example do not lead the directions
_NONE = 1e-5  # singular values, over the largest, that are but rounding


def label_embedding(
    features: Real[np.ndarray, "examples features"] | scipy.sparse.csr_array | scipy.sparse.csr_matrix,
    label_sets: labels.LabelSets,
    n_labels: int,
    size: int,
) -> Float32[np.ndarray, "labels size"]:
    """Values for `params["embedding"]` of `sigfft.dft_head(embedding=size)`.

    The left singular vectors of the matrix with a row for each label: the sum over its examples of their features at
    unit length, over √(examples + 20). The first of them, which says how frequent labels are, is left out:
    `sigfft.label_priors` is for that. Columns have length √n_labels, as those of slack have on average at their start;
    the same examples give the same values, but for rounding on another machine.

    Args:
      features: of the training examples, dense, or sparse as SciPy has them by rows.
      label_sets: theirs, one for each example.
      n_labels: number of labels.
      size: number of columns, at most min(n_labels, features) - 2.

    Raises:
      ValueError: sizes that do not fit, features that are not finite, or fewer directions than were asked for.

    Example:
      >>> features = np.eye(8)[[0, 1, 2, 3, 4, 5, 6, 7, 0, 1]]
      >>> label_embedding(features, [[i % 8] for i in range(10)], n_labels=8, size=3).shape
      (8, 3)
    """
    whole("size", size, 1)
    columns = label_directions(features, label_sets, n_labels, size)
    if (most := columns.shape[1]) < size:
        raise ValueError(f"size={size} is more than the {most} directions in which the labels' examples differ")
    return columns


def label_directions(
    features: Any, label_sets: labels.LabelSets, n_labels: int, size: int
) -> Float32[np.ndarray, "labels found"]:
    """The columns of `label_embedding`, or as many as there are where these are fewer than `size`."""
    active = labels.pad(label_sets, n_labels)
    matrix = _matrix(features)
    n_examples, n_features = matrix.shape
    if len(active) != n_examples:
        raise ValueError(f"{n_examples} rows of features do not match {len(active)} label sets")
    most = min(n_labels, n_features) - 2
    if size > most:
        raise ValueError(
            f"size={size} must be at most {most}: {n_labels} labels by {n_features} features have no more directions"
        )
    member = labels.to_sparse(active, n_labels)
    squares = np.square(matrix) if isinstance(matrix, np.ndarray) else matrix.multiply(matrix)
    lengths = np.sqrt(np.asarray(squares.sum(axis=1), np.float64)).ravel()
    if not np.isfinite(lengths).all():
        raise ValueError(f"features must be finite; those of example {int(np.argmin(np.isfinite(lengths)))} are not")
    if not (member.T @ lengths).any():
        raise ValueError("no label has an example with a feature other than 0; leave the embedding out")
    per_example = scipy.sparse.diags_array(1 / np.where(lengths > 0, lengths, 1))
    per_label = scipy.sparse.diags_array(1 / np.sqrt(member.sum(axis=0) + _RARE))
    sums = (per_label @ member.T @ per_example) @ matrix
    start = np.random.default_rng(0).normal(size=min(sums.shape))
    left, values, _ = scipy.sparse.linalg.svds(sums, size + 1, v0=start)
    order = np.argsort(-values)
    found = int((values > _NONE * values.max()).sum()) - 1
    left = left[:, order[1 : found + 1]]
    left *= np.sign(left[np.abs(left).argmax(axis=0), np.arange(found)])  # a singular vector's sign is free
    return np.asarray(left * np.sqrt(n_labels), np.float32, order="C")


def _matrix(features: Any) -> np.ndarray | scipy.sparse.csr_array:
    """Features as floating-point numbers, dense ones as float64; integers would be squared as such, and overflow."""
    is_sparse = scipy.sparse.issparse(features)
    given: Any = features if is_sparse else np.asarray(features, np.float64)
    if given.ndim != 2:
        raise ValueError(f"features must be a row for each example; given shape {given.shape}")
    if not is_sparse:
        return given
    sparse = scipy.sparse.csr_array(given)
    return sparse if np.issubdtype(sparse.dtype, np.floating) else sparse.astype(np.float64)
