"""Random activations, many at once: label sets that are easily reached need no search."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from sigfft.argmaxability.certificate import proves_witnesses
from sigfft.argmaxability.search import unit
from sigfft.argmaxability.system import System, homogenize, pad_sets

_LOGITS_AT_ONCE = 1 << 24  # logits of a chunk of directions, in float32: 64 MB


def probe(
    system: System, padded: Int[np.ndarray, "sets width"], n_directions: int = 64, seed: int = 0
) -> Float[np.ndarray, "sets D"]:
    """The best of some random directions for each set, of unit length: a proposal, to be proved.

    Half of the directions are uniform; the others lie around the difference of the mean active and inactive row.
    """
    spread = np.arange(n_directions) / max(1, n_directions - 1)  # of the noise: from the set's own rows to uniform
    spread = np.where(np.arange(n_directions) % 2 == 0, spread, 1.0).astype(np.float32)
    units, silent = jnp.asarray(system.units, jnp.float32), jnp.asarray(system.silent)
    step = max(1, _LOGITS_AT_ONCE // (n_directions * system.n_constraints))
    keys = jax.random.split(jax.random.key(seed), len(padded))  # one for each set, however they are chunked
    best = []
    for start in range(0, len(padded), step):
        chunk = slice(start, start + step)
        active = system.signs(padded[chunk]).astype(np.float32)
        directions = _best_direction(units, silent, jnp.asarray(active), keys[chunk], jnp.asarray(spread))
        best.append(np.asarray(directions, np.float64))
    return unit(np.concatenate(best))


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


def enumerate_sets(
    weight: Float[np.ndarray, "labels dim"],
    bias: Float[np.ndarray, " labels"] | None = None,
    rule: str = "threshold",
    *,
    cardinality: int = 1,
    n_directions: int = 1 << 16,
    seed: int = 0,
) -> tuple[Int[np.ndarray, "sets width"], Float[np.ndarray, "sets dim"]]:
    """The distinct label sets that random activations yield, each with one activation that is proved to yield it.

    For small layers, whose sets are few: with enough directions it finds all but those of the narrowest regions.

    Args:
      weight: (n_labels, dim).
      bias: (n_labels,) or None.
      rule: "threshold", "argmax" or "top_k".
      cardinality: size of the sets under top_k; the other rules ignore it.
      n_directions: how many activations are tried.
      seed: of the random directions.

    Raises:
      ValueError: as `check`, a cardinality that is not in 0 .. n_labels, or n_directions below 1.
    """
    weight, bias = np.asarray(weight), None if bias is None else np.asarray(bias)
    system = homogenize(weight, bias, rule)
    k = 1 if rule == "argmax" else cardinality
    if not 0 <= k <= system.n_labels:
        raise ValueError(f"cardinality must be in 0 .. {system.n_labels}; given {cardinality}")
    if n_directions < 1:
        raise ValueError(f"n_directions must be at least 1; given {n_directions}")
    logits_of = system.rows if rule == "threshold" else system.rows[:, :-1]
    width = logits_of.shape[1]
    seen: dict[bytes, np.ndarray] = {}
    step = max(1, _LOGITS_AT_ONCE // system.n_labels)
    for start in range(0, n_directions, step):
        key = jax.random.fold_in(jax.random.key(seed), start)
        count = min(step, n_directions - start)
        directions = np.asarray(jax.random.normal(key, (count, width)), np.float64)
        if system.positive is not None:
            directions[:, system.positive] = np.abs(directions[:, system.positive])
        on = _yielded(directions @ logits_of.T, rule, k)
        codes, first = np.unique(np.packbits(on, axis=1), axis=0, return_index=True)
        for code, i in zip(codes, first, strict=True):
            seen.setdefault(code.tobytes(), directions[i])
    codes = np.frombuffer(b"".join(seen), np.uint8).reshape(len(seen), -1)
    on = np.unpackbits(codes, axis=1, count=system.n_labels)
    padded = pad_sets([np.flatnonzero(row).tolist() for row in on], system)
    witnesses = system.witness(np.array(list(seen.values())))
    proved = proves_witnesses(weight, bias, rule, padded, witnesses)
    return padded[proved], witnesses[proved]


def _yielded(
    logits: Float[np.ndarray, "directions labels"], rule: str, k: int
) -> Bool[np.ndarray, "directions labels"]:
    if rule == "threshold":
        return logits > 0
    on = np.zeros(logits.shape, bool)
    if k:
        np.put_along_axis(on, np.argpartition(-logits, k - 1, axis=1)[:, :k], True, axis=1)
    return on


def braid_reflect(
    weight: Float[np.ndarray, "labels dim"],
    classes: Int[np.ndarray, " classes"],
    bias: Float[np.ndarray, " labels"] | None = None,
    steps: int = 2500,
) -> tuple[Bool[np.ndarray, " classes"], Float[np.ndarray, "classes dim"]]:
    """Activations at which each class wins the argmax, found by reflections; False where none was found.

    From the class's own row, the activation is reflected across the hyperplane on which the class ties with the
    present winner, until the class wins. Not finding one proves nothing.

    Args:
      weight: (n_labels, dim).
      classes: ids.
      bias: (n_labels,) or None.
      steps: reflections before a class is given up.

    Raises:
      ValueError: as `check`.

    Reference: Grivas, Bogoychev and Lopez, Low-Rank Softmax Can Have Unargmaxable Classes in Theory but Rarely in
    Practice (2022), section 4 (Braid Reflect).
    """
    weight, bias = np.asarray(weight), None if bias is None else np.asarray(bias)
    system = homogenize(weight, bias, "argmax")
    padded = pad_sets(np.asarray(classes)[:, None], system)
    rows = system.rows[:, :-1]
    scaled = jnp.asarray(rows / (np.abs(rows).max() or 1.0), jnp.float32)
    solutions = np.asarray(_reflect(scaled, jnp.asarray(padded[:, 0]), steps, system.positive), np.float64)
    witnesses = system.witness(solutions)
    return proves_witnesses(weight, bias, "argmax", padded, witnesses), witnesses


@partial(jax.jit, static_argnums=(2, 3))
@partial(jax.vmap, in_axes=(None, 0, None, None))
def _reflect(rows: Float[Array, "labels D"], label: Array, steps: int, positive: int | None) -> Float[Array, " D"]:
    """Reflect `rows[label]` until the label wins; with a bias, across the bias coordinate's hyperplane too."""

    def wins(z: Array) -> tuple[Array, Array]:
        logits = (rows @ z).at[label].set(-jnp.inf)
        rival = jnp.argmax(logits)
        normal = rows[label] - rows[rival]
        if positive is not None:
            normal = jnp.where(z[positive] > 0, normal, jnp.eye(rows.shape[1])[positive])
        return normal, normal @ z > 0

    def reflect(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        z, count, _ = state
        normal, _ = wins(z)
        z = z - 2.0 * (normal @ z) / jnp.maximum(normal @ normal, 1e-30) * normal
        z = z / jnp.maximum(jnp.linalg.norm(z), 1e-30)
        return z, count + 1, wins(z)[1]

    own = rows[label] - rows.mean(axis=0)
    if positive is not None:
        own = own.at[positive].set(1.0)
    state = (own, jnp.int32(0), wins(own)[1])
    return jax.lax.while_loop(lambda s: ~s[2] & (s[1] < steps), reflect, state)[0]
