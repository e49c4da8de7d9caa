"""Logits of a DFT head block by block, without sines and cosines for each label.

A block's first label i₀ turns every (cos, sin) pair of the spectrum by the angle 2π·f·i₀/N. What is left is the same
for all blocks: a product with the rows of the first block (rotation), or, where N = P·Q and a block is the residue
class i₀, i₀ + P, i₀ + 2P, ..., one inverse FFT of length Q whose bin f mod Q collects the frequencies f (folding).

Per example and label rotation costs 2·dim operations of a matrix product, and folding about 8·dim/Q + 2.5·log₂ Q
elsewhere. On CPUs the FFT is the faster one from some frequencies on; accelerators are built for the product.

Reference: Cooley and Tukey (1965); Markel, FFT pruning, IEEE Trans. Audio Electroacoust. 19 (1971).
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sigfft import fourier, spectrum
from sigfft.heads.blocks import Blocks
from sigfft.precision import compute_dtype, product

Frequencies = Int[np.ndarray, " pairs"]
SpectrumDecode = Callable[[Float[Array, "batch dim"], Int[Array, ""]], Float[Array, "batch width"]]


def blocks_of(n_labels: int, n_fft: int, block_size: int, held: int | None, fold: bool) -> Blocks:
    """Residue classes if they shall be folded, all labels are held and a divisor of `n_fft` fits; else neighbours."""
    length = folded_length(n_fft, block_size)
    if fold and held is None and 2 * length > min(block_size, n_labels):
        return residue_classes(n_labels, n_fft, length)
    return Blocks.contiguous(n_labels, held, block_size)


def decoder(
    frequencies: Frequencies, n_fft: int, blocks: Blocks, dtype: jax.typing.DTypeLike, fold: bool
) -> SpectrumDecode:
    """(z (batch, 1 + 2·pairs), first label of a block) -> the block's logits; `dtype` as `Head.block_decoder`."""
    one_class = fold and blocks.n_blocks == 1 and blocks.held == blocks.n_labels
    if blocks.stride > 1 or one_class:
        return folding(frequencies, n_fft, blocks)
    return rotation(frequencies, n_fft, blocks, dtype)


def folded_length(n_fft: int, block_size: int) -> int:
    """The largest divisor of `n_fft` that is at most `block_size`."""
    return next(q for q in range(min(block_size, n_fft), 0, -1) if n_fft % q == 0)


def residue_classes(n_labels: int, n_fft: int, length: int) -> Blocks:
    """The labels by their residue modulo n_fft / length."""
    stride = n_fft // length
    return Blocks(n_labels, n_labels, -(-n_labels // stride), stride, stride)


def rotation(frequencies: Frequencies, n_fft: int, blocks: Blocks, dtype: jax.typing.DTypeLike) -> SpectrumDecode:
    """For neighbouring labels: the turned spectrum times the rows of labels 0 .. width - 1."""
    rows = spectrum.rows(jnp.arange(blocks.width), frequencies, n_fft, compute_dtype(dtype))

    def decode(z, first):
        real, imaginary = _turn(z, first, frequencies, n_fft)
        turned = jnp.stack([real, imaginary], axis=-1).reshape(z.shape[0], 2 * len(frequencies))
        return product(jnp.concatenate([z[:, :1], turned], axis=1), rows, dtype)

    return decode


def folding(frequencies: Frequencies, n_fft: int, blocks: Blocks) -> SpectrumDecode:
    """For residue classes: the turned spectrum, folded into an inverse FFT of length n_fft / stride."""
    length = n_fft // blocks.stride
    bins = frequencies % length
    mirrored = 2 * bins > length  # a real transform keeps the lower half: bin g stands for length - g, conjugated
    bins = np.where(mirrored, length - bins, bins)
    alone = (bins == 0) | (2 * bins == length)  # bins that are their own mirror image
    scale = np.where(alone, math.sqrt(2), math.sqrt(0.5)) * (length / math.sqrt(n_fft))
    sign = np.where(alone, 0, np.where(mirrored, scale, -scale))

    def decode(z, first):
        real, imaginary = _turn(z, first, frequencies, n_fft)
        pairs = jax.lax.complex(real * _row(scale, z), imaginary * _row(sign, z))
        constant = z[:, 0] * (length / math.sqrt(n_fft))
        folded = jnp.zeros((z.shape[0], length // 2 + 1), pairs.dtype)
        folded = folded.at[:, 0].set(jax.lax.complex(constant, jnp.zeros_like(constant)))
        return fourier.irfft(folded.at[:, bins].add(pairs), length)[:, : blocks.width]

    return decode


def _turn(
    z: Float[Array, "batch dim"], point: Int[Array, ""], frequencies: Frequencies, n_fft: int
) -> tuple[Float[Array, "batch pairs"], Float[Array, "batch pairs"]]:
    """The (cos, sin) pairs after which points are counted from `point`."""
    unit = spectrum.rows(point[None], frequencies, n_fft, z.dtype) * math.sqrt(n_fft / 2)
    cosine, sine = unit[:, 1::2], unit[:, 2::2]
    real, imaginary = z[:, 1::2], z[:, 2::2]
    return real * cosine + imaginary * sine, imaginary * cosine - real * sine


def _row(values: np.ndarray, z: Array) -> Float[Array, "1 pairs"]:
    return jnp.asarray(values, z.dtype)[None]
