"""Alternating direction method of multipliers for activations of large margin: a step costs two products with W.

For a DFT head they are two FFTs.

The hard-margin problem  min ε/2 ‖x‖²  subject to  s_i (u_i·x) >= 1  (u_i the unit rows of the rule's sign system) is
split into a least-squares step in x and a clip in the logits t = U x, and solved by the alternating direction method
of multipliers for a batch of label sets at once. ε near 0 finds some solution soon; a larger ε then widens its margin.
What comes out is a proposal in float32: a proof is for `proofs`, a forward pass for `forward`.

Reference: Boyd, Parikh, Chu, Peleato, Eckstein, Distributed Optimization and Statistical Learning via ADMM (2011),
sections 3 and 6.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sigfft.argmaxability.rules import Rule, named
from sigfft.heads import Head, Params

FEASIBLE, WIDE = 1e-4, 1e-2  # ε of the two phases, in units of the mean eigenvalue of the Gram matrix
_STEPS = 25  # between looks at the margins
_RELAXATION = 1.8
_LEVEL = 0.25  # scale of the free level's column under top_k: logits are then centred where the layer can do so
_FLOATS_AT_ONCE = 1 << 21  # logits of a batch


class Shared(NamedTuple):
    """A head as the sign system of a rule: what every batch of label sets shares.

    x holds z, then the factor of the bias if there is one, then the level if the rule has a free one.
    """

    params: Params
    scale: Float[Array, " labels"]  # 1 / length of each row of the system; 0 for a zero row
    bias: Float[Array, " labels"] | None
    gram: Float[np.ndarray, "D D"]


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
    rule = named(rule)
    if not len(padded):
        return np.zeros((0, head.dim)), np.zeros(0)
    with jax.enable_x64(False):
        layer = _layer(head, params, rule)
        solvers = [_inverse(layer.gram, epsilon) for epsilon in (FEASIBLE, WIDE)]
        size = min(len(padded), max(1, _FLOATS_AT_ONCE // head.n_labels))
        found = []
        for first in range(0, len(padded), size):
            batch = padded[np.arange(first, first + size) % len(padded)]  # one shape, compiled once
            found.append(
                _widen_batch(head, layer, solvers, jnp.asarray(batch), rule, search_steps, widen_steps, enough)
            )
    x, margin = (np.concatenate(parts)[: len(padded)] for parts in zip(*found, strict=True))
    z = x[:, : head.dim]
    if layer.bias is not None:
        z = z / np.where(x[:, head.dim] > 0, x[:, head.dim], 1.0)[:, None]
    return z, margin


def _widen_batch(
    head: Head,
    layer: Shared,
    solvers: list[Array],
    padded: Array,
    rule: Rule,
    search_steps: int,
    widen_steps: int,
    enough: float,
) -> tuple[np.ndarray, np.ndarray]:
    shared = layer._replace(gram=np.zeros(0))
    signs = _signs(padded, head.n_labels, layer.bias is not None)
    state = State(
        signs,
        _first_dual(head, shared, solvers[0], signs, padded, rule),
        jnp.zeros((len(signs), len(layer.gram))),
        jnp.full(len(signs), -1.0),
    )
    for _ in range(0, search_steps, _STEPS):
        state = _steps(head, shared, solvers[0], signs, state, rule)
        if bool((state.margin > 0).all()):
            break
    if bool((state.margin > 0).any()):
        for _ in range(0, widen_steps, _STEPS):
            if bool((state.margin >= enough).all()):
                break
            state = _steps(head, shared, solvers[1], signs, state, rule)
    return np.asarray(state.best, np.float64), np.asarray(state.margin, np.float64)


@partial(jax.jit, static_argnames=("head", "rule"))
def _first_dual(
    head: Head, layer: Shared, inverse: Float[Array, "D D"], signs: Array, padded: Int[Array, "sets width"], rule: Rule
) -> Float[Array, "sets constraints"]:
    """Duals whose first x is least squares to −1 on the inactive labels, with the active logits held at 1.

    From zero, the duals of the few active labels would take some n/d steps to outweigh the others.
    """
    given = padded < head.n_labels
    ids = jnp.where(given, padded, 0)
    own = head.rows(layer.params, ids.reshape(-1)).reshape(*ids.shape, head.dim)
    if layer.bias is not None:
        own = jnp.concatenate([own, layer.bias[ids][..., None]], axis=-1)
    if rule.free_level:
        own = jnp.concatenate([own, jnp.full((*ids.shape, 1), -_LEVEL)], axis=-1)
    own = own * jnp.where(given, layer.scale[ids], 0.0)[..., None]
    inactive = jnp.full((1, signs.shape[1]), -1.0).at[:, head.n_labels :].set(1.0)
    x = _transpose(head, layer, rule, (1, inverse.shape[0]))(inactive) @ inverse
    push = own @ inverse
    inner = push @ own.mT
    ridge = 1e-3 * jnp.trace(inner, axis1=1, axis2=2) / jnp.where(given, 1.0, 0.0).sum(axis=1).clip(1.0) + 1e-12
    inner = inner + ridge[:, None, None] * jnp.eye(inner.shape[1])[None]
    wanted = jnp.where(given, 1.0 - (own @ x[0]), 0.0)
    multipliers = jnp.linalg.solve(inner, wanted[..., None])[..., 0]
    sets, columns = jnp.arange(len(padded))[:, None], jnp.where(given, padded, signs.shape[1])
    return jnp.zeros_like(signs).at[sets, columns].set(2.0 - multipliers, mode="drop")


@partial(jax.jit, static_argnames=("head", "rule"))
def _steps(head: Head, layer: Shared, inverse: Float[Array, "D D"], signs: Array, state: State, rule: Rule) -> State:
    """Some steps: least squares to logits − dual, then logits + dual clipped to the right side of ±1."""
    transpose = _transpose(head, layer, rule, state.best.shape)
    silent = jnp.zeros(signs.shape[1], bool).at[: head.n_labels].set(layer.scale == 0)[None]
    asks = ~silent | (signs > 0)  # a zero row keeps its label off, which is right where it is inactive

    def step(state: State, _: None) -> tuple[State, None]:
        x = transpose(state.logits - state.dual) @ inverse
        values = _forward(head, layer, rule, x)
        margin = jnp.where(asks, signs * values, jnp.inf).min(axis=1) / jnp.maximum(jnp.linalg.norm(x, axis=1), 1e-30)
        better = margin > state.margin
        best = jnp.where(better[:, None], x, state.best)
        relaxed = _RELAXATION * values + (1 - _RELAXATION) * state.logits + state.dual
        logits = jnp.where(signs * relaxed < 1, signs, relaxed)
        return State(logits, relaxed - logits, best, jnp.maximum(margin, state.margin)), None

    return jax.lax.scan(step, state, length=_STEPS)[0]


def _forward(head: Head, layer: Shared, rule: Rule, x: Float[Array, "sets D"]) -> Float[Array, "sets constraints"]:
    """The unit rows of the system times x; linear."""
    values = head.decode(layer.params, x[:, : head.dim])
    if layer.bias is not None:
        values = values + (x[:, head.dim, None] - 1) * layer.bias[None]
    if rule.free_level:
        values = values - _LEVEL * x[:, -1:]
    values = values * layer.scale[None]
    return values if layer.bias is None else jnp.concatenate([values, x[:, head.dim, None]], axis=1)


def _transpose(head: Head, layer: Shared, rule: Rule, shape: tuple[int, ...]) -> Callable[[Array], Array]:
    """The product of logits with the unit rows: the transpose of `_forward`."""
    _, pull = jax.vjp(partial(_forward, head, layer, rule), jnp.zeros(shape))
    return lambda logits: pull(logits)[0]


def _layer(head: Head, params: Params, rule: Rule) -> Shared:
    ids = np.arange(head.n_labels)
    blocks = np.array_split(ids, max(1, head.n_labels * head.dim // (1 << 24)))
    total = np.concatenate([np.asarray(_squares(head, params, jnp.asarray(block)), np.float64) for block in blocks])
    bias = head.bias(params, jnp.asarray(ids))
    total += 0.0 if bias is None else np.square(np.asarray(bias, np.float64))
    total += _LEVEL**2 if rule.free_level else 0.0
    scale = np.where(total > 0, 1 / np.sqrt(np.where(total > 0, total, 1.0)), 0.0)
    layer = Shared(params, jnp.asarray(scale, jnp.float32), bias, np.zeros(0))
    width = head.dim + (bias is not None) + rule.free_level
    columns = [_gram_columns(head, layer, jnp.asarray(c), rule) for c in np.array_split(np.eye(width), width // 64 + 1)]
    gram = np.concatenate([np.asarray(c, np.float64) for c in columns])
    return layer._replace(gram=(gram + gram.T) / 2)


@partial(jax.jit, static_argnames="head")
def _squares(head: Head, params: Params, labels: Int[Array, " m"]) -> Float[Array, " m"]:
    return jnp.square(head.rows(params, labels)).sum(axis=1)


@partial(jax.jit, static_argnames=("head", "rule"))
def _gram_columns(head: Head, layer: Shared, columns: Float[Array, "some D"], rule: Rule) -> Float[Array, "some D"]:
    return _transpose(head, layer, rule, columns.shape)(_forward(head, layer, rule, columns))


def _inverse(gram: Float[np.ndarray, "D D"], epsilon: float) -> Float[Array, "D D"]:
    ridge = epsilon * np.trace(gram) / len(gram)
    return jnp.asarray(np.linalg.inv(gram + ridge * np.eye(len(gram))), jnp.float32)


def _signs(padded: Int[Array, "sets width"], n_labels: int, has_bias: bool) -> Float[Array, "sets constraints"]:
    signs = jnp.full((len(padded), n_labels), -1.0)
    signs = signs.at[jnp.arange(len(padded))[:, None], padded].set(1.0, mode="drop")
    return jnp.concatenate([signs, jnp.ones((len(padded), 1))], axis=1) if has_bias else signs
