"""Coverage: the share of all label sets of a size that a layer can output, sampled, with exact confidence intervals."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Array, Float

from sigfft.argmaxability.checker import check
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.rules import Rule, RuleName
from sigfft.argmaxability.theory.sampling import clopper_pearson, every_set, random_sets


@dataclass(frozen=True)
class Share:
    """The label sets of one cardinality: how many were decided, and what that says about all of them.

    Attributes:
      cardinality: j, the size of the sets.
      checked: sets that were decided: a sample, or all.
      argmaxable: how many of them are argmaxable.
      undecided: how many of them are neither proved argmaxable nor proved unargmaxable.
      low: lower end of the interval of the share of argmaxable sets, the undecided ones counted as unargmaxable.
      high: upper end, the undecided ones counted as argmaxable.
      exact: all C(n, j) sets were checked: then low and high differ by the undecided ones alone.
    """

    cardinality: int
    checked: int
    argmaxable: int
    undecided: int
    low: float
    high: float
    exact: bool

    @classmethod
    def of(cls, cardinality: int, status: np.ndarray, exact: bool, confidence: float) -> "Share":
        """Count statuses and draw the interval."""
        yes, open_ = int((status == "argmaxable").sum()), int((status == "undecided").sum())
        if exact:
            low, high = yes / len(status), (yes + open_) / len(status)
        else:
            low = clopper_pearson(yes, len(status), confidence)[0]
            high = clopper_pearson(yes + open_, len(status), confidence)[1]
        return cls(cardinality, len(status), yes, open_, low, high, exact)

    def __str__(self) -> str:
        how = "all" if self.exact else "sampled"
        left = f", {self.undecided:,} undecided" if self.undecided else ""
        return (
            f"{self.cardinality:>5} {self.argmaxable:>8,} of {self.checked:,} {how}{left}: "
            f"share in [{self.low:.4f}, {self.high:.4f}]"
        )


def coverage(
    weight: Float[np.ndarray | Array, "_labels _dim"],
    max_cardinality: int | np.integer,
    bias: Float[np.ndarray | Array, " labels"] | None = None,
    rule: RuleName | Rule = "threshold",
    *,
    transposed: bool = False,
    samples: int | np.integer = 200,
    confidence: float = 0.95,
    exhaustive: int | np.integer = 5_000,
    seed: int | np.integer = 0,
    **options: Any,
) -> list[Share]:
    """The share of all label sets of each size 1..k that a layer can output.

    Args:
      weight: (n_labels, dim), or (dim, n_labels) if transposed, as `check`.
      max_cardinality: the largest size k.
      bias: (n_labels,) or None.
      rule: as `check`; under argmax only size 1 makes sense.
      transposed: as `check`.
      samples: random sets of each size.
      confidence: of each interval.
      exhaustive: single labels are all checked, and so are larger sets where there are at most this many.
      seed: of the sample.
      **options: of `check`, such as n_jobs.

    Raises:
      ValueError: as `check`; sizes below 1, or a confidence outside (0, 1).
    """
    layer = Layer.of(weight, bias, rule, transposed=transposed)
    n_labels = layer.n_labels
    if not 1 <= max_cardinality <= n_labels:
        raise ValueError(f"max_cardinality must be in 1 .. n_labels={n_labels}; given {max_cardinality}")
    found = []
    for j in range(1, int(max_cardinality) + 1):
        exact = j == 1 or math.comb(n_labels, j) <= int(exhaustive)
        padded = every_set(n_labels, j) if exact else random_sets(n_labels, j, int(samples), int(seed) + j)
        found.append(Share.of(j, check(layer.weight, padded, layer.bias, rule, **options).status, exact, confidence))
    return found
