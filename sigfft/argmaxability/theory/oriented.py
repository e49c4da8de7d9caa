"""The oriented matroid of a small W, exactly: circuits, cocircuits, sign vectors, orthogonal complement.

Rows may be in general position or not. Floats are taken at their exact value; integers and fractions are welcome.
Cost grows like C(n, d): meant for about n <= 14, to look at and to test against.

Reference: Ziegler, Lectures on Polytopes (1995), chapter 6; Björner et al., Oriented Matroids (1999), section 3.7.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Int8

Weight = np.ndarray | Sequence[Sequence]  # of floats, integers or fractions
SignVectors = Int8[np.ndarray, "vectors labels"]


def orthogonal_complement(weight: Weight) -> np.ndarray:
    """A basis of {y : Wᵀ y = 0} as columns of fractions, (labels, labels − rank).

    Its rows are the Gale dual of the rows of W: the circuits of one are the cocircuits of the other.
    """
    kernel = _kernel(_rational(weight).transpose())
    basis = np.empty((len(weight), len(kernel)), dtype=object)
    for column, vector in enumerate(kernel):
        basis[:, column] = [Fraction(int(value.p), int(value.q)) for value in vector]
    return basis


def cocircuits(weight: Weight) -> SignVectors:
    """Sign vectors of W z with minimal support, both signs of each: the hyperplanes that rows span."""
    matrix = _rational(weight)
    n, rank = matrix.nrows(), matrix.rank()
    table = _column_basis(matrix).tolist()
    found = set()
    for chosen in combinations(range(n), rank - 1) if rank else ():
        normals = _kernel(fmpq_mat(rank - 1, rank, [v for i in chosen for v in table[i]]))
        if len(normals) == 1:  # else the chosen rows are dependent, and span no hyperplane
            values = (sum((a * b for a, b in zip(row, normals[0], strict=True)), fmpq(0)) for row in table)
            signs = tuple(int(v > 0) - int(v < 0) for v in values)
            found |= {signs, tuple(-s for s in signs)}
    return _array(found, n)


def circuits(weight: Weight) -> SignVectors:
    """Sign vectors of the minimal linear dependencies of the rows, both signs of each.

    A label set with signs s is unargmaxable (threshold, no bias) if and only if some circuit c has c_i = s_i wherever
    c_i is not 0; of a zero row, which is a circuit by itself, only where its label is on.

    Example:
      >>> circuits([[1, 0], [0, 1], [1, 1]])  # the third row is the sum of the others
      array([[-1, -1,  1],
             [ 1,  1, -1]], dtype=int8)
    """
    return cocircuits(orthogonal_complement(weight))


def sign_vectors(weight: Weight, strict: bool = True) -> SignVectors:
    """All sign vectors of W z; with `strict`, those without a zero: the argmaxable label sets (threshold, no bias).

    A zero row has no sign but 0; with `strict` that is -1, since its label is off for every z, and asks nothing.

    Every sign vector is a composition of cocircuits, X∘Y = X where X is not 0, else Y.
    """
    minimal = cocircuits(weight).astype(np.int64)
    places = 3 ** np.arange(minimal.shape[1])  # a sign vector is a number in balanced ternary
    if len(places) > 39:
        raise ValueError(f"sign vectors are enumerated for at most 39 labels; given {len(places)}")
    seen = frontier = np.zeros(1, np.int64)
    while len(frontier):
        composed = frontier[:, None] + (_digits(frontier, places) == 0) @ (minimal * places).T
        frontier = np.setdiff1d(composed, seen)
        seen = np.union1d(seen, frontier)
    everything = _array(set(map(tuple, _digits(seen, places).tolist())), len(places))
    if strict:
        everything[:, ~np.asarray(_rational(weight).tolist(), dtype=bool).any(axis=1)] = -1
    return everything[(everything != 0).all(axis=1)] if strict else everything


def _digits(codes: np.ndarray, places: np.ndarray) -> np.ndarray:
    shifted = codes[:, None] + places.sum()  # digits 0, 1, 2 for -1, 0, 1
    return shifted // places % 3 - 1


def _rational(weight: Weight) -> fmpq_mat:
    table = np.asarray(weight)
    if table.ndim != 2 or not len(table):
        raise ValueError(f"weight must be (n_labels, dim) with at least one label; given shape {table.shape}")
    if table.dtype != object:
        if not np.isfinite(table.astype(np.float64)).all():
            raise ValueError("weight must be finite; it holds NaN or infinity")
        table = table.astype(np.float64).astype(object) if table.dtype.kind != "i" else table.astype(object)
    entries = [fmpq(f.numerator, f.denominator) for f in map(Fraction, table.ravel().tolist())]
    return fmpq_mat(table.shape[0], table.shape[1], entries)


def _reduced(matrix: fmpq_mat) -> tuple[fmpq_mat, list[int]]:
    """The reduced row echelon form, and its pivot columns."""
    echelon, rank = matrix.rref()
    return echelon, [next(j for j in range(matrix.ncols()) if echelon[i, j] != 0) for i in range(rank)]


def _column_basis(matrix: fmpq_mat) -> fmpq_mat:
    """Independent columns with the same span: the coordinates of rows in their own space."""
    _, pivots = _reduced(matrix)
    return fmpq_mat(matrix.nrows(), len(pivots), [matrix[i, j] for i in range(matrix.nrows()) for j in pivots])


def _kernel(matrix: fmpq_mat) -> list[list[fmpq]]:
    """A basis of {y : matrix y = 0}: one vector for each column without a pivot."""
    echelon, pivots = _reduced(matrix)
    basis = []
    for free in (j for j in range(matrix.ncols()) if j not in pivots):
        vector = [fmpq(int(j == free)) for j in range(matrix.ncols())]
        for i, pivot in enumerate(pivots):
            vector[pivot] = -echelon[i, free]
        basis.append(vector)
    return basis


def _array(vectors: set[tuple[int, ...]], n: int) -> SignVectors:
    return np.array(sorted(vectors), np.int8).reshape(-1, n)
