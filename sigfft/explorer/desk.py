"""The desk: takes the requests of a page, and sends the session's answers from threads of its own."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sigfft.explorer.lanes import Event, Job, Lane
from sigfft.explorer.session import SECONDS, Session

_LONGEST = 3600.0  # seconds for one verdict


class Desk:
    """Requests are dicts with "do", events dicts with "kind". A request stops an earlier one about the same thing.

    Args:
      session: answers.
    """

    def __init__(self, session: Session):
        self.session, verdicts = session, Lane()
        searches, details, many = Lane(), Lane(first=verdicts), Lane(first=verdicts)
        self._does: dict[str, tuple[Lane, Callable[[Mapping[str, Any]], Iterator[Event]]]] = {
            "about": (searches, lambda _: iter([session.about()])),
            "find": (searches, lambda given: iter([session.find(_of(given, "text", str))])),
            "verdict": (verdicts, lambda given: session.verdict(*_one_set(given))),
            "details": (details, lambda given: session.details(*_one_set(given))),
            "sets": (many, lambda given: session.sets(_of(given, "text", str), _of(given, "rule", str))),
            "share": (many, lambda given: session.share(*_sample(given), _of(given, "rule", str))),
        }

    def ask(self, request: Mapping[str, Any], send: Callable[[Event], None]) -> Job:
        """Begins to answer. `send` takes the events in another thread; the last one is {"kind": "end"}.

        Raises:
          ValueError: no such request.
        """
        name = request.get("do")
        if not isinstance(name, str) or name not in self._does:
            raise ValueError(f"a request does one of {', '.join(self._does)}; given {name!r:.50}")
        lane, steps = self._does[name]
        return lane.ask(lambda: steps(request), send)


def _of(request: Mapping[str, Any], name: str, kind: type) -> Any:
    value = request.get(name)
    if type(value) is not kind:
        raise ValueError(f"{name} must be of type {kind.__name__}; given {value!r:.50}")
    return value


def _one_set(request: Mapping[str, Any]) -> tuple[list[int], str, float]:
    labels, seconds = _of(request, "labels", list), request.get("seconds", SECONDS)
    if not all(type(label) is int for label in labels):
        raise ValueError(f"labels must be a list of ids; given {labels!r:.50}")
    if type(seconds) not in (int, float) or not 0 < seconds <= _LONGEST:
        raise ValueError(f"seconds must be a number up to {_LONGEST:g}; given {seconds!r:.50}")
    return labels, _of(request, "rule", str), float(seconds)


def _sample(request: Mapping[str, Any]) -> tuple[int, int]:
    return _of(request, "cardinality", int), _of(request, "count", int)
