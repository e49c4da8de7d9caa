"""Newton's method, generalised, for the squared hinge of a working set: it ends with a witness or a certificate.

    min_x  δ ‖x‖² + Σ_i max(0, 1 − a_i·x)²,    a_i = s_i u_i in whitened coordinates

δ starts large, which keeps x central among the rows, and falls until x separates (every a_i·x > 0) or the residuals
λ_i = max(0, 1 − a_i·x) cancel (Σ λ_i a_i = 0, λ ≥ 0). One form for the host, one set at a time, where only the rows
with λ_i > 0 are multiplied; one for accelerators, where all rows of a batch are.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Bool, Float

DELTAS = tuple(10.0**-power for power in range(2, 15, 2))  # the first make x central, the last resolve thin cones
SEPARATED = 0.03  # the least a_i·x at which an x is central enough to try on all rows
NEWTON_STEPS = 40  # for each δ
CANCELLED = 1e-12  # ‖Σ λ_i a_i‖ / Σ λ_i


class Minimum(NamedTuple):
    """Where the search ended: `cancels` says that λ proves the rows contradictory, up to rounding."""

    x: Float[np.ndarray, " rank"]
    multipliers: Float[np.ndarray, " rows"]
    cancels: bool


def minimise(rows: Float[np.ndarray, "rows rank"], x: Float[np.ndarray, " rank"]) -> Minimum:
    """Search one working set from `x`, on the host in float64."""
    margins = rows @ x
    for delta in DELTAS:
        for _ in range(NEWTON_STEPS):
            hinge = np.maximum(0.0, 1.0 - margins)
            on = np.flatnonzero(hinge)
            active, residual = rows[on], hinge[on]
            hessian = active.T @ active
            hessian.flat[:: len(x) + 1] += delta  # positive definite however few rows are on
            gradient = delta * x - residual @ active
            # the transpose of a C-ordered matrix is Fortran-ordered: LAPACK works in place, without a copy
            factor, step, failed = scipy.linalg.lapack.dposv(hessian.T, -gradient, lower=True, overwrite_a=True)
            if failed:  # δ has fallen below the rounding of the Hessian
                return Minimum(x, hinge, False)
            change = rows @ step
            # A full step within one quadratic piece of the loss ends at the piece's minimum, where the gradient
            # δx − Σ λ_i a_i is zero: if δx is negligible, the residuals cancel, and more steps would find nothing.
            if len(on) > 1 and (residual - change[on]).min() > 0:
                exact = _cancel(active, residual, factor)
                if exact is not None:
                    hinge[on] = exact
                    return Minimum(x, hinge, True)
            decrement = -(gradient @ step)
            if decrement <= 1e-10 * (delta * (x @ x) + residual @ residual):
                break  # at the minimum of this δ: only a smaller one changes anything
            size = _line_search(1.0 - margins, change, delta * (x @ step), delta * (step @ step), decrement)
            x, margins = x + size * step, margins + size * change
            if margins.min() > SEPARATED:
                return Minimum(x, np.maximum(0.0, 1.0 - margins), False)
        if margins.min() > 0:
            break
    return Minimum(x, np.maximum(0.0, 1.0 - margins), False)


def _cancel(active: np.ndarray, residual: np.ndarray, factor: np.ndarray) -> np.ndarray | None:
    """λ projected on Σ λ_i a_i = 0, if that leaves it positive.

    The factor is of the Hessian with δ on its diagonal, so one projection leaves a small share of the residual: three
    are an iterative refinement that costs no new factor.
    """
    for _ in range(3):
        left = residual @ active
        if np.linalg.norm(left) <= CANCELLED * residual.sum():
            return residual
        residual = residual - active @ scipy.linalg.lapack.dpotrs(factor, left, lower=True)[0]
        if residual.min() <= 0:
            return None
    return residual if np.linalg.norm(residual @ active) <= CANCELLED * residual.sum() else None


def _line_search(slack: np.ndarray, change: np.ndarray, linear: float, quadratic: float, decrement: float) -> float:
    """The t > 0 at which the slope linear + t quadratic − Σ change max(0, slack − t change) rises through zero.

    Within 2 % of the slope at 0, which is −decrement: bracketed by doubling, then by guarded false position. Newton's
    own step may cross many pieces of the loss and raise it; the slope is monotone, and each look at it costs one pass
    over the rows, against a factor of the Hessian for a step.
    """

    def slope(t: float) -> float:
        return linear + t * quadratic - float(change @ np.maximum(slack - t * change, 0.0))

    enough = 0.02 * decrement
    low, at_low, high = 0.0, -decrement, 1.0
    at_high = slope(high)
    while at_high < -enough and high < 1e3:
        low, at_low, high = high, at_high, 2 * high
        at_high = slope(high)
    t, at = high, at_high
    for _ in range(12):
        if abs(at) <= enough:
            break
        t = low + (high - low) * min(max(at_low / (at_low - at_high), 0.1), 0.9)
        at = slope(t)
        if at > 0:
            high, at_high = t, at
        else:
            low, at_low = t, at
    return t


def minimise_batch(
    rows: Float[Array, "sets rows rank"], given: Bool[Array, "sets rows"], x: Float[Array, "sets rank"]
) -> Float[Array, "sets rank"]:
    """Search many working sets at once on the default device; rows that are not `given` are padding.

    In float64 if the arrays are (inside `jax.enable_x64()`), or in float32: then the smallest δ are left out. Either
    way it returns only the x, from which `minimise` finishes on the host in a step or two and draws the conclusion.
    """
    deltas = DELTAS if rows.dtype == jnp.float64 else DELTAS[:3]  # float32 resolves no δ below its rounding
    with jax.default_matmul_precision("highest"):  # accelerators would round float32 products further
        return _minimise_batch(rows, given, x, jnp.asarray(deltas, rows.dtype))


class _State(NamedTuple):
    x: Float[Array, " rank"]
    margins: Float[Array, " rows"]
    level: Array  # index of δ
    steps: Array  # taken in all
    done: Array


@jax.jit
@partial(jax.vmap, in_axes=(0, 0, 0, None))
def _minimise_batch(
    rows: Float[Array, "rows rank"],
    given: Bool[Array, " rows"],
    x: Float[Array, " rank"],
    deltas: Float[Array, " levels"],
) -> Float[Array, " rank"]:
    rows = jnp.where(given[:, None], rows, 0.0)

    def newton(state: _State) -> _State:
        delta = deltas[state.level]
        hinge = jnp.maximum(0.0, 1.0 - state.margins)
        active = rows * (hinge > 0)[:, None].astype(rows.dtype)
        gradient = delta * state.x - hinge @ rows
        hessian = active.T @ rows + delta * jnp.eye(len(state.x), dtype=rows.dtype)
        step = -jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(hessian), True), gradient)
        solved = jnp.isfinite(step).all()
        step = jnp.where(solved, step, 0.0)
        change, decrement = rows @ step, -(gradient @ step)
        slope = partial(_slope, 1.0 - state.margins, change, delta * (state.x @ step), delta * (step @ step))
        size = _zero(slope, decrement)
        cancels = jnp.where(hinge > 0, hinge - change, jnp.inf).min() > 0
        margins = state.margins + size * change
        loss = delta * (state.x @ state.x) + hinge @ hinge
        level = state.level + (decrement <= 10 * jnp.finfo(rows.dtype).eps * loss).astype(jnp.int32)
        left = (margins.min() > SEPARATED) | ((level > state.level) & (margins.min() > 0)) | cancels | ~solved
        done = left | (level == len(deltas)) | (state.steps >= NEWTON_STEPS * len(deltas))
        return _State(state.x + size * step, margins, jnp.minimum(level, len(deltas) - 1), state.steps + 1, done)

    margins = jnp.where(given, rows @ x, jnp.inf)
    zero = jnp.int32(0)
    return jax.lax.while_loop(lambda s: ~s.done, newton, _State(x, margins, zero, zero, jnp.bool_(False))).x


def _slope(slack: Array, change: Array, linear: Array, quadratic: Array, t: Array) -> Array:
    return linear + t * quadratic - change @ jnp.maximum(0.0, slack - t * change)


def _zero(slope: Callable[[Array], Array], decrement: Array) -> Array:
    """The line search of a batch: a fixed number of doublings, then of halvings."""
    one = jnp.ones_like(decrement)
    high = jax.lax.fori_loop(0, 8, lambda _, t: jnp.where(slope(t) < 0, 2 * t, t), one)
    bracket = (jnp.where(high > 1, high / 2, 0.0).astype(one.dtype), high)

    def halve(_: Array, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = (low + high) / 2
        rising = slope(middle) > 0
        return jnp.where(rising, low, middle), jnp.where(rising, middle, high)

    low, high = jax.lax.fori_loop(0, 12, halve, bracket)
    return jnp.where(jnp.abs(slope(one)) <= 0.02 * decrement, one, (low + high) / 2)
