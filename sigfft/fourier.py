"""Real FFTs along the last axis that leave each example on its devices.

XLA's partitioner does not split a real FFT: under `jit` it gathers a batch that is sharded by examples, transforms all
of it on every device, and drops what is not the device's own. Here it is told that the other axes are a batch. Under
`shard_map` and `pmap`, and on one device, these are `jax.lax.fft` itself.

A primitive of its own, since `jax.experimental.custom_partitioning` has neither gradients nor `vmap`: it carries the
partitioned transform as a jaxpr, and has the rules of the linear map that it is.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.custom_partitioning import custom_partitioning
from jax.extend.core import ClosedJaxpr, Primitive, jaxpr_as_fun
from jax.interpreters import ad, batching, mlir
from jax.lax import FftType
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Complex, Float


def irfft(spectrum: Complex[Array, "*batch half"], n: int) -> Float[Array, "*batch n"]:
    """The inverse real FFT: what `jnp.fft.irfft(spectrum, n)` gives, for n // 2 + 1 bins."""
    return _transform(spectrum, FftType.IRFFT, n)


def rfft(values: Float[Array, "*batch n"]) -> Complex[Array, "*batch half"]:
    """The real FFT of all values: `jnp.fft.rfft(values)`."""
    return _transform(values, FftType.RFFT, values.shape[-1])


def _transform(x: Array, kind: FftType, n: int) -> Array:
    if jax.sharding.get_abstract_mesh().manual_axes:  # each device has its own examples
        return jax.lax.fft(x, kind, (n,))
    return _real_fft.bind(x, kind=kind, n=n, split=_split(kind, n, x.shape, x.dtype))


@functools.lru_cache(maxsize=256)
def _split(kind: FftType, n: int, shape: tuple[int, ...], dtype: np.dtype) -> ClosedJaxpr:
    def transform(x):
        return jax.lax.fft(x, kind, (n,))

    def partition(mesh: Any, operands: Any, result: Any) -> Any:
        by_examples = NamedSharding(mesh, PartitionSpec(*result.sharding.spec[: len(shape) - 1]))
        return mesh, transform, by_examples, (by_examples,)

    batch = " ".join(f"b{axis}" for axis in range(len(shape) - 1))
    split = custom_partitioning(transform)
    split.def_partition(
        partition,
        sharding_rule=f"{batch} i -> {batch} j",
        need_replication_factors=("i", "j"),
    )
    return jax.make_jaxpr(split)(jax.ShapeDtypeStruct(shape, dtype))


def _abstract(x: Any, *, kind: FftType, n: int, split: ClosedJaxpr) -> Any:
    result = split.out_avals[0]
    return x.update(shape=result.shape, dtype=result.dtype)


def _transpose(cotangent: Array, x: Any, *, kind: FftType, n: int, split: ClosedJaxpr) -> tuple[Array]:
    # A bin of the half spectrum stands for its mirror image as well, but for the first one, and the last of an even n.
    weight = np.full((1,) * (cotangent.ndim - 1) + (n // 2 + 1,), 2.0)
    weight[..., 0] = weight[..., (n + 1) // 2 :] = 1
    if kind == FftType.IRFFT:
        bins = rfft(cotangent)
        return (jnp.conj(bins) * jnp.asarray(weight / n, bins.dtype),)
    return (irfft(jnp.conj(cotangent) * jnp.asarray(n / weight, cotangent.dtype), n),)


def _batch(arrays: Any, axes: Any, *, kind: FftType, n: int, split: ClosedJaxpr) -> tuple[Array, int]:
    return _transform(jnp.moveaxis(arrays[0], axes[0], 0), kind, n), 0


_real_fft = Primitive("real_fft")
_real_fft.def_abstract_eval(_abstract)
_real_fft.def_impl(jax.jit(lambda x, kind, n, split: _transform(x, kind, n), static_argnames=("kind", "n", "split")))
ad.deflinear2(_real_fft, _transpose)
batching.primitive_batchers[_real_fft] = _batch
mlir.register_lowering(
    _real_fft, mlir.lower_fun(lambda x, kind, n, split: jaxpr_as_fun(split)(x), multiple_results=True)
)
