"""Alternating direction method of multipliers for activations of large margin: a step costs two products with W.

For a DFT head they are two FFTs.

The hard-margin problem  min ε/2 ‖x‖²  subject to  s_i (u_i·x) >= 1  (u_i the unit rows of the rule's sign system) is
split into a least-squares step in x and a clip in the logits t = U x, and solved for a batch of label sets at once.
ε near 0 finds some solution soon; a larger ε then widens its margin. What comes out is a proposal in float32: a proof
is for `proofs`, a forward pass for `forward`.

Reference: Boyd, Parikh, Chu, Peleato, Eckstein, Distributed Optimization and Statistical Learning via ADMM (2011),
sections 3 and 6.
"""

import math
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sigfft.argmaxability.rules import Rule, named
from sigfft.heads import Head, Params

FEASIBLE, WIDE = 1e-4, 1e-2  # ε of the two phases, in units of the mean eigenvalue of the Gram matrix
_STEPS = 25  # between looks at the margins: each look waits for the device
_RELAXATION = 1.8  # over-relaxation between 1.5 and 1.8 is what Boyd et al., section 3.4.3, recommend
_LEVEL = 0.25  # scale of the free level's column under top_k: logits are then centred where the layer can do so
_LONGEST_FLOAT = float(np.finfo(np.float32).max)
_FLOATS_AT_ONCE = 1 << 21  # logits of a batch
_ORDINARY = 10  # beyond 2**±10 the level's column follows the size of the rows
_LONGEST = 2.0**-60, 2.0**116  # between which the longest row is brought, so that products stay in float32


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Rows:
    """The unit rows of a head's sign system as a linear map of x, which all batches share: W itself is never made.

    x holds z, then the factor of the bias if there is one, then the level if the rule has a free one.
    """

    head: Head = field(metadata={"static": True})
    rule: Rule = field(metadata={"static": True})
    params: Params
    scale: Float[Array, " labels"]  # 1 / length of each row of the system, shrunk; 0 for a zero row
    bias: Float[Array, " labels"] | None
    shrink: Float[Array, ""]  # a power of two that multiplies all rows before their products; mostly 1
    level: Float[Array, ""]  # entry of the free level's column

    @classmethod
    def of(cls, head: Head, params: Params, rule: Rule) -> "Rows":
        """The rows of a head under a rule; their lengths are found by blocks of W."""
        ids = np.arange(head.n_labels)
        blocks = np.array_split(ids, max(1, head.n_labels * head.dim // (1 << 24)))
        lengths = np.concatenate([_lengths(head, params, jnp.asarray(b)) for b in blocks])
        bias = head.bias(params, jnp.asarray(ids))
        if bias is not None:
            lengths = np.hypot(lengths, np.asarray(bias, np.float64))
        size = int(np.frexp(lengths.max())[1])
        level = _LEVEL if abs(size) <= _ORDINARY else min(math.ldexp(_LEVEL, size), _LONGEST_FLOAT)
        if rule.free_level:
            lengths = np.hypot(lengths, level)
        longest = math.ldexp(1.0, int(np.frexp(lengths.max())[1]))
        shrink = min(max(longest, _LONGEST[0]), _LONGEST[1]) / longest
        with np.errstate(divide="ignore"):
            scale = np.where(lengths > 0, np.minimum(1 / (lengths * shrink), 2.0**120), 0.0)
        numbers = (jnp.asarray(value, jnp.float32) for value in (shrink, level))
        return cls(head, rule, params, jnp.asarray(scale, jnp.float32), bias, *numbers)

    @property
    def width(self) -> int:
        """Entries of x, D."""
        return self.head.dim + (self.bias is not None) + self.rule.free_level

    def times(self, x: Float[Array, "sets D"]) -> Float[Array, "sets constraints"]:
        """The products of all rows with each x, the factor of the bias last."""
        dim, shrunk = self.head.dim, x * self.shrink
        values = self.head.decode(self.params, shrunk[:, :dim])
        if self.bias is not None:
            values = values + (shrunk[:, dim, None] - 1) * self.bias[None]  # `decode` has added it once
        if self.rule.free_level:
            values = values - self.level * shrunk[:, -1:]
        values = values * self.scale[None]
        return values if self.bias is None else jnp.concatenate([values, x[:, dim, None]], axis=1)

    def transposed(self, logits: Float[Array, "sets constraints"]) -> Float[Array, "sets D"]:
        """Sums of the rows, weighted by logits: the transpose of `times`, as automatic differentiation makes it."""
        return jax.vjp(self.times, jnp.zeros((len(logits), self.width)))[1](logits)[0]

    def some(self, labels: Int[Array, "sets width"]) -> Float[Array, "sets width D"]:
        """The rows of some labels."""
        own = self.head.rows(self.params, labels.reshape(-1)).reshape(*labels.shape, self.head.dim)
        if self.bias is not None:
            own = jnp.concatenate([own, self.bias[labels][..., None]], axis=-1)
        if self.rule.free_level:
            own = jnp.concatenate([own, jnp.broadcast_to(-self.level, (*labels.shape, 1))], axis=-1)
        return own * self.shrink * self.scale[labels][..., None]

    def signs(self, padded: Int[Array, "sets width"]) -> Float[Array, "sets constraints"]:
        """1 on the labels of each set, and on the factor of the bias; -1 elsewhere."""
        signs = jnp.full((len(padded), self.head.n_labels), -1.0)
        signs = signs.at[jnp.arange(len(padded))[:, None], padded].set(1.0, mode="drop")
        return signs if self.bias is None else jnp.concatenate([signs, jnp.ones((len(padded), 1))], axis=1)

    def gram(self) -> Float[np.ndarray, "D D"]:
        """Σ u_i u_iᵀ, some columns at a time."""
        parts = np.array_split(np.eye(self.width), self.width // 64 + 1)
        gram = np.concatenate([np.asarray(_gram_columns(self, jnp.asarray(part)), np.float64) for part in parts])
        return (gram + gram.T) / 2


class State(NamedTuple):
    """One batch between two steps; `best` is the x of the largest margin so far."""

    logits: Float[Array, "sets constraints"]
    dual: Float[Array, "sets constraints"]
    best: Float[Array, "sets D"]
    margin: Float[Array, " sets"]


def widen(
    head: Head,
    params: Params,
    padded: Int[np.ndarray, "sets width"],
    rule: str | Rule = "threshold",
    *,
    search_steps: int = 400,
    widen_steps: int = 150,
    enough: float = math.inf,
) -> tuple[Float[np.ndarray, "sets dim"], Float[np.ndarray, " sets"]]:
    """An activation of large margin for each label set, found with `head.decode` and its transpose alone.

    Args:
      head: any head.
      params: its parameters.
      padded: label sets.
      rule: as `sigfft.check`.
      search_steps: steps until a set that has no activation yet is given up.
      widen_steps: further steps, once the batch is done with these, that widen the margins.
      enough: no more steps are taken once every margin of the batch is as large as this.

    Returns:
      Activations; and their margins in float32 arithmetic, at most 0 where none was found.
    """
    if not len(padded):
        return np.zeros((0, head.dim)), np.zeros(0)
    with jax.enable_x64(False), jax.default_matmul_precision("highest"):  # accelerators would round products further
        rows = Rows.of(head, params, named(rule))
        gram = rows.gram()
        feasible, wide = (_inverse(gram, epsilon) for epsilon in (FEASIBLE, WIDE))
        size = min(len(padded), max(1, _FLOATS_AT_ONCE // head.n_labels))
        states = []
        for first in range(0, len(padded), size):
            batch = jnp.asarray(padded[np.arange(first, first + size) % len(padded)])  # one shape, compiled once
            signs = rows.signs(batch)
            nothing = jnp.zeros((size, rows.width)), jnp.full(size, -1.0)
            state = State(signs, _first_dual(rows, feasible, batch), *nothing)
            for _ in range(0, search_steps, _STEPS):
                state = _steps(rows, feasible, signs, state)
                if bool((state.margin > 0).all()):
                    break
            for _ in range(0, widen_steps if bool((state.margin > 0).any()) else 0, _STEPS):
                if bool((state.margin >= enough).all()):
                    break
                state = _steps(rows, wide, signs, state)
            states.append(state)
    x = np.concatenate([np.asarray(state.best, np.float64) for state in states])[: len(padded)]
    margin = np.concatenate([np.asarray(state.margin, np.float64) for state in states])[: len(padded)]
    z = x[:, : head.dim]
    if rows.bias is not None:
        z = z / np.where(x[:, head.dim] > 0, x[:, head.dim], 1.0)[:, None]
    return z, margin


def _lengths(head: Head, params: Params, labels: Int[Array, " m"]) -> Float[np.ndarray, " m"]:
    largest, squares = _squares(head, params, labels)
    return np.asarray(largest, np.float64) * np.sqrt(np.asarray(squares, np.float64))


@partial(jax.jit, static_argnames="head")
def _squares(head: Head, params: Params, labels: Int[Array, " m"]) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
    """The largest entry of each row; and the sum of squares in units of it, which float32 could not hold otherwise."""
    rows = head.rows(params, labels)
    largest = jnp.abs(rows).max(axis=1)
    return largest, jnp.square(rows / jnp.where(largest > 0, largest, 1.0)[:, None]).sum(axis=1)


@jax.jit
def _gram_columns(rows: Rows, columns: Float[Array, "some D"]) -> Float[Array, "some D"]:
    return rows.transposed(rows.times(columns))


@jax.jit
def _first_dual(
    rows: Rows, inverse: Float[Array, "D D"], padded: Int[Array, "sets width"]
) -> Float[Array, "sets constraints"]:
    """Duals whose first x is least squares to −1 on the inactive labels, with the active logits held at 1.

    From zero, the duals of the few active labels would take some n/d steps to outweigh the others.
    """
    given = padded < rows.head.n_labels
    own = rows.some(jnp.where(given, padded, 0)) * jnp.where(given, 1.0, 0.0)[..., None]
    inactive = rows.signs(jnp.full((1, 1), rows.head.n_labels))
    x = rows.transposed(inactive) @ inverse
    push = own @ inverse
    inner = push @ own.mT
    ridge = 1e-3 * jnp.trace(inner, axis1=1, axis2=2) / jnp.where(given, 1.0, 0.0).sum(axis=1).clip(1.0) + 1e-12
    inner = inner + ridge[:, None, None] * jnp.eye(inner.shape[1])[None]
    wanted = jnp.where(given, 1.0 - (own @ x[0]), 0.0)
    multipliers = jnp.linalg.solve(inner, wanted[..., None])[..., 0]
    dual = jnp.zeros((len(padded), inactive.shape[1]))
    columns = jnp.where(given, padded, dual.shape[1])  # padding is no constraint, and falls outside
    return dual.at[jnp.arange(len(padded))[:, None], columns].set(2.0 - multipliers, mode="drop")


@jax.jit
def _steps(rows: Rows, inverse: Float[Array, "D D"], signs: Float[Array, "sets constraints"], state: State) -> State:
    """Some steps: least squares to logits − dual, then logits + dual clipped to the right side of ±1."""
    silent = jnp.zeros(signs.shape[1], bool).at[: rows.head.n_labels].set(rows.scale == 0)[None]
    asks = ~silent | (signs > 0)  # a zero row keeps its label off, which is right where it is inactive

    def step(state: State, _: None) -> tuple[State, None]:
        x = rows.transposed(state.logits - state.dual) @ inverse
        values = rows.times(x)
        margin = jnp.where(asks, signs * values, jnp.inf).min(axis=1) / jnp.maximum(jnp.linalg.norm(x, axis=1), 1e-30)
        best = jnp.where((margin > state.margin)[:, None], x, state.best)
        relaxed = _RELAXATION * values + (1 - _RELAXATION) * state.logits + state.dual
        logits = jnp.where(signs * relaxed < 1, signs, relaxed)
        return State(logits, relaxed - logits, best, jnp.maximum(margin, state.margin)), None

    return jax.lax.scan(step, state, length=_STEPS)[0]


def _inverse(gram: Float[np.ndarray, "D D"], epsilon: float) -> Float[Array, "D D"]:
    if not np.isfinite(gram).all():  # weights beyond float32: nothing is found, and nothing raised
        return jnp.zeros(gram.shape, jnp.float32)
    ridge = epsilon * np.trace(gram) / len(gram) or 1.0  # 1: where all rows are zero
    return jnp.asarray(np.linalg.inv(gram + ridge * np.eye(len(gram))), jnp.float32)
