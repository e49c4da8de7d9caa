"""How many label sets a layer of a given shape can output, as a table to read."""

from math import floor, log10

from sigfft.argmaxability.theory import cyclic

MOST_LABELS = 10**7  # 2^n has three million digits then


def count_table(n_labels: int, dim: int, cardinality: int | None = None) -> str:
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
    rows = "rows in general position; no layer of this shape has more"
    lines = [f"{n} labels, {d} dimensions, threshold rule without a bias", _line("all label sets", general, 2**n, rows)]
    if j is not None:
        whole = cyclic.count_sets(n, j)
        exactly = whole - cyclic.count_sets(n, j - 1) if j else 1
        matrix = f"cyclic matrix, frequencies 0..{k}"
        lines.append(_line(f"sets of exactly {j}", cyclic.count_exactly(n, k, j), exactly, matrix))
        lines.append(_line(f"sets of at most {j}", cyclic.count_at_most(n, k, j), whole, matrix))
    return "\n".join(lines)


def _line(what: str, part: int, whole: int, where: str) -> str:
    share = cyclic.log10_share(part, whole)
    return f"{what}: {_number(part)} of {_number(whole)} argmaxable, log10 share {share:.6g} ({where})"


def _number(value: int) -> str:
    if value < 10**30:
        return str(value)
    exponent = log10(value)
    return f"{10 ** (exponent - floor(exponent)):.6f}e+{floor(exponent)}"
