"""Logits of a DFT head block by block, without sines and cosines for each label.

A block's first label i₀ turns every (cos, sin) pair of the spectrum by the angle 2π·f·i₀/N. What is left is the same
for all blocks: a product with the rows of the first block (`rotation`), or, where N = P·Q and a block is the residue
class i₀, i₀ + P, i₀ + 2P, ..., one inverse FFT of length Q whose bin f mod Q collects the frequencies f (`folding`).

Per example and label `rotation` costs 2·dim operations of a matrix product, and `folding` about 8·dim/Q + 2.5·log₂ Q
elsewhere. On CPUs the FFT is the faster one from some frequencies on; accelerators are built for the product.

Reference: Cooley and Tukey (1965); Markel, FFT pruning, IEEE Trans. Audio Electroacoust. 19 (1971).
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sigfft import spectrum
from sigfft.heads.blocks import LabelBlocks, contiguous, product
from sigfft.precision import compute_dtype

_FOLD_FROM = 80  # frequencies: with fewer the product is faster on CPUs too; see `benchmarks/bench_heads.py`


def label_blocks(
    n_labels: int,
    frequencies: Int[np.ndarray, " pairs"],
    n_fft: int,
    block_size: int,
    held: int | None,
    dtype: np.dtype,
) -> LabelBlocks:
    """`folding` on CPUs for many frequencies, if all labels are held and a divisor of `n_fft` fits; else `rotation`."""
    length = folded_length(n_fft, block_size)
    fit = held is None and 2 * length > min(block_size, n_labels)
    if jax.default_backend() == "cpu" and len(frequencies) >= _FOLD_FROM and fit:
        return folding(n_labels, frequencies, n_fft, length)
    return rotation(n_labels, frequencies, n_fft, block_size, held, dtype)


def folded_length(n_fft: int, block_size: int) -> int:
    """The largest divisor of `n_fft` that is at most `block_size`."""
    return next(q for q in range(min(block_size, n_fft), 0, -1) if n_fft % q == 0)


def rotation(
    n_labels: int,
    frequencies: Int[np.ndarray, " pairs"],
    n_fft: int,
    block_size: int,
    held: int | None,
    dtype: np.dtype,
) -> LabelBlocks:
    """Blocks of neighbouring labels: the turned spectrum times the rows of labels 0 .. block_size - 1."""

    def decoder():
        rows = spectrum.rows(jnp.arange(blocks.width), frequencies, n_fft, compute_dtype(dtype))

        def decode(params, z, first):
            real, imaginary = _turn(z, first[None], frequencies, n_fft)
            turned = jnp.stack([real, imaginary], axis=-1).reshape(len(z), 2 * len(frequencies))
            return product(jnp.concatenate([z[:, :1], turned], axis=1), rows.astype(z.dtype), dtype)

        return decode

    blocks = contiguous(n_labels, held, block_size, decoder)
    return blocks


def folding(n_labels: int, frequencies: Int[np.ndarray, " pairs"], n_fft: int, length: int) -> LabelBlocks:
    """Residue classes of labels modulo n_fft/length: the turned spectrum, folded into an inverse FFT of `length`."""
    bins = frequencies % length
    mirrored = 2 * bins > length  # a real transform keeps the lower half: bin g stands for length - g, conjugated
    bins = np.where(mirrored, length - bins, bins)
    alone = (bins == 0) | (2 * bins == length)  # bins that are their own mirror image
    scale = np.where(alone, math.sqrt(2), math.sqrt(0.5)) * (length / math.sqrt(n_fft))
    sign = np.where(alone, 0, np.where(mirrored, scale, -scale))
    stride = n_fft // length
    width = -(-n_labels // stride)

    def decode(params, z, first):
        real, imaginary = _turn(z, first[None], frequencies, n_fft)
        pairs = jax.lax.complex(real * _row(scale, z), imaginary * _row(sign, z))
        constant = z[:, 0] * (length / math.sqrt(n_fft))
        folded = jnp.zeros((len(z), length // 2 + 1), pairs.dtype)
        folded = folded.at[:, 0].set(jax.lax.complex(constant, jnp.zeros_like(constant)))
        return jnp.fft.irfft(folded.at[:, bins].add(pairs), length)[:, :width]

    return LabelBlocks(n_labels, n_labels, width, stride, stride, lambda: decode)


def _turn(
    z: Float[Array, "batch dim"], point: Int[Array, " 1"], frequencies: Int[np.ndarray, " pairs"], n_fft: int
) -> tuple[Float[Array, "batch pairs"], Float[Array, "batch pairs"]]:
    """The (cos, sin) pairs after which points are counted from `point`."""
    unit = spectrum.rows(point, frequencies, n_fft, z.dtype) * math.sqrt(n_fft / 2)
    cosine, sine = unit[:, 1::2], unit[:, 2::2]
    real, imaginary = z[:, 1::2], z[:, 2::2]
    return real * cosine + imaginary * sine, imaginary * cosine - real * sine


def _row(values: np.ndarray, z: Array) -> Float[Array, "1 pairs"]:
    return jnp.asarray(values, z.dtype)[None]
