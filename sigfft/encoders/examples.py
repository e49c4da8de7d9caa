"""What every encoder reads, and the entries that it leaves out in training."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, Shaped

Examples = Mapping[str, Shaped[Array | np.ndarray, "batch ..."]]


def dropped(x: Float[Array, "..."], rate: float, key: Key[Array, ""] | None, layer: int) -> Float[Array, "..."]:
    """Dropout: a share `rate` of the entries is 0, and the others make up for it; without a key, x as it is.

    Args:
      x: any shape.
      rate: in [0, 1).
      key: of the step and device.
      layer: which of an encoder's dropouts this is; each draws its own entries.
    """
    if key is None or rate == 0:
        return x
    keep = jax.random.bernoulli(jax.random.fold_in(key, layer), 1 - rate, x.shape)
    return jnp.where(keep, x / (1 - rate), 0)
