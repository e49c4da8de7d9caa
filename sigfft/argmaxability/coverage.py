"""What share of all label sets of a size a layer can output: by sampling, with exact confidence intervals."""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int32
from scipy.special import betaincinv

from sigfft.argmaxability.check import check

Decide = Callable[[Int32[np.ndarray, "sets width"]], np.ndarray]
_EXHAUSTIVE = 5_000  # so few sets are all checked


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
    weight: Float[np.ndarray, "labels dim"],
    max_cardinality: int,
    bias: Float[np.ndarray, " labels"] | None = None,
    rule: str = "threshold",
    *,
    samples: int = 200,
    confidence: float = 0.95,
    exhaustive: int = _EXHAUSTIVE,
    seed: int = 0,
    **options: Any,
) -> list[Share]:
    """The share of all label sets of each size 1..k that a layer can output.

    Args:
      weight: (n_labels, dim), as `check`.
      max_cardinality: the largest size k.
      bias: (n_labels,) or None.
      rule: as `check`; under argmax only size 1 makes sense.
      samples: random sets of each size.
      confidence: of each interval.
      exhaustive: single labels are all checked, and so are larger sets where there are at most this many.
      seed: of the sample.
      **options: of `check`, such as n_jobs.

    Raises:
      ValueError: as `check`; sizes below 1, or a confidence outside (0, 1).
    """

    def decide(padded):
        return check(weight, padded, bias, rule, **options).status

    n_labels = len(weight)
    return shares(decide, n_labels, max_cardinality, samples, confidence=confidence, exhaustive=exhaustive, seed=seed)


def shares(
    decide: Decide,
    n_labels: int,
    max_cardinality: int,
    samples: int,
    *,
    confidence: float = 0.95,
    exhaustive: int = _EXHAUSTIVE,
    seed: int = 0,
) -> list[Share]:
    """`coverage` for any way of deciding: a function from padded label sets to their statuses."""
    if not 1 <= max_cardinality <= n_labels:
        raise ValueError(f"max_cardinality must be in 1 .. n_labels={n_labels}; given {max_cardinality}")
    found = []
    for j in range(1, max_cardinality + 1):
        exact = j == 1 or math.comb(n_labels, j) <= exhaustive
        padded = every_set(n_labels, j) if exact else random_sets(n_labels, j, samples, seed + j)
        found.append(Share.of(j, decide(padded), exact, confidence))
    return found


def every_set(n_labels: int, cardinality: int) -> Int32[np.ndarray, "sets cardinality"]:
    """All label sets of a size, in lexicographic order."""
    members: Iterator[int] = itertools.chain.from_iterable(itertools.combinations(range(n_labels), cardinality))
    return np.fromiter(members, np.int32).reshape(-1, cardinality)


def random_sets(n_labels: int, cardinality: int, count: int, seed: int) -> Int32[np.ndarray, "sets cardinality"]:
    """Label sets of a size, each uniform among all of that size and independent of the others."""
    if count < 1:
        raise ValueError(f"at least one set must be sampled; given {count}")
    random = np.random.default_rng([n_labels, cardinality, seed])
    sets = [random.choice(n_labels, cardinality, replace=False, shuffle=False) for _ in range(count)]
    return np.sort(np.array(sets, np.int32), axis=1)


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a probability from independent trials, with at least the stated confidence.

    Raises:
      ValueError: not 0 <= successes <= trials with trials >= 1, or a confidence outside (0, 1).

    Reference: Clopper and Pearson, The use of confidence or fiducial limits illustrated in the case of the binomial
    (1934).
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"expected 0 <= successes <= trials and trials >= 1; given {successes} of {trials}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1; given {confidence}")
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - tail))
    return low, high
