"""Reach: whether every activation z has a feature vector, so that what holds for z holds for the features."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.special
from jaxtyping import Float, Int

from sigfft.argmaxability.display import html_table
from sigfft.argmaxability.layer import array_digest
from sigfft.argmaxability.proofs import interior
from sigfft.domains import Domain, DomainLike, domain_of
from sigfft.files import replacing
from sigfft.files.documents import parsed
from sigfft.heads import Head, Params
from sigfft.projection import Projection

_STEPS = 200


@dataclass(frozen=True, repr=False)
class Reach:
    """What the features of a head reach: its proof is checked by `proves`, without a solver.

    Attributes:
      status: "every z"; "part", where it is proved that they do not; or "undecided".
      domain: of the features, as verdict files name it.
      up_to_scale: "every z" means a positive multiple of each: enough where the head has no bias. So it is in a
        bounded domain.
      dim: of z.
      rank: of the projection; at least dim − rank dimensions of z are missing.
      columns: features, dim of them, through which every z is reached.
      balance: features inside the domain, which exact ones near them share, that the projection maps to zero, or in a
        bounded domain to −offset: around them is room in every direction. None where no bound asks for it.
      against: z·against <= 0 for all that features reach, where they reach a part alone though the rank is full.
      projection: digests of its arrays.
    """

    status: str
    domain: str | list[float | None]
    up_to_scale: bool
    dim: int
    rank: int
    columns: Int[np.ndarray, " dim"] | None
    balance: Float[np.ndarray, " feature_dim"] | None
    against: Float[np.ndarray, " dim"] | None
    projection: dict

    def __str__(self) -> str:
        if self.status == "every z":
            return f"features reach every z{', up to its scale' if self.up_to_scale else ''}"
        if self.rank < self.dim:
            return f"features reach a part of z: {self.dim - self.rank} of its {self.dim} dimensions are missing"
        return f"whether features reach every z: {self.status}"

    def __repr__(self) -> str:
        return f"Reach: {self}; domain {self.domain}, rank {self.rank} of {self.dim}"

    def _repr_html_(self) -> str:
        return html_table(f"Reach: {self}", self.to_dicts(), 1)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One dict of plain values: the claim without its proof."""
        return [{name: getattr(self, name) for name in ("status", "domain", "up_to_scale", "dim", "rank")}]

    def proves(self, projection: Projection) -> bool:
        """Whether a claim of "every z" or "part" is true of a projection, by exact or verified arithmetic alone."""
        if self.projection != _digest(projection):
            return False
        matrix, domain = projection.matrix, domain_of(self.domain)
        if self.status == "part":
            if _is_bounded(domain) and not self.up_to_scale:
                return True  # z asks for its scale, and features have a largest
            if self.against is not None:
                return _against(projection, domain, self.against)
            return matrix.shape[1] < len(matrix) or not interior.has_full_row_rank(matrix)
        if self.status != "every z" or self.columns is None or len(self.columns) != len(matrix):
            return False
        if not domain.bounds:
            return interior.has_full_row_rank(matrix, self.columns)
        if self.balance is None or self.up_to_scale != _is_bounded(domain):
            return False
        return interior.has_solution(matrix, _target(projection, domain), self.balance, self.columns, _room(domain))

    def features(
        self, projection: Projection, z: Float[np.ndarray, "sets dim"]
    ) -> Float[np.ndarray, "sets feature_dim"]:
        """Features, in the domain, of each z up to rounding, or up to its scale where no more is reached.

        Raises:
          ValueError: not every z is reached.
        """
        if self.status != "every z":
            raise ValueError(f"{self}: features of a given z need not exist")
        matrix, offset = projection
        domain, inverse = domain_of(self.domain), np.linalg.pinv(matrix)
        if not domain.bounds:
            return (z - offset) @ inverse.T
        balance = np.asarray(self.balance)
        if self.up_to_scale:
            step = z @ inverse.T
            room = np.minimum(balance - domain.low, domain.high - balance)
            return balance + step * 0.5 * (room / np.maximum(np.abs(step), 1e-300)).min(axis=1, keepdims=True)
        side = 1.0 if np.isfinite(domain.low) else -1.0
        bound = domain.low if side > 0 else domain.high
        h = (z - offset) @ inverse.T
        need = side * (bound - h) / balance
        slack = np.abs(h).max(axis=1, keepdims=True) * 1e-3 + 1e-30
        h = h + side * balance * (need + slack / balance).max(axis=1, keepdims=True).clip(0.0)
        return h + (z - offset - h @ matrix.T) @ inverse.T  # the balance is one up to rounding

    def save(self, path: str | Path) -> None:
        """Write a JSON object, atomically; floats read back to the same bits."""
        plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()}
        with replacing(path) as part:
            part.write_text(json.dumps(plain, allow_nan=False), encoding="utf-8")

    @staticmethod
    def load(path: str | Path) -> "Reach":
        """Read what `save` wrote; `proves` says whether it is true.

        Raises:
          ValueError: it is not such a file.
        """
        try:
            given = parsed(Path(path).read_text(encoding="utf-8"))
            arrays = {"columns": np.int64, "balance": np.float64, "against": np.float64}
            for name, dtype in arrays.items():
                given[name] = None if given[name] is None else np.array(given[name], dtype)
            return Reach(**given)
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a file that Reach.save wrote: {error!r}") from None


def reach(head: Head, params: Params, domain: DomainLike | Domain = "any") -> Reach:
    """Whether every z has a feature vector in a domain; proved where it has, or has not.

    Features of any sign reach every z iff the projection has full row rank. Nonnegative ones do iff besides it maps
    some strictly positive vector to zero (Gordan: or else all that they reach lies on one side). In a bounded domain
    they reach a positive multiple of every z iff it maps some inner point to z = 0; for a head with a bias, whose
    logits ask for a scale, that is a part.

    Where it holds, each verdict on z is one on the features: every label set that some z yields, features yield.

    Raises:
      ValueError: an unknown domain.
    """
    domain, projection = domain_of(domain), head.projection(params)
    matrix = projection.matrix
    digest, named = _digest(projection), domain.to_json()
    scaled = _is_bounded(domain) and head.bias(params, jnp.zeros(1, jnp.int32)) is None
    _, triangle, order = scipy.linalg.qr(matrix, mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(triangle))
    rank = int((diagonal > 1e-13 * diagonal.max(initial=0.0)).sum())
    columns = np.sort(order[: len(matrix)]) if matrix.shape[1] >= len(matrix) else None

    def answer(status: str, **found: Any) -> Reach:
        given = {"columns": columns, "balance": None, "against": None, "rank": rank} | found
        made = Reach(status, named, scaled, len(matrix), projection=digest, **given)
        return made if status == "undecided" or made.proves(projection) else answer("undecided", **found)

    if columns is None or not interior.has_full_row_rank(matrix, columns):
        return answer("part", columns=None, rank=min(rank, len(matrix) - 1))
    if _is_bounded(domain) and not scaled:
        return answer("part", columns=None, rank=len(matrix))
    if not domain.bounds:
        return answer("every z", rank=len(matrix))
    balance, against = _balance(matrix, _target(projection, domain), _room(domain))
    if balance is not None:
        return answer("every z", balance=balance, rank=len(matrix))
    return answer("part", columns=None, against=against, rank=len(matrix))


def _is_bounded(domain: Domain) -> bool:
    return len(domain.bounds) == 2


def _target(projection: Projection, domain: Domain) -> Float[np.ndarray, " dim"]:
    """What the balance is mapped to: directions of a cone to zero, points of a box to z = 0."""
    return -projection.offset if _is_bounded(domain) else np.zeros_like(projection.offset)


def _room(domain: Domain) -> Domain:
    """Where the balance lies: with one bound, among the directions that keep it."""
    return domain if _is_bounded(domain) else domain_of("nonnegative")


def _balance(
    m: Float[np.ndarray, "dim feature_dim"], target: Float[np.ndarray, " dim"], room: Domain
) -> tuple[Float[np.ndarray, " feature_dim"] | None, Float[np.ndarray, " dim"]]:
    """H in the room with M h = target; or None, and a v that speaks against it.

    Newton's method on a smooth convex function of v: with h_j = ψ'(v·M_j), where ψ' rises from bound to bound, M h −
    target is the gradient of Σ ψ(v·M_j) − v·target. Where that has no minimum, v runs away in a direction that tells.
    """
    size = np.linalg.norm(m) / np.sqrt(len(m))
    m, target = m / size, target / size
    low, wide = room.low, room.high - room.low

    def curve(v: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        a = v @ m
        if np.isinf(wide):
            with np.errstate(over="ignore"):
                h = np.exp(a)
            return float(h.sum()), h, h
        share = scipy.special.expit(a)
        value = (low * a + wide * np.logaddexp(0.0, a)).sum() - v @ target
        return float(value), low + wide * share, wide * share * (1 - share)

    v = np.zeros(len(m))
    value, h, rises = curve(v)
    for _ in range(_STEPS):
        gradient = m @ h - target
        if np.abs(gradient).max() <= 1e-13 * (np.abs(m) @ np.abs(h) + np.abs(target)).max():
            return (h / h.max() if np.isinf(wide) else h), v
        if _speaks(v @ m, v @ target, room):
            break
        hessian = (m * rises) @ m.T
        step = np.linalg.solve(hessian + 1e-15 * np.trace(hessian) * np.eye(len(m)), -gradient)
        length = 1.0
        while not curve(v + length * step)[0] <= value + 1e-4 * length * (gradient @ step) and length > 1e-12:
            length /= 2
        v = v + length * step
        value, h, rises = curve(v)
    return None, v


def _speaks(slopes: np.ndarray, level: float, room: Domain, error: np.ndarray | float = 0.0) -> bool:
    """Whether all h of a room have slopes·h below a level: then no h has them equal."""
    if np.isinf(room.high):
        return bool((slopes < -error).all() and level >= 0)
    return bool((np.maximum(room.low * slopes, room.high * slopes) + error).sum() < level)


def _against(projection: Projection, domain: Domain, v: np.ndarray) -> bool:
    """Whether v proves that a part of z is not reached: M h = target has no solution in the room, nor nearly."""
    matrix, target, room = projection.matrix, _target(projection, domain), _room(domain)
    if v.shape != target.shape:
        return False
    gamma = (matrix.shape[0] + 8) * 2.0**-52
    error = (
        gamma * (np.abs(v) @ np.abs(matrix)) * max(1.0, np.abs(room.low), room.high if np.isfinite(room.high) else 1.0)
    )
    level = float(v @ target)
    doubt = gamma * float(np.abs(v) @ np.abs(target)) + matrix.shape[1] * 2.0**-50 * float(np.abs(v @ matrix).sum())
    return _speaks(v @ matrix, level - (doubt if np.isfinite(room.high) else 0.0), room, error)


def _digest(projection: Projection) -> dict:
    return {name: array_digest(array) for name, array in projection._asdict().items()}
