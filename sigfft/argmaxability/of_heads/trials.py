"""Trials of heads: how many sampled label sets a forward pass reproduces, and the share that this shows."""

from dataclasses import dataclass
from typing import cast

import jax
import numpy as np
from jaxtyping import Int32

from sigfft import labels
from sigfft.argmaxability.of_heads.forward import deployed
from sigfft.argmaxability.theory.sampling import clopper_pearson
from sigfft.heads import DFTHead

_FIRST = 20  # sets after which a hopeless spread is given up


@dataclass(frozen=True)
class Sample:
    """How many sampled label sets a forward pass reproduced, and the interval of the share among all."""

    reproduced: int
    of: int
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.reproduced:,} of {self.of:,}, share in [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Trial:
    """A head with some spread: what it reproduced of random and of given label sets."""

    head: DFTHead
    random: Sample
    given: Sample | None

    @property
    def spread(self) -> int:
        """Number of spread frequencies."""
        return cast(int, self.head.spread)

    def reaches(self, share: float) -> bool:
        """Whether the intervals lie above a share."""
        return self.random.low >= share and (self.given is None or self.given.low >= share)


@dataclass(frozen=True)
class Sets:
    """Label sets that heads are tried on.

    Attributes:
      padded: the sets.
      every: they are all there are, not a sample.
    """

    padded: Int32[np.ndarray, "sets width"]
    every: bool = False


def try_head(
    head: DFTHead, random: Sets, given: Sets | None, *, dtype: str, confidence: float, thorough: bool, seed: int
) -> Trial:
    """What the head at its start reproduces of random and of given label sets."""
    params = jax.jit(head.init)(jax.random.key(seed))

    def sample(sets: Sets) -> Sample:
        padded, every = sets.padded, sets.every
        done = deployed(head, params, padded[:_FIRST], dtype=dtype, thorough=thorough)
        if 2 * done.sum() < len(done) < len(padded):  # far from enough: the rest would only take time
            padded, every = padded[:_FIRST], False
        else:
            done = np.append(done, deployed(head, params, padded[_FIRST:], dtype=dtype, thorough=thorough))
        found = int(done.sum())
        exact = (found / len(padded),) * 2
        return Sample(found, len(padded), *(exact if every else clopper_pearson(found, len(padded), confidence)))

    return Trial(head, sample(random), None if given is None else sample(given))


def distinct_sets(label_sets: labels.LabelSets, n_labels: int, max_cardinality: int, samples: int, seed: int) -> Sets:
    """A sample of the distinct label sets of at most k labels.

    Raises:
      ValueError: there is none.
    """
    padded = labels.dedupe(labels.pad(label_sets, n_labels))[0]
    padded = padded[labels.cardinality(padded, n_labels) <= max_cardinality][:, :max_cardinality]
    if not len(padded):
        raise ValueError(f"none of the given label sets has at most max_cardinality={max_cardinality} labels")
    chosen = np.random.default_rng(seed).permutation(len(padded))[:samples]
    return Sets(padded[chosen], len(chosen) == len(padded))
