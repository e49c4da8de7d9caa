"""Families of heads that a sweep compares: a config for each size d."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import sigfft
from sigfft.training.config import HeadConfig


class Sizes(NamedTuple):
    """What all heads of a sweep share: numbers of labels, of labels that a DFT head guarantees, and of features."""

    n_labels: int
    max_cardinality: int
    feature_dim: int


def _dft(head: HeadConfig, sizes: Sizes, spread: int, slack: int) -> HeadConfig:
    return dataclasses.replace(head, spread=spread, slack=slack, max_cardinality=sizes.max_cardinality)


def _matching_slack(d: int, sizes: Sizes) -> int:
    """The slack with which a DFT head has nearest to as many parameters as the bottleneck of d, each column as many.

    Raises:
      ValueError: it has more without any.
    """
    n_labels, k, feature_dim = sizes
    asked = sigfft.bottleneck_head(n_labels, d, feature_dim=feature_dim).n_parameters()
    none, one = (sigfft.dft_head(n_labels, k, feature_dim=feature_dim, slack=slack).n_parameters() for slack in (0, 1))
    slack = round((asked - none) / (one - none))
    if slack < 0:
        raise ValueError(
            f"a DFT head for {k} labels has {none:,} parameters without slack, more than the bottleneck's {asked:,}; "
            "leave out this d, or the family"
        )
    return slack


# By name, from a sweep's own head, its d and the sizes that heads share. A head without "d" stands for all of them.
FAMILIES: dict[str, Callable[[HeadConfig, int, Sizes], HeadConfig]] = {
    "sigmoid": lambda head, d, sizes: HeadConfig(kind="sigmoid", random_start=head.random_start),
    "bottleneck": lambda head, d, sizes: HeadConfig(kind="bottleneck", dim=d),
    "bottleneck_random": lambda head, d, sizes: HeadConfig(kind="bottleneck", dim=d, random_start=True),
    "dft_slack": lambda head, d, sizes: _dft(head, sizes, 0, _matching_slack(d, sizes)),
    "dft_spread": lambda head, d, sizes: _dft(head, sizes, d, 0),
    "dft_spread_slack": lambda head, d, sizes: _dft(head, sizes, d, 10),
}
WITHOUT_SIZE = frozenset({"sigmoid"})
