"""A primal-dual interior method for the working sets that Newton leaves open: thin cones in many dimensions.

    min_λ  ½ ‖Aᵀλ‖²,  Σ λ_i = 1,  λ ≥ 0        max_{x,t}  t − ½ ‖x‖²,  A x ≥ t

At the optimum x = Aᵀλ points along the maximin direction and ‖x‖ is the margin. On the way x = Aᵀλ holds throughout,
so min_i a_i·x > 0 is a separation, ‖x‖ bounds the margin from above, and λ cancels where x is zero. Some 20 factors of
a matrix as large as the rank, where Newton's pieces and a simplex's vertices are thousands.

Reference: Mehrotra, On the implementation of a primal-dual interior point method (1992).
"""

import numpy as np
import scipy.linalg
from jaxtyping import Float

from sigfft.argmaxability.search.newton import CANCELLED, Minimum

_STEPS = 60
_CENTRAL = 0.5  # of ‖x‖², which all a_i·x reach at the optimum: then x is central enough to try on all rows
_NOTHING = 1e-14  # ‖x‖ that is rounding


def minimise(rows: Float[np.ndarray, "rows rank"]) -> Minimum:
    """Search one working set; where x separates, it is scaled so that the least a_i·x is 1."""
    λ = np.full(len(rows), 1 / len(rows))
    x = λ @ rows
    products = rows @ x
    t = products.min() - max(float(np.ptp(products)), 1e-3)
    for _ in range(_STEPS):
        length = x @ x
        if products.min() >= _CENTRAL * length > 0:
            return Minimum(x / products.min(), λ, False)
        slack = products - t
        if slack.min() <= 0:  # thinner than floats tell, at margins of some 1e-6
            break
        weights = λ / slack
        weighted = rows * np.sqrt(weights)[:, None]
        hessian = weighted.T @ weighted
        hessian.flat[:: len(x) + 1] += 1.0
        factor, failed = scipy.linalg.lapack.dpotrf(hessian.T, lower=True, overwrite_a=True)
        cancelling = None if failed else _cancel(rows, λ, weights, factor)
        if cancelling is not None:
            return Minimum(x, cancelling, True)
        if failed or length <= _NOTHING**2:
            break
        λ, x, t, products = _step(rows, λ, t, products, factor)
    return Minimum(x, λ, False)


def _step(
    rows: np.ndarray, λ: np.ndarray, t: float, products: np.ndarray, factor: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """A predictor, and a corrector that aims at the centre as far as the predictor got; rows @ x is kept up to date."""
    slack = products - t
    weights = λ / slack
    pull = weights @ rows
    solved_pull = _solve(factor, pull)
    schur = weights.sum() - pull @ solved_pull

    def direction(target: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """The Newton step to λ_i slack_i = target_i: changes of λ, of rows @ x and of t."""
        push = (target - λ * slack) / slack
        dx = _solve(factor, push @ rows)
        dt = (pull @ dx - push.sum()) / schur
        change = rows @ (dx + solved_pull * dt)
        return push - weights * (change - dt), change, dt

    mean = λ @ slack / len(λ)
    dλ, change, dt = direction(np.zeros(len(λ)))
    reach = min(_reach(λ, dλ), _reach(slack, change - dt))
    after = (λ + reach * dλ) @ (slack + reach * (change - dt)) / len(λ)
    dλ, change, dt = direction((after / mean) ** 3 * mean - dλ * (change - dt))
    size = 0.99 * min(_reach(λ, dλ), _reach(slack, change - dt))
    λ = λ + size * dλ
    λ /= λ.sum()
    x = λ @ rows  # and not x + size·dx, from which it drifts away
    return λ, x, t + size * dt, rows @ x


def _reach(values: np.ndarray, change: np.ndarray) -> float:
    """How far, at most 1, positive values may go along a change and stay positive."""
    return float(min(1.0, 1.0 / max(1e-300, (-change / values).max())))


def _solve(factor: np.ndarray, target: np.ndarray) -> np.ndarray:
    return scipy.linalg.lapack.dpotrs(factor, target, lower=True)[0]


def _cancel(rows: np.ndarray, λ: np.ndarray, weights: np.ndarray, factor: np.ndarray) -> np.ndarray | None:
    """λ moved to Σ λ_i a_i = 0 in the metric of its own size, if that leaves it positive."""
    for _ in range(4):
        left = λ @ rows
        if np.linalg.norm(left) <= CANCELLED * λ.sum():
            return λ
        λ = λ - weights * (rows @ _solve(factor, left))
        if λ.min() <= 0:
            return None
    return λ if np.linalg.norm(λ @ rows) <= CANCELLED * λ.sum() else None
