"""Probes: random activations, many at once. Label sets that are easily reached need no search."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from sigfft.argmaxability.search.basis import unit
from sigfft.argmaxability.search.finding import Finding
from sigfft.argmaxability.search.system import System


def best_directions(
    system: System,
    padded: Int[np.ndarray, "sets width"],
    n_directions: int = 64,
    *,
    seed: int = 0,
    logits_at_once: int = 1 << 24,
) -> list[Finding]:
    """The best of some random directions for each set, of unit length: proposals, to be proved.

    Half of the directions are uniform; the others lie around the difference of the mean active and inactive row.
    `logits_at_once` bounds the memory, in float32: 64 MB.
    """
    spread = np.arange(n_directions) / max(1, n_directions - 1)  # of the noise: from the set's own rows to uniform
    spread = np.where(np.arange(n_directions) % 2 == 0, spread, 1.0).astype(np.float32)
    units, silent = jnp.asarray(system.units, jnp.float32), jnp.asarray(system.silent)
    step = max(1, logits_at_once // (n_directions * len(system.rows)))
    keys = jax.random.split(jax.random.key(seed), len(padded))  # one for each set, however they are chunked
    best = []
    for start in range(0, len(padded), step):
        chunk = slice(start, start + step)
        active = system.signs(padded[chunk]).astype(np.float32)
        with jax.default_matmul_precision("highest"):  # accelerators would round float32 products further
            directions = _best_direction(units, silent, jnp.asarray(active), keys[chunk], jnp.asarray(spread))
        best.append(np.asarray(directions, np.float64))
    solutions = unit(np.concatenate(best))
    lowest = system.margins(padded, solutions).min(axis=1) - system.unit_error
    return [Finding(z, float(low), 1.0, None, padded[0, :0]) for z, low in zip(solutions, lowest, strict=True)]


@jax.jit
@partial(jax.vmap, in_axes=(None, None, 0, 0, None))
def _best_direction(
    units: Float[Array, "constraints D"],
    silent: Bool[Array, " constraints"],
    signs: Float[Array, " constraints"],
    key: Array,
    spread: Float[Array, " directions"],
) -> Float[Array, " D"]:
    on = (signs > 0).astype(units.dtype)
    own = on @ units / jnp.maximum(on.sum(), 1.0) - (1.0 - on) @ units / jnp.maximum((1.0 - on).sum(), 1.0)
    own = own / jnp.maximum(jnp.linalg.norm(own), 1e-30)
    noise = jax.random.normal(key, (len(spread), units.shape[1])) / np.sqrt(units.shape[1])
    directions = own[None] + spread[:, None] / jnp.maximum(1.001 - spread[:, None], 1e-3) * noise
    directions = directions / jnp.maximum(jnp.linalg.norm(directions, axis=1, keepdims=True), 1e-30)
    margins = jnp.where(silent[None], jnp.inf, signs[None] * (directions @ units.T)).min(axis=1)
    return directions[jnp.argmax(margins)]
