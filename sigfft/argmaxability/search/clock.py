"""The time that one label set may take."""

import math
import time
from dataclasses import dataclass, field


class OutOfTime(Exception):
    """A label set has taken the time that it was given."""


@dataclass(frozen=True)
class Clock:
    """Seconds from its making until work on a label set has to stop; infinite: never."""

    seconds: float = math.inf
    begun: float = field(default_factory=time.perf_counter)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.seconds - self.spent

    @property
    def spent(self) -> float:
        """Seconds since it was made."""
        return time.perf_counter() - self.begun

    def look(self) -> None:
        """Raise OutOfTime where nothing is left."""
        if self.left <= 0:
            raise OutOfTime
