"""Domains: what each entry of a layer's input can be. Their bounds are rows of its sign system, always on."""

import math
from dataclasses import dataclass
from typing import Literal, SupportsFloat, get_args

import numpy as np

DomainName = Literal["any", "nonnegative"]
Bound = SupportsFloat | None
DomainLike = DomainName | tuple[Bound, Bound] | list[float | None]


@dataclass(frozen=True)
class Domain:
    """Every entry lies strictly between two bounds. Open bounds lose nothing: a region with a point has an open part.

    Attributes:
      low: may be −infinity.
      high: may be infinity.
    """

    low: float = -math.inf
    high: float = math.inf

    @property
    def is_cone(self) -> bool:
        """Whether every positive multiple of a member is a member."""
        return self.low in (-math.inf, 0.0) and self.high in (0.0, math.inf)

    @property
    def bounds(self) -> tuple[float, ...]:
        """The bounds that are finite, ascending."""
        return tuple(bound for bound in (self.low, self.high) if math.isfinite(bound))

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Whether each vector (..., size) of floats is a member."""
        return np.asarray(((values > self.low) & (values < self.high)).all(axis=-1))

    def to_json(self) -> DomainName | list[float | None]:
        """As verdict files name it: "any", "nonnegative" or two bounds, null for none."""
        bounds = [bound if math.isfinite(bound) else None for bound in (self.low, self.high)]
        return next((name for name in _NAMES if DOMAINS[name] == self), bounds)


_NO_BOUNDS = (-math.inf, math.inf)
_NAMES: tuple[DomainName, ...] = get_args(DomainName)
DOMAINS: dict[str, Domain] = {"any": Domain(), "nonnegative": Domain(low=0.0)}


def domain_of(domain: DomainLike | Domain | str) -> Domain:
    """The domain that is meant by a name in `DOMAINS`, or by two bounds, low < high; None is no bound.

    Raises:
      ValueError: it is neither.
    """
    if isinstance(domain, Domain):
        return domain
    if isinstance(domain, str) and domain in DOMAINS:
        return DOMAINS[domain]
    expected = f"domain must be {', '.join(map(repr, DOMAINS))} or two numbers (low, high); given {domain!r}"
    if not isinstance(domain, tuple | list) or len(domain) != 2 or any(isinstance(bound, str) for bound in domain):
        raise ValueError(expected)
    try:
        low, high = (bound if given is None else float(given) for given, bound in zip(domain, _NO_BOUNDS, strict=True))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(expected) from None
    if not low < high:
        raise ValueError(f"{expected}: low must be below high")
    return Domain(low, high)
