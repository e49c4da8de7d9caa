"""Families of heads that a sweep compares: a config for each size d."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import sigfft
from sigfft.training.config import HeadConfig


class Sizes(NamedTuple):
    """What all heads of a sweep share."""

    n_labels: int
    max_cardinality: int  # that a DFT head guarantees
    feature_dim: int
    most_embedding: int = 0  # columns that the data give labels


def _dft(
    head: HeadConfig, sizes: Sizes, spread: int, slack: int, embedding: int = 0, slack_start: str = ""
) -> HeadConfig:
    return dataclasses.replace(
        head,
        max_cardinality=sizes.max_cardinality,
        spread=spread,
        slack=slack,
        embedding=embedding,
        slack_start=slack_start,
        label_priors=False,
    )


def _parameters(d: int, sizes: Sizes) -> tuple[int, int, int]:
    """Of the bottleneck of d, of a DFT head without more than k asks for, and of a column of slack.

    Raises:
      ValueError: that DFT head has more than the bottleneck.
    """
    n_labels, k, feature_dim, _ = sizes
    asked = sigfft.bottleneck_head(n_labels, d, feature_dim=feature_dim).n_parameters()
    none, one = (sigfft.dft_head(n_labels, k, feature_dim=feature_dim, slack=slack).n_parameters() for slack in (0, 1))
    if none - asked > (one - none) / 2:
        raise ValueError(
            f"a DFT head for {k} labels has {none:,} parameters without slack, more than the bottleneck's {asked:,}; "
            "leave out this d, or the family"
        )
    return asked, none, one - none


def _matching_slack(d: int, sizes: Sizes) -> int:
    """The slack with which a DFT head has nearest to as many parameters as the bottleneck of d, each column as many."""
    asked, none, column = _parameters(d, sizes)
    return max(0, round((asked - none) / column))


def _check_vectors(sizes: Sizes) -> None:
    if not sizes.most_embedding:
        raise ValueError("the features of this data set are no vectors, which give no embedding of labels")


def _embedded(head: HeadConfig, d: int, sizes: Sizes) -> HeadConfig:
    """As many columns as the spread of d: an embedding for three quarters of it, and spread for the rest.

    Of the directions that the data give, the embedding has a third at most: the last ones are noise.

    Raises:
      ValueError: they give none.
    """
    _check_vectors(sizes)
    pairs = min(d - d // 4, max(1, sizes.most_embedding // 6))
    return _dft(head, sizes, d - pairs, 0, 2 * pairs)


def _embedded_with_slack(head: HeadConfig, d: int, sizes: Sizes) -> HeadConfig:
    """The embedded head of d, and slack for what the bottleneck of d has of further parameters.

    Slack has half of what the bottleneck has beyond the least DFT head, or more: where that is little, the embedded
    head is one of fewer columns, or of none.

    Raises:
      ValueError: the features give no embedding, or that least head has more parameters than the bottleneck.
    """
    _check_vectors(sizes)
    asked, none, column = _parameters(d, sizes)
    pair = 2 * (sizes.feature_dim + 1)
    pairs = max(0, min(d, (asked - none) // (2 * pair)))
    own = _embedded(head, pairs, sizes) if pairs else _dft(head, sizes, 0, 0)
    return dataclasses.replace(own, slack=max(0, asked - none - pairs * pair) // column)


def _with_priors(head: HeadConfig) -> HeadConfig:
    return dataclasses.replace(head, label_priors=True)


# By name, from a sweep's own head, its d and the sizes that heads share. A head without "d" stands for all of them.
FAMILIES: dict[str, Callable[[HeadConfig, int, Sizes], HeadConfig]] = {
    "sigmoid": lambda head, d, sizes: HeadConfig(kind="sigmoid", random_start=head.random_start),
    "bottleneck": lambda head, d, sizes: HeadConfig(kind="bottleneck", dim=d),
    "bottleneck_random": lambda head, d, sizes: HeadConfig(kind="bottleneck", dim=d, random_start=True),
    "dft_slack": lambda head, d, sizes: _dft(head, sizes, 0, _matching_slack(d, sizes)),
    "dft_spread": lambda head, d, sizes: _dft(head, sizes, d, 0),
    "dft_spread_slack": lambda head, d, sizes: _dft(head, sizes, d, 10),
    "dft_embedding": _embedded,
    "dft_embedding_slack": _embedded_with_slack,
    "dft_slack_embedding": lambda head, d, sizes: _dft(
        head, sizes, 0, _matching_slack(d, sizes), slack_start="embedding"
    ),
    "dft_spread_priors": lambda head, d, sizes: _with_priors(_dft(head, sizes, d, 0)),
    "dft_embedding_priors": lambda head, d, sizes: _with_priors(_embedded(head, d, sizes)),
    "bottleneck_priors": lambda head, d, sizes: HeadConfig(kind="bottleneck", dim=d, label_priors=True),
}
WITHOUT_SIZE = frozenset({"sigmoid"})
