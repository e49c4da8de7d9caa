import jax
import jax.numpy as jnp
import numpy as np

from sigfft.precision import product


def test_product_sums_in_float32():
    z, rows = jnp.full((2, 3000), 1.0), jnp.full((4, 3000), 1 / 256)
    for dtype in (jnp.float32, jnp.bfloat16):
        logits, pull_back = jax.vjp(lambda z, rows, dtype=dtype: product(z, rows, jnp.dtype(dtype)), z, rows)
        dz, drows = pull_back(jnp.ones_like(logits))
        assert logits.dtype == dz.dtype == drows.dtype == jnp.float32
        np.testing.assert_allclose(logits, 3000 / 256)
        np.testing.assert_allclose(dz, 4 / 256)
        np.testing.assert_allclose(drows, 2)
