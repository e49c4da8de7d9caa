"""Sizes that serve: the spread that carries a guarantee over to float32, and the features that reach every z."""

import math

from scipy.special import bdtrc

from sigfft.domains import DomainLike, domain_of

_SURE = 0.999  # probability that a random projection of nonnegative features reaches every z


def enough_spread(n_labels: int, max_cardinality: int, n_points: int) -> int:
    """About the least spread that `sigfft.plan` finds for float32, as a formula: no sampling, no search.

    Random directions separate k of n points from some multiple of k·ln(n/k) dimensions on, and a power law close to
    that is fitted to `plan` at 20 sizes, n from 100 to 20,000 and k from 1 to 80 (`benchmarks/bench_auto.py`). Beyond
    them it is a guess. There are no more spread frequencies than the points have beside those of the guarantee.

    Args:
      n_labels: number of labels n.
      max_cardinality: k.
      n_points: points of the transform.

    Reference: Donoho and Tanner, Neighborliness of randomly projected simplices in high dimensions (2005), for the
    form.

    Example:
      >>> enough_spread(n_labels=20_000, max_cardinality=50, n_points=20_000)
      163
    """
    log_ratio = math.log(max(1.0, n_labels / max_cardinality))
    wanted = math.ceil(0.25 * max_cardinality**0.9 * log_ratio**1.65)
    room = (n_points - 1) // 2 - max_cardinality
    return max(0, min(wanted, room))


def least_features(dim: int, domain: DomainLike = "any", *, centred: bool = False) -> int:
    """How many features reach every z of so many dimensions through a projection in general position.

    Of any sign: dim, if the projection has full rank. Nonnegative ones, as after a ReLU, reach every z iff the
    projection's rows, dim numbers for each feature, span the space with nonnegative factors. Random rows without a
    preferred side do so with the probability that m - 1 tosses of a coin show at least dim heads; the m returned is
    the least for which that is 0.999, a little over twice dim. One bound is like zero, whatever it is.
    Features in (low, high) are bounded, and so is their z;
    but without biases of labels the scale of z decides nothing, and dim of them reach every direction if the
    projection's bias makes some point inside the bounds z = 0.

    These are counts for projections as they start. A trained one may have lost rank, or taken a side, which a centred
    one cannot: there it is dim + 1 for every domain.

    Args:
      dim: size of z.
      domain: "any", "nonnegative" or (low, high), what each feature can be.
      centred: whether their mean is subtracted from features first.

    Raises:
      ValueError: an unknown domain.

    Reference: Wendel, A problem in geometric probability (Mathematica Scandinavica, 1962).

    Example:
      >>> least_features(111), least_features(111, "nonnegative"), least_features(111, "nonnegative", centred=True)
      (111, 273, 112)
    """
    if len(domain_of(domain).bounds) != 1 or centred:
        return dim + centred
    low, high = dim, 4 * dim + 64
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaching_share(dim, middle) >= _SURE else (middle, high)
    return high


def reaching_share(dim: int, n_features: int) -> float:
    """The share of random projections through which so many nonnegative features reach every z (`least_features`)."""
    return float(bdtrc(dim - 1, n_features - 1, 0.5)) if n_features > dim else 0.0
