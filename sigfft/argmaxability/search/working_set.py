"""The search of a batch of label sets: a least-squares start, then Newton on a small working set of rows for each.

Few rows matter to one label set: those near the start's boundary. So Newton sees a working set of a few times the rank,
all rows are looked at once a round (one matrix product for the batch), and violated ones join the working set. A
working set that contradicts itself is a proof for all rows; an x that separates it is tried on all rows. Where Newton
finds neither, an interior method goes on.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from sigfft.argmaxability import progress
from sigfft.argmaxability.proofs.certificate import Certificate
from sigfft.argmaxability.search import interior, newton
from sigfft.argmaxability.search.basis import Basis, start, unit
from sigfft.argmaxability.search.clock import Clock
from sigfft.argmaxability.search.finding import Finding, certify, upper_bound
from sigfft.argmaxability.search.system import System

_NEVER = Clock()
_ROOM = 4  # rows that may join the working set in one round, per dimension
_DROPPING_ROUNDS = 6  # later rounds only add rows, so that the search cannot go in circles


def search(
    system: System,
    basis: Basis,
    padded: Int[np.ndarray, "sets width"],
    *,
    x: Float[np.ndarray, "sets rank"] | None = None,
    rounds: int = 40,
    accelerate: bool | None = None,
    clock: Clock = _NEVER,
) -> list[Finding]:
    """Search a batch of label sets: it shares every product with all rows. Memory: sets × constraints floats.

    Args:
      system: the rows and the rule.
      basis: its whitened rows.
      padded: distinct label sets.
      x: where the search of each set begins; default: `basis.start`.
      rounds: looks at all rows before a set is left open.
      accelerate: run Newton for the whole batch on the default JAX device, in float32, and finish on the host in
        float64; by default if that device is an accelerator. Cores are faster with one set at a time.
      clock: how long the batch may take.
    """
    accelerate = jax.default_backend() != "cpu" if accelerate is None else accelerate
    x = start(system, basis, padded) if x is None else x
    searches = [_Search(system, basis, label_set, one) for label_set, one in zip(padded, x, strict=True)]
    running = list(range(len(searches)))
    for turn in range(rounds):
        solutions = unit(np.stack([searches[i].x for i in running]) @ basis.to_solution.T)
        margins = system.margins(padded[running], solutions)
        for i, solution, margin in zip(running, solutions, margins, strict=True):
            searches[i].look(solution, margin, drop=turn < _DROPPING_ROUNDS)
        running = [i for i in running if searches[i].open]
        if accelerate and running:
            _advance_together([searches[i] for i in running])
        for place, i in enumerate(running):
            progress.works_on(f"round {turn + 1} of the search, set {place + 1} of {len(running)}")
            searches[i].advance()
            progress.decided(sum(s.lower > 0 or s.certificate is not None for s in searches))
        running = [i for i in running if searches[i].open]
        if not running or clock.left <= 0:
            break
    return [s.finding() for s in searches]


def _advance_together(searches: list["_Search"]) -> None:
    """Newton on the working sets of a batch, padded to powers of two so that few shapes are compiled."""
    height = _power_of_two(max(len(s.working) for s in searches))
    rows = np.zeros((_power_of_two(len(searches)), height, searches[0].x.size), np.float32)
    given = np.zeros(rows.shape[:2], bool)
    x = np.zeros((len(rows), rows.shape[2]), np.float32)
    for i, one in enumerate(searches):
        rows[i, : len(one.working)], given[i, : len(one.working)] = one.signed(one.basis.rows, one.working), True
        x[i] = one.x
    found = np.asarray(newton.minimise_batch(jnp.asarray(rows), jnp.asarray(given), jnp.asarray(x)), np.float64)
    for one, new in zip(searches, found, strict=False):
        if np.isfinite(new).all() and new.any():
            one.x = new


def _power_of_two(size: int) -> int:
    return 1 << max(3, (size - 1).bit_length())


class _Search:
    """One label set on its way: look at all rows, choose the working set, advance x on it."""

    def __init__(self, system: System, basis: Basis, label_set: np.ndarray, x: np.ndarray):
        self.system, self.basis, self.x = system, basis, x
        self.active, self.held = system.active(label_set), system.held(label_set)
        self.working = self.active[:0]
        self.best, self.lower = np.zeros(system.units.shape[1]), -1.0
        self.bounding: list[tuple[np.ndarray, np.ndarray]] = []  # ids, and multipliers that bound the margin
        self.certificate: Certificate | None = None
        self.open = True
        self.thin = False  # Newton has given up on it: the interior method goes on, on rows that only grow

    def look(self, solution: np.ndarray, margins: np.ndarray, drop: bool) -> None:
        """Margins of all rows at the unit solution of x: better bounds, and the next working set."""
        least = min(1.0, float(margins.min()))  # infinite where no row asks anything
        if least > self.lower:
            self.best, self.lower = solution, least
        self.open, rank = least <= 0, self.x.size
        if not self.open:
            near = np.argpartition(margins, min(rank, len(margins) - 1))[: rank + 1]
            near = near[np.isfinite(margins[near])]
            self.bounding.append((near, margins[near].max(initial=least) - margins[near]))
            return
        length = np.linalg.norm(self.basis.to_solution @ self.x)
        if not len(self.working):
            kept, limit = self.held, np.inf
        else:
            kept, limit = self.working, 0.5
            kept = kept[margins[kept] * length < 1.5] if drop and not self.thin else kept
        room = min(_ROOM * rank + 8, len(margins)) - 1
        lowest = np.argpartition(margins, room)[: room + 1]
        lowest = lowest[np.isfinite(margins[lowest])]
        lowest = lowest[margins[lowest] * length < limit]
        before, self.working = self.working, np.union1d(kept, lowest)
        self.open = len(before) == 0 or not np.isin(self.working, before).all()

    def advance(self) -> None:
        """Minimise on the working set; close the search where that is a proof, or neither proof nor separation."""
        if not self.open:
            return
        rows = self.signed(self.basis.rows, self.working)
        if not self.thin:
            found = newton.minimise(rows, self.x)
            self.thin = not found.cancels and bool((rows @ found.x).min() <= 0)
        if self.thin:
            found = interior.minimise(rows)
        self.x, multipliers, cancels = found
        self.bounding = [(self.working, multipliers)]
        if cancels:
            self.certificate = certify(self.system, rows, multipliers, self.working)
        self.open = not cancels and bool((rows @ self.x).min() > 0)

    def signed(self, rows: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Some rows times their signs."""
        signs = np.full(len(self.system.rows), -1.0)
        signs[self.active] = 1.0
        return rows[ids] * signs[ids, None]

    def finding(self) -> Finding:
        """The margin's bounds, with every rounding against the claim."""
        rows, error = self.system.units, self.system.row_error
        bounds = (upper_bound(self.signed(rows, ids), weights, error) for ids, weights in self.bounding)
        lower, upper = max(-1.0, self.lower - self.system.unit_error), min(bounds, default=1.0)
        return Finding(self.best, lower, upper, self.certificate, self.working)
