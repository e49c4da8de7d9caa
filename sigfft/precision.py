"""The dtype that sums are carried out in."""

import jax.numpy as jnp
import numpy as np


def compute_dtype(dtype: np.dtype) -> np.dtype:
    """float64 for float64 values, float32 for all narrower ones."""
    return jnp.dtype(jnp.float64 if dtype == jnp.float64 else jnp.float32)
