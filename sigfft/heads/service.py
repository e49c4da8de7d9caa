"""Whether a head's features can serve it: whether each z that its guarantee speaks of has a feature vector."""

import dataclasses

from sigfft.domains import DomainLike, domain_of
from sigfft.heads.head import Head
from sigfft.heads.sizes import least_features


@dataclasses.dataclass(frozen=True)
class Service:
    """What so many features reach of a head's z, through a projection as it starts; see `least_features`.

    Attributes:
      head: the head, of feature_dim features.
      domain: what each feature can be.
    """

    head: Head
    domain: DomainLike = "any"

    def __post_init__(self) -> None:
        named = domain_of(self.domain).to_json()
        object.__setattr__(self, "domain", named if isinstance(named, str) else tuple(named))

    @property
    def least(self) -> int:
        """How many features serve the head."""
        return least_features(self.head.dim, self.domain, centred=self.head.centred)

    @property
    def serves(self) -> bool:
        """Whether the head has so many."""
        return self.head.feature_dim >= self.least

    @property
    def cardinality(self) -> int:
        """The largest k, up to the head's, at which its features serve a head with `spread="auto"`; 0: none."""
        for k in range(self.head.max_cardinality, 0, -1):
            smaller = dataclasses.replace(self.head, max_cardinality=k, spread="auto")  # type: ignore[type-var]
            if Service(smaller, self.domain).serves:
                return k
        return 0

    def __str__(self) -> str:
        names = {"any": "features of any sign", "nonnegative": "nonnegative features"}
        bounded = len(domain_of(self.domain).bounds) == 2
        given = f"{self.head.feature_dim:,} {names.get(str(self.domain), f'features in {self.domain}')}"
        reached = "every direction of z, where a bias centres them," if bounded else "every z"
        if self.serves:
            return f"{given} reach {reached} of {self.head.dim} dimensions; it takes {self.least:,}"
        k = self.cardinality
        instead = f"so many serve a guarantee for {k} labels" if k else "so few serve no guarantee at all"
        return f"{given} do not reach {reached} of {self.head.dim} dimensions: it takes {self.least:,}; {instead}"
