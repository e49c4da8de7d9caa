"""Neighbours of a label set: argmaxable sets that differ from it in few labels."""

import itertools
import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Array, Float, Int
from threadpoolctl import threadpool_limits

from sigfft.argmaxability.display import OfLabels, label_list
from sigfft.argmaxability.explanation import decided, members
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.argmaxability.proofs.witness import Witness
from sigfft.argmaxability.rules import Rule, RuleName
from sigfft.argmaxability.search.basis import start, unit
from sigfft.argmaxability.search.system import lengths
from sigfft.argmaxability.stages import Problem, decide

_DIRECTIONS = 512  # activations tried where not every set of one cardinality is
_BATCH = 64
_AT_ONCE = 16  # flips decided together, so that the first are soon known


@dataclass(frozen=True, repr=False)
class Nearest(OfLabels):
    """An argmaxable set near a given one: `flips` labels differ, and no single one of them can be flipped back.

    Under a free level (argmax, top_k) the cardinality is kept: one label swapped for another is two flips.
    """

    labels: tuple[int, ...]
    added: tuple[int, ...]
    removed: tuple[int, ...]
    witness: Witness

    def told(self, most: int | None = None) -> str:
        labels, added, removed = (label_list(ids, self.names, most) for ids in (self.labels, self.added, self.removed))
        return f"{labels} is argmaxable: {f'{added} added, {removed} removed' if self.flips else 'no label differs'}"

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict for each label that differs: "label"; "name", where named; "added", or else it was removed."""
        return [{**self.record(i), "added": i in self.added} for i in sorted(self.added + self.removed)]

    @property
    def flips(self) -> int:
        """Number of labels that differ."""
        return len(self.added) + len(self.removed)


@threadpool_limits.wrap(limits=1, user_api="blas")
def nearest(
    weight: Float[np.ndarray | Array, "_labels _dim"],
    label_set: Sequence[int] | Int[np.ndarray | Array, " ids"],
    bias: Float[np.ndarray | Array, " labels"] | None = None,
    rule: RuleName | Rule = "threshold",
    *,
    transposed: bool = False,
    few: int | np.integer = 1 << 12,
) -> Nearest:
    """An argmaxable set with few flips: not always the fewest, which is hard to find.

    Two candidates are made, the better one is kept: the set that the given one's best activation yields; and the
    end of flipping, in each certificate in turn, the label with the largest share. Where equal rows make these tie,
    others are tried: every set of this cardinality if they are few, or what activations around the best one yield.
    Then flips are undone one by one as long as the set stays argmaxable.

    Arguments and errors as `explain`; `few` is how many sets of one cardinality are tried one and all.

    Raises:
      ValueError: as `explain`; or none of the sets that were tried is argmaxable, as where all rows are equal.
    """
    problem = Problem.of(Layer.of(weight, bias, rule, transposed=transposed))
    *_, found = approached(problem, members(problem.layer, label_set), int(few))
    return found


def approached(problem: Problem, wanted: frozenset[int], few: int = 1 << 12) -> Generator[Nearest, None, None]:
    """Argmaxable sets, each nearer to a given one than those before; the last is what `nearest` gives.

    Raises:
      ValueError: none of the sets that were tried is argmaxable.
    """
    verdict = decided(problem, wanted)
    if verdict.witness is not None:
        yield _near(problem, wanted, wanted, verdict)
        return
    x = start(problem.system, problem.basis, problem.layer.pad([sorted(wanted)]))
    best = unit(x @ problem.basis.to_solution.T)[0]
    candidates = [_yielded(problem, best, len(wanted))]
    if not problem.layer.rule.free_level:
        candidates.append(_flip_conflicts(problem, wanted, verdict))
    proved = [(found, v) for found in candidates if (v := decided(problem, found)).witness is not None]
    found, verdict = min(proved or _others(problem, wanted, best, few), key=lambda near: len(near[0] ^ wanted))
    yield _near(problem, wanted, found, verdict)
    for nearer, proof in _undone(problem, wanted, found):
        yield _near(problem, wanted, nearer, proof)


def one_flip_away(problem: Problem, wanted: frozenset[int], core: Iterable[int]) -> Iterator[list[Nearest]]:
    """All argmaxable sets that differ in one label from an unargmaxable one: those of each batch that was tried.

    A set that agrees with the given one on the labels of a certificate has the same certificate: only sets that differ
    in one of those can be argmaxable. Under a free level, whose sets keep their size, there is none.

    Args:
      problem: the layer.
      wanted: the unargmaxable set.
      core: labels of a certificate of it, as `Explanation.on` and `off`.
    """
    if problem.layer.rule.free_level:
        return
    flipped = [wanted ^ {label} for label in sorted(core, key=lambda label: (label not in wanted, label))]
    for i in range(0, len(flipped), _AT_ONCE):
        batch = flipped[i : i + _AT_ONCE]
        verdicts = decide(problem, problem.layer.pad([sorted(labels) for labels in batch]))
        tried = zip(batch, verdicts, strict=True)
        yield [_near(problem, wanted, labels, verdict) for labels, verdict in tried if verdict.witness is not None]


def _near(problem: Problem, wanted: frozenset[int], found: frozenset[int], verdict: Verdict) -> Nearest:
    if verdict.witness is None:
        raise ValueError("the nearest set lost its witness")
    added, removed = tuple(sorted(found - wanted)), tuple(sorted(wanted - found))
    return Nearest(tuple(sorted(found)), added, removed, verdict.witness, n_labels=problem.layer.n_labels)


def _yielded(problem: Problem, solution: Float[np.ndarray, " D"], cardinality: int) -> frozenset[int]:
    """What a solution yields, ties broken by the label, with the coordinate of the bias made positive."""
    positive = problem.layer.positive
    if positive is not None and solution[positive] <= 0:
        solution = solution.copy()
        solution[positive] = 1e-3 * np.abs(solution).max() or 1.0
    return frozenset(np.flatnonzero(problem.system.yielded(solution, cardinality)).tolist())


def _others(
    problem: Problem, wanted: frozenset[int], best: Float[np.ndarray, " D"], few: int
) -> list[tuple[frozenset[int], Verdict]]:
    """The argmaxable ones of a batch of further sets, the nearest that there are.

    Raises:
      ValueError: none of them is argmaxable.
    """
    n_labels, k = problem.layer.n_labels, len(wanted)
    others: Iterable[tuple[int, ...] | frozenset[int]]
    if problem.layer.rule.free_level and math.comb(n_labels, k) <= few:
        others = itertools.combinations(range(n_labels), k)
    else:
        noise = np.random.default_rng(0).standard_normal((_DIRECTIONS, len(best)))
        spread = np.geomspace(1e-6, 1e3, _DIRECTIONS)[:, None]
        others = {_yielded(problem, solution, k) for solution in best + spread * noise}
    tried = sorted(map(frozenset, others), key=lambda labels: (len(labels ^ wanted), sorted(labels)))
    for i in range(0, len(tried), _BATCH):
        batch = tried[i : i + _BATCH]
        verdicts = decide(problem, problem.layer.pad([sorted(labels) for labels in batch]))
        proved = [(labels, v) for labels, v in zip(batch, verdicts, strict=True) if v.witness is not None]
        if proved:
            return proved
    raise ValueError(
        f"no argmaxable set was found near one of {k} labels: none of {len(tried)} others was proved argmaxable; "
        "are most rows equal?"
    )


def _flip_conflicts(problem: Problem, wanted: frozenset[int], verdict: Verdict) -> frozenset[int]:
    """Flip the label with the largest share of each certificate until there is none; no label twice."""
    labels, flipped = wanted, set()
    sizes = lengths(problem.system.rows[: problem.layer.n_labels])
    while verdict.certificate is not None:
        core = zip(verdict.certificate.labels, verdict.certificate.multipliers, strict=True)
        free = [(y * sizes[i], i) for i, y in core if i < len(sizes) and i not in flipped]
        if not free:
            break
        label = max(free)[1]
        flipped.add(label)
        labels = labels ^ {label}
        verdict = decided(problem, labels)
    return labels


def _undone(
    problem: Problem, wanted: frozenset[int], found: frozenset[int]
) -> Iterator[tuple[frozenset[int], Verdict]]:
    """Flips (for top-k: swaps) taken back while the set stays argmaxable: each set that is reached."""
    undone = True
    while undone:
        undone = False
        added, removed = sorted(found - wanted), sorted(wanted - found)
        single = [{i} for i in added + removed]
        moves = [{a, r} for a in added for r in removed] if problem.layer.rule.free_level else single
        for move in moves:
            if not move <= found ^ wanted:
                continue
            fewer = found ^ move
            attempt = decided(problem, fewer)
            if attempt.witness is not None:
                found, undone = fewer, True
                yield found, attempt
