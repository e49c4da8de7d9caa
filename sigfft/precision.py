"""The dtype that sums are carried out in, and products summed in it, with their gradients.

Products of float32 are those of float32 on every device: by default GPUs round their operands to 10 bits (TF32) and
TPUs to 8, in which a guarantee in float32 does not hold. `jax.default_matmul_precision`, where it is set, is obeyed.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sigfft.varying import vary_like


def compute_dtype(dtype: jax.typing.DTypeLike) -> np.dtype:
    """float64 for float64 values, float32 for all narrower ones."""
    return jnp.dtype(jnp.float64 if dtype == jnp.float64 else jnp.float32)


def of_products() -> jax.lax.Precision | None:
    """Of a product of float32: the whole one, unless the user has said which."""
    asked = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]  # made as jax is imported
    return jax.lax.Precision.HIGHEST if asked is None else None


def dot(a: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    """The product a @ b."""
    return jnp.matmul(a, b, precision=of_products())


def floating(values: Float[Array, "..."] | Array) -> Float[Array, "..."]:
    """Real numbers as they are, or whole numbers, such as counts, as float32."""
    return values if jnp.issubdtype(values.dtype, jnp.floating) else values.astype(jnp.float32)


def matmul(x: Float[Array, "*batch k"], matrix: Float[Array, "k m"]) -> Float[Array, "*batch m"]:
    """The product x @ matrix, with the matrix in x's dtype, summed and returned in float32 at least."""
    wide = compute_dtype(x.dtype)
    return jnp.matmul(x, matrix.astype(x.dtype), preferred_element_type=wide, precision=of_products())


def add(x: Float[Array, "*batch m"], bias: Float[Array, " m"]) -> Float[Array, "*batch m"]:
    """The sum x + bias on the last axis, in x's dtype."""
    return x + jnp.broadcast_to(bias.astype(x.dtype), x.shape)


def product(
    z: Float[Array, "batch dim"], rows: Float[Array, "labels dim"], dtype: jax.typing.DTypeLike
) -> Float[Array, "batch labels"]:
    """The product z @ rows.T of operands rounded to `dtype`, it and both its gradients summed in z's dtype."""
    return _product(*vary_like((z, rows.astype(z.dtype))), dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _product(z: Array, rows: Array, dtype: jax.typing.DTypeLike) -> Array:
    return _dot(z, rows, dtype, ((1,), (1,)))


def _dot(a: Array, b: Array, dtype: jax.typing.DTypeLike, axes: tuple[tuple[int], tuple[int]]) -> Array:
    a, b, wide = a.astype(dtype), b.astype(dtype), a.dtype
    return jax.lax.dot_general(a, b, (axes, ((), ())), precision=of_products(), preferred_element_type=wide)


def _product_backward(dtype, operands, cotangent):
    z, rows = operands
    return _dot(cotangent, rows, dtype, ((1,), (0,))), _dot(cotangent, z, dtype, ((0,), (0,)))


_product.defvjp(lambda z, rows, dtype: (_product(z, rows, dtype), (z, rows)), _product_backward)
