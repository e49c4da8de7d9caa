"""A float32 sum that remembers its rounding errors.

A float32 total of 2^24 loses every later addend below one half; a test set of 10^5 examples already loses digits. The
error of each addition is itself a float32 number, so it is kept beside the total and added at the end, on the host, in
float64. Both parts are sums, so the sums of several devices or hosts are added leaf by leaf, as any other array.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32


class CompensatedSum(NamedTuple):
    """A running sum: its value is `total + residual`."""

    total: Float32[Array, "..."]
    residual: Float32[Array, "..."]


def zero(shape: tuple[int, ...] = ()) -> CompensatedSum:
    """The empty sum."""
    return CompensatedSum(jnp.zeros(shape, jnp.float32), jnp.zeros(shape, jnp.float32))


def add(running: CompensatedSum, addend: Float32[Array, "..."]) -> CompensatedSum:
    """The sum and one more addend; what the total rounds away goes to the residual.

    Reference: Knuth, The Art of Computer Programming, volume 2, section 4.2.2, theorem B (TwoSum).
    """
    total = running.total + addend
    kept = total - running.total
    rounding_error = (running.total - (total - kept)) + (addend - kept)
    return CompensatedSum(total, running.residual + rounding_error)


def value(running: CompensatedSum) -> Float[np.ndarray, "..."]:
    """The sum in float64, on the host."""
    return np.asarray(np.asarray(running.total, np.float64) + np.asarray(running.residual, np.float64))
