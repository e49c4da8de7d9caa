"""Label order by co-occurrence: labels that occur together become neighbours on the circle.

Around the circle a set of j labels changes sign 2·(j − a) times, a the number of its labels whose next neighbour is in
the set as well. Over a data set the sign changes are therefore 2·Σ j − 2·Σ_i C[i, next(i)], with C[i, j] the number of
examples that have both labels: the best order is the heaviest closed tour through C, a travelling salesman's problem.
Few sign changes are few frequencies: sets beyond k labels come under the guarantee. See `benchmarks/bench_order.py`.

Reference: Grivas et al. (AAAI 2024), section 4, on the alternation of label sets.
"""

import numpy as np
import scipy.sparse
from jaxtyping import Int, Int32

from sigfft import labels


def label_order(label_sets: labels.LabelSets, n_labels: int) -> Int32[np.ndarray, " labels"]:
    """The point of each label on the circle, for `dft_head(order=...)`.

    Chains of labels are joined end to end, from the heaviest pair down: the greedy heuristic for the tour.

    Args:
      label_sets: of the training split; repeated sets count as often as they occur.
      n_labels: number of labels.

    Returns:
      A permutation of 0 .. n_labels - 1. Labels that occur with no other label come last.

    Raises:
      ValueError: ids out of range.
    """
    order = np.empty(n_labels, np.int32)
    order[_chains(co_occurrence(label_sets, n_labels))] = np.arange(n_labels)
    return order


def co_occurrence(label_sets: labels.LabelSets, n_labels: int) -> scipy.sparse.csr_array:
    """How many label sets have both labels, (n_labels, n_labels), with a zero diagonal."""
    member = labels.to_sparse(labels.pad(label_sets, n_labels), n_labels)
    together = scipy.sparse.csr_array(member.T @ member)
    together.setdiag(0)
    together.eliminate_zeros()
    together.sort_indices()
    return together


def _chains(together: scipy.sparse.csr_array) -> Int[np.ndarray, " labels"]:
    """Join the ends of chains, heaviest pair first, until no co-occurring ends are left; then the chains, as found."""
    n = together.shape[0]
    pairs = scipy.sparse.triu(together, 1).tocoo()
    heaviest = np.lexsort((pairs.col, pairs.row, -pairs.data))
    neighbours: list[list[int]] = [[] for _ in range(n)]
    root = list(range(n))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    # Two ends of one chain are not joined: the tour would close before it has seen all labels.
    for i, j in zip(pairs.row[heaviest].tolist(), pairs.col[heaviest].tolist(), strict=True):
        if len(neighbours[i]) < 2 and len(neighbours[j]) < 2 and (a := find(i)) != (b := find(j)):
            root[a] = b
            neighbours[i].append(j)
            neighbours[j].append(i)
    tour: list[int] = []
    seen = np.zeros(n, bool)
    occurs = np.diff(together.indptr) > 0
    for start in sorted(range(n), key=lambda i: not occurs[i]):  # stable: chains by their lowest end
        if seen[start] or len(neighbours[start]) == 2:
            continue
        before, at = -1, start
        while at >= 0:
            tour.append(at)
            seen[at] = True
            before, at = at, next((j for j in neighbours[at] if j != before), -1)
    return np.array(tour, int)
