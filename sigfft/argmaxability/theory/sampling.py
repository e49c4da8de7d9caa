"""Samples of label sets, and exact confidence intervals of what they show."""

import itertools
from collections.abc import Iterator

import numpy as np
from jaxtyping import Int32
from scipy.special import betaincinv


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
