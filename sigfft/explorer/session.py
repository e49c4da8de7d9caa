"""A session: one layer, asked about its label sets by hand. Answers are plain dicts; no server and no notebook here."""

import contextlib
import functools
import io
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sigfft import labels as label_sets
from sigfft.argmaxability.conflict import irreducible
from sigfft.argmaxability.display import Names, checked_names
from sigfft.argmaxability.explanation import members
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.neighbours import Nearest, approached, one_flip_away
from sigfft.argmaxability.proofs.certificate import Certificate
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.argmaxability.rules import RULES
from sigfft.argmaxability.stages import Problem, decide
from sigfft.argmaxability.theory.sampling import every_set, random_sets
from sigfft.argmaxability.theory.shares import Share
from sigfft.domains import DomainLike
from sigfft.explorer.index import Index
from sigfft.explorer.truths import Truths
from sigfft.files.label_sets import read_label_sets
from sigfft.heads import Head, Params, stored_layer

Event = dict[str, Any]

SECONDS = 30.0  # for one verdict, until someone asks for longer
_OF_MANY = 5.0  # seconds for each of many sets
_NEAR_SECONDS = 30.0  # for the sets near an impossible one
_MOST_SETS, _BATCH, _SHOWN = 200_000, 32, 40
_LARGEST = 1 << 28  # entries of W, 2 GiB in float64
_PACE = 0.2  # seconds between two events about the same thing


class Session:
    """Answers questions about the label sets of one layer.

    Args:
      weight: (n_labels, dim), or (dim, n_labels) if transposed.
      bias: (n_labels,) or None.
      names: n_labels strings, or None.
      transposed: as `sigfft.check`.
      truths: what else is known of a head; see `of_head`.

    Raises:
      ValueError: as `sigfft.check`; or there are more or fewer names than labels.
    """

    def __init__(
        self,
        weight: Any,
        bias: Any = None,
        *,
        names: Names | None = None,
        transposed: bool = False,
        truths: Truths | None = None,
    ):
        self.layer = Layer.of(weight, bias, transposed=transposed)
        n_labels = self.layer.n_labels
        self.index = Index(n_labels, None if names is None else checked_names(names, n_labels))
        self.truths = truths
        self._problems: dict[str, Problem] = {}
        self._lock = threading.Lock()
        self._verdict = functools.lru_cache(64)(self._decided)

    @classmethod
    def of_head(
        cls, head: Head, params: Params, *, names: Names | None = None, domain: DomainLike = "any"
    ) -> "Session":
        """A session about a head: also what its closed form, its forward pass and its features say.

        Args:
          head: any head.
          params: its parameters.
          names: n_labels strings, or None.
          domain: of the features, as `check_head` takes it.

        Raises:
          ValueError: W is too large to be held, or as for a layer.
        """
        if head.n_labels * max(head.dim, head.feature_dim) > _LARGEST:
            raise ValueError(
                f"W of {head.n_labels} labels × {max(head.dim, head.feature_dim)} is too large to be explored; "
                f"at most {_LARGEST:,} entries are. `sigfft.check_head` checks sets of it"
            )
        weight, bias = stored_layer(head, params)
        return cls(weight, bias, names=names, truths=Truths(head, params, domain))

    def about(self) -> Event:
        """What is explored."""
        weight, head = self.layer.weight, None if self.truths is None else self.truths.head
        n_labels, dim = weight.shape
        bias = "no bias" if self.layer.bias is None else "with a bias"
        title = f"{n_labels:,} labels, {dim:,} dimensions, {weight.dtype}, {bias}"
        if head is not None:
            guarantee = f", guarantees every set of up to {head.max_cardinality} labels" if head.max_cardinality else ""
            title = f"{head.name}{guarantee}: {title}"
        return {"kind": "about", "title": title, "n_labels": n_labels, "rules": list(RULES), "head": head is not None}

    def warm_up(self) -> None:
        """Compiles and caches what a first verdict would wait for."""
        self._verdict("threshold", frozenset({0}), SECONDS)

    def find(self, text: str) -> Event:
        """Labels by name or id."""
        found, total = self.index.find(text)
        return {"kind": "found", "found": found, "total": total}

    def verdict(self, labels: Sequence[int], rule: str, seconds: float = SECONDS) -> Iterator[Event]:
        """The verdict on one set.

        Raises:
          ValueError: an id is out of range or repeated, or the rule has no such set.
        """
        begun = time.perf_counter()
        wanted = self._members(labels, rule)
        verdict = self._verdict(rule, wanted, float(seconds))
        yield {
            "kind": "verdict",
            "labels": self.index.pairs(sorted(wanted)),
            "status": verdict.status,
            "margin": list(map(float, verdict.margin)),
            "reason": verdict.reason,
            "seconds": time.perf_counter() - begun,
        }

    def details(self, labels: Sequence[int], rule: str, seconds: float = SECONDS) -> Iterator[Event]:
        """What is to say of a set whose verdict is known: its truths, its conflict, its neighbours.

        Raises:
          ValueError: as `verdict`.
        """
        wanted = self._members(labels, rule)
        verdict, problem = self._verdict(rule, wanted, float(seconds)), self._problem(rule)
        if self.truths is not None:
            yield from self.truths.told(problem.layer, problem.layer.pad([sorted(wanted)]), verdict)
        if verdict.certificate is not None:
            yield self._conflict(verdict.certificate, wanted, final=False)
            proof = irreducible(problem.layer, wanted, verdict.certificate)
            yield self._conflict(proof, wanted, final=True)
            on, off = proof.sides(wanted, self.layer.n_labels)
            yield from self._neighbours(problem, wanted, [*on, *off])

    def sets(self, text: str, rule: str) -> Iterator[Event]:
        """The verdicts on the distinct sets of a text, in any format that `sigfft check` reads.

        Raises:
          ValueError: a line is no label set, or the rule has no such set; or there are none, or more than 200,000.
        """
        file = io.BytesIO(text.encode())
        given, n_labels = read_label_sets(file, Path("given sets"), as_json=text.lstrip().startswith("["))
        if n_labels not in (None, self.layer.n_labels):
            raise ValueError(f"the given sets are for {n_labels} labels, but the layer has {self.layer.n_labels}")
        if not 0 < len(given) <= _MOST_SETS:
            raise ValueError(f"expected 1 to {_MOST_SETS:,} label sets, one a line; given {len(given):,}")
        problem = self._problem(rule)
        distinct, _, times = label_sets.dedupe(problem.layer.pad(given))
        for done, verdicts in _decided_in_batches(problem, len(distinct), lambda first, size: distinct[first:][:size]):
            first = done - len(verdicts)
            rows = [
                self._row(problem, distinct[first + i], int(times[first + i]), verdict)
                for i, verdict in enumerate(verdicts)
            ]
            yield {"kind": "rows", "rows": rows, "done": done, "total": len(distinct)}

    def share(self, cardinality: int, count: int, rule: str) -> Iterator[Event]:
        """The share of argmaxable sets of one cardinality among random ones, as they are decided.

        Where there are no more than `count` sets all are taken, and the share is exact once it is done. The interval
        is that of Clopper and Pearson at 95 %: it holds for a number of sets that was chosen before.

        Raises:
          ValueError: a size that no set has, or the rule has not; or not 1 to 1,000,000 sets.
        """
        n_labels = self.layer.n_labels
        if not 1 <= cardinality <= n_labels:
            raise ValueError(f"a set has 1 to {n_labels:,} labels here; given {cardinality}")
        if not 1 <= count <= 1_000_000:
            raise ValueError(f"expected 1 to 1,000,000 random sets; given {count}")
        exact = math.comb(n_labels, cardinality) <= count
        total = math.comb(n_labels, cardinality) if exact else count
        every = every_set(n_labels, cardinality) if exact else np.empty((0, cardinality), np.int32)

        def some(first: int, size: int) -> np.ndarray:  # a million random sets take minutes to draw: each batch its own
            return every[first : first + size] if exact else random_sets(n_labels, cardinality, size, seed=first)

        problem = self._problem(rule)
        problem.layer.rule.check_sets(some(0, 1), n_labels)
        status = np.empty(0, "<U12")
        for done, verdicts in _decided_in_batches(problem, total, some):
            status = np.append(status, [verdict.status for verdict in verdicts])
            found = Share.of(cardinality, status, exact, confidence=0.95)
            low, high = (found.low, found.high) if not exact or done == total else (None, None)
            counts = {"argmaxable": found.argmaxable, "undecided": found.undecided, "low": low, "high": high}
            yield {"kind": "share", "done": done, "total": total, "exact": exact, **counts}

    def _members(self, labels: Sequence[int], rule: str) -> frozenset[int]:
        return members(self._problem(rule).layer, list(labels))

    def _problem(self, rule: str) -> Problem:
        with self._lock:
            if rule not in self._problems:
                layer = Layer.of(self.layer.weight, self.layer.bias, rule)
                self._problems[rule] = Problem.of(layer)
            return self._problems[rule]

    def _decided(self, rule: str, wanted: frozenset[int], seconds: float) -> Verdict:
        problem = self._problem(rule)
        return decide(problem, problem.layer.pad([sorted(wanted)]), time_limit=seconds)[0]

    def _conflict(self, proof: Certificate, wanted: frozenset[int], final: bool) -> Event:
        on, off = (self.index.pairs(sorted(ids)) for ids in proof.sides(wanted, self.layer.n_labels))
        return {"kind": "conflict", "on": on, "off": off, "final": final}

    def _neighbours(self, problem: Problem, wanted: frozenset[int], core: list[int]) -> Iterator[Event]:
        ends, found = time.perf_counter() + _NEAR_SECONDS, 0
        for some in one_flip_away(problem, wanted, core):
            found += len(some)
            yield from map(self._near, some)
            if time.perf_counter() > ends:
                break
        else:
            if found:
                yield {"kind": "near_end", "all": True}
                return
        if found:
            yield {"kind": "near_end", "all": False}
            return
        finished = True
        with contextlib.closing(approached(problem, wanted)) as sets:
            for near in _paced(sets):
                yield self._near(near)
                if time.perf_counter() > ends:
                    finished = False
                    break
        yield {"kind": "near_end", "all": False, "minimal": finished}

    def _near(self, near: Nearest) -> Event:
        added, removed = (self.index.pairs(ids[:_SHOWN]) for ids in (near.added, near.removed))
        return {"kind": "near", "labels": near.labels, "flips": near.flips, "added": added, "removed": removed}

    def _row(self, problem: Problem, label_set: np.ndarray, times: int, verdict: Verdict) -> Event:
        ids = label_set[label_set < problem.layer.n_labels].tolist()
        row = {"labels": ids, "shown": self.index.pairs(ids[:_SHOWN]), "times": times}
        return row | {"status": verdict.status, "margin": list(map(float, verdict.margin)), "reason": verdict.reason}


def _decided_in_batches(
    problem: Problem, total: int, some: Callable[[int, int], np.ndarray]
) -> Iterator[tuple[int, list[Verdict]]]:
    """How many sets are decided, and the verdicts of those that are new: the first alone, then more at a time."""
    done, size = 0, 1
    while done < total:
        batch = some(done, min(size, total - done))
        done, size = done + len(batch), min(2 * size, _BATCH)
        yield done, decide(problem, batch, time_limit=_OF_MANY)


def _paced(sets: Iterable[Nearest]) -> Iterator[Nearest]:
    """The sets, without those that the next one follows at once; the last is there."""
    last, shown = None, -math.inf
    for last in sets:
        if time.perf_counter() - shown > _PACE:
            shown, given = time.perf_counter(), last
            yield last
    if last is not None and last is not given:
        yield last
