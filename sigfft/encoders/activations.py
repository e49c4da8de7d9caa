"""What becomes of activations in all encoders: their dtype, and dropout."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

DTYPES = ("float32", "bfloat16")


def activation_dtype(name: str) -> np.dtype:
    """The dtype that products are taken in; parameters, and the features of an encoder, are float32.

    Raises:
      ValueError: it is none of `DTYPES`.
    """
    if name not in DTYPES:
        raise ValueError(f"dtype={name!r} of an encoder must be one of: {', '.join(DTYPES)}")
    return jnp.dtype(name)


def dropped(x: Float[Array, "..."], rate: float, key: Key[Array, ""] | None, layer: int) -> Float[Array, "..."]:
    """Dropout: a share `rate` of the entries is 0, and the others make up for it; without a key, x as it is.

    `layer` says which of an encoder's dropouts this is; each draws its own entries.
    """
    if key is None or rate == 0:
        return x
    keep = jax.random.bernoulli(jax.random.fold_in(key, layer), 1 - rate, x.shape)
    return jnp.where(keep, x / (1 - rate), 0)
