"""How many label sets a layer of a given shape can output, as a table to read."""

from math import floor, log10
from typing import Any, NamedTuple

from sigfft.argmaxability.theory import cyclic

MOST_LABELS = 10**7  # 2^n has three million digits then


class Count(NamedTuple):
    """How many of some label sets a layer can output."""

    sets: str  # which ones
    argmaxable: int
    total: int
    layers: str  # for which layers

    def __str__(self) -> str:
        share = cyclic.log10_share(self.argmaxable, self.total)
        counts = f"{_number(self.argmaxable)} of {_number(self.total)} argmaxable, log10 share {share:.6g}"
        return f"{self.sets}: {counts} ({self.layers})"

    def to_json(self) -> dict[str, Any]:
        """Fields by name; counts as text, since few programs read integers of a thousand digits."""
        share = cyclic.log10_share(self.argmaxable, self.total) if self.argmaxable else None
        return self._asdict() | {
            "argmaxable": _number(self.argmaxable),
            "total": _number(self.total),
            "log10_share": share,
        }


def count_table(n_labels: int, dim: int, cardinality: int | None = None) -> str:
    """The counts of `counted`, as a table to read; arguments and errors are the same."""
    head = f"{n_labels} labels, {dim} dimensions, threshold rule without a bias"
    return "\n".join([head, *map(str, counted(n_labels, dim, cardinality))])


def counted(n_labels: int, dim: int, cardinality: int | None = None) -> list[Count]:
    """The counts of argmaxable label sets, threshold rule without a bias.

    Args:
      n_labels: number of labels, n.
      dim: width of the layer's input, d.
      cardinality: also count the sets of this many labels, and of at most as many, for the cyclic matrix.

    Raises:
      ValueError: sizes that are not positive, more than ten million labels, or more labels in a set than there are.
    """
    n, d, j = n_labels, dim, cardinality
    if n > MOST_LABELS:
        raise ValueError(f"n_labels must be at most {MOST_LABELS}, since counts are exact integers; given {n}")
    if j is not None and not 0 <= j <= n:
        raise ValueError(f"cardinality must be between 0 and the number of labels, {n}; given {j}")
    k = (min(d, n) - 1) // 2
    general = cyclic.count_general(n, d)
    counts = [Count("all label sets", general, 2**n, "rows in general position; no layer of this shape has more")]
    if j is not None:
        whole = cyclic.count_sets(n, j)
        exactly = whole - cyclic.count_sets(n, j - 1) if j else 1
        matrix = f"cyclic matrix, frequencies 0..{k}"
        counts.append(Count(f"sets of exactly {j}", cyclic.count_exactly(n, k, j), exactly, matrix))
        counts.append(Count(f"sets of at most {j}", cyclic.count_at_most(n, k, j), whole, matrix))
    return counts


def _number(value: int) -> str:
    if value < 10**30:
        return str(value)
    exponent = log10(value)
    return f"{10 ** (exponent - floor(exponent)):.6f}e+{floor(exponent)}"
