"""The margin search: a least-squares start for a whole batch, then Newton on a small working set of rows for each set.

Few rows matter to one label set: those near the start's boundary. So Newton sees a working set of a few times the rank,
all rows are looked at once a round (one matrix product for the batch), and violated ones join the working set. A
working set that contradicts itself is a proof for all rows; an x that separates it is tried on all rows.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Float, Int

from sigfft.argmaxability import newton, support
from sigfft.argmaxability.certificate import Certificate
from sigfft.argmaxability.system import EPS, System, lengths

_ROUNDS = 40
_ROOM = 4  # rows that may join the working set in one round, per dimension
_DROPPING_ROUNDS = 6  # later rounds only add rows, so that the search cannot go in circles


@dataclass(frozen=True)
class Basis:
    """Coordinates in which the unit rows of a system are white: rows = units @ to_solution, Gram matrix ∝ identity.

    Directions that no row has are left out, so the rank may be below D. A change of basis changes neither the
    solutions nor the certificates; it makes Newton's δ mean the same in every direction.
    """

    rows: Float[np.ndarray, "constraints rank"]
    to_solution: Float[np.ndarray, "D rank"]
    from_row: Float[np.ndarray, "rank D"]  # units = rows @ from_row

    @classmethod
    def of(cls, system: System) -> "Basis":
        """Whiten the unit rows of a system by a singular value decomposition."""
        triangle = scipy.linalg.qr(system.units, mode="r", check_finite=False)[0][: system.units.shape[1]]
        _, singular, directions = scipy.linalg.svd(triangle, check_finite=False)
        rank = max(1, int((singular > 8 * max(system.units.shape) * EPS * singular[0]).sum()))
        scale = np.where(singular > 0, singular, 1.0)[:rank] * np.sqrt(
            rank / len(system.units)
        )  # unit rows, on average
        to_solution = directions[:rank].T / scale
        return cls(system.units @ to_solution, to_solution, directions[:rank] * scale[:, None])


@dataclass
class Finding:
    """What the search knows of one label set: the best solution, the margin's bounds, perhaps a certificate."""

    solution: Float[np.ndarray, " D"]
    lower: float
    upper: float
    certificate: Certificate | None
    working: Int[np.ndarray, " rows"]
    note: str = "no proof either way was found"


def search(
    system: System, basis: Basis, padded: Int[np.ndarray, "sets width"], accelerate: bool | None = None
) -> list[Finding]:
    """Search a batch of label sets: it shares every product with all rows. Memory: sets × constraints floats.

    Args:
      system: the rows and the rule.
      basis: its whitened rows.
      padded: distinct label sets.
      accelerate: run Newton for the whole batch on the default JAX device, in float32, and finish on the host in
        float64; by default if that device is an accelerator. Cores are faster with one set at a time.
    """
    accelerate = jax.default_backend() != "cpu" if accelerate is None else accelerate
    searches = [
        _Search(system, basis, label_set, x) for label_set, x in zip(padded, start(system, basis, padded), strict=True)
    ]
    running = list(range(len(searches)))
    for turn in range(_ROUNDS):
        solutions = unit(np.stack([searches[i].x for i in running]) @ basis.to_solution.T)
        margins = system.margins(padded[running], solutions)
        for i, solution, margin in zip(running, solutions, margins, strict=True):
            searches[i].look(solution, margin, drop=turn < _DROPPING_ROUNDS)
        running = [i for i in running if searches[i].open]
        if accelerate and running:
            _advance_together([searches[i] for i in running])
        for i in running:
            searches[i].advance()
        running = [i for i in running if searches[i].open]
        if not running:
            break
    return [s.finding() for s in searches]


def start(system: System, basis: Basis, padded: Int[np.ndarray, "sets width"]) -> Float[np.ndarray, "sets rank"]:
    """Least squares to -1 on the inactive rows, with the active ones held at 1 where they are few.

    The Gram matrix is g I, so x = -(t + Pᵀμ) / g, with t the sum of all rows, P the active ones and P x = 1.
    """
    rows, rank = basis.rows, basis.rows.shape[1]
    total, gram = rows.sum(axis=0), len(rows) / rank
    cardinality = (padded < system.n_labels).sum(axis=1)
    x = np.empty((len(padded), rank))
    for i in np.flatnonzero(cardinality > rank // 2):
        x[i] = (2 * rows[system.active(padded[i])].sum(axis=0) - total) / gram
    few = np.flatnonzero(cardinality <= rank // 2)
    if len(few):
        x[few] = _held(system, rows, padded[few, : max(1, cardinality[few].max())], total, gram)
    return x


def _held(system: System, rows: np.ndarray, padded: np.ndarray, total: np.ndarray, gram: float) -> np.ndarray:
    sets, columns = np.nonzero(padded < system.n_labels)
    active = np.zeros((*padded.shape, rows.shape[1]))
    active[sets, columns] = rows[padded[sets, columns]]
    if system.positive is not None:
        active = np.concatenate([active, np.broadcast_to(rows[-1], (len(padded), 1, rows.shape[1]))], axis=1)
    inner = active @ active.transpose(0, 2, 1)
    diagonal = np.einsum("bkk->bk", inner)
    diagonal += 0.01 * diagonal.mean(axis=1, keepdims=True) + 1e-9  # padding, and rows that depend on others
    push = np.linalg.solve(inner, gram + active @ total[:, None])
    return -(total - (active.transpose(0, 2, 1) @ push)[..., 0]) / gram


def unit(solutions: Float[np.ndarray, "sets D"]) -> Float[np.ndarray, "sets D"]:
    """Each solution divided by its length."""
    return solutions / np.maximum(np.linalg.norm(solutions, axis=1, keepdims=True), 1e-300)


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
        self.active = system.active(label_set)
        self.working = self.active[:0]
        self.best, self.lower = np.zeros(system.units.shape[1]), -1.0
        self.bounding: list[tuple[np.ndarray, np.ndarray]] = []  # ids, and multipliers that bound the margin
        self.certificate: Certificate | None = None
        self.open = True

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
            kept, limit = self.active, np.inf
        else:
            kept, limit = self.working, 0.5
            kept = kept[margins[kept] * length < 1.5] if drop else kept
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
        self.x, multipliers, cancels = newton.minimise(rows, self.x)
        self.bounding = [(self.working, multipliers)]
        if cancels:
            self.certificate = certify(self.system, rows, multipliers, self.working)
        self.open = not cancels and bool((rows @ self.x).min() > 0)

    def signed(self, rows: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Some rows times their signs."""
        signs = np.full(self.system.n_constraints, -1.0)
        signs[self.active] = 1.0
        return rows[ids] * signs[ids, None]

    def finding(self) -> Finding:
        """The margin's bounds, with every rounding against the claim."""
        error, upper = self.system.unit_error, 1.0
        for ids, multipliers in self.bounding:
            if multipliers.any():
                total = multipliers @ self.signed(self.system.units, ids)
                upper = min(upper, float(np.linalg.norm(total) / multipliers.sum()) + (len(ids) + 16) * EPS)
        return Finding(self.best, max(-1.0, self.lower - error), upper, self.certificate, self.working)


def certify(
    system: System, rows: Float[np.ndarray, "rows rank"], multipliers: Float[np.ndarray, " rows"], ids: np.ndarray
) -> Certificate | None:
    """A certificate on few labels from signed unit rows that cancel: its multipliers are those of the stored rows."""
    reduced = support.reduce_support(rows, multipliers)
    if reduced is None:
        return None
    at, y = reduced
    labels = ids[at]
    stored = labels < system.n_labels
    sizes = np.empty(len(labels))
    sizes[stored] = lengths(system.rows[labels[stored]])
    if system.positive is not None:
        sizes[~stored] = np.ldexp(1.0, system.exponents[system.positive])
    smallest = sizes.min()  # before dividing: 1 / sizes may overflow
    y = y * (smallest / sizes)
    y /= y.max()
    order = np.argsort(labels)
    return Certificate(tuple(labels[order].tolist()), tuple(y[order].tolist()))
