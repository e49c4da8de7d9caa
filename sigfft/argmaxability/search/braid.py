"""Braid reflections: activations at which a class wins the argmax."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.witness import proves_witnesses
from sigfft.argmaxability.search.system import System


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
    layer = Layer.of(weight, bias, "argmax")
    system = System.of(layer)
    padded = layer.pad(np.asarray(classes)[:, None])
    rows = system.rows[: layer.n_labels, :-1]  # the level moves all logits alike
    scaled = jnp.asarray(rows / (np.abs(rows).max() or 1.0), jnp.float32)
    solutions = np.asarray(_reflect(scaled, jnp.asarray(padded[:, 0]), steps, layer.positive), np.float64)
    witnesses = system.witness(solutions)
    return proves_witnesses(layer, padded, witnesses), witnesses


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
