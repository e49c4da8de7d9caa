"""The cyclic trigonometric matrix, its rows by angle and its products by FFT.

Row i of the matrix is a point of the trigonometric moment curve at angle t = 2πi/N, N = `n_fft`:

    [1, √2·cos(f₁t), √2·sin(f₁t), √2·cos(f₂t), √2·sin(f₂t), ...] / √N

With N rows its columns are orthonormal. With the frequencies 1..k, every set of up to k of its rows can be cut
off from the others by a hyperplane through the origin: each set of up to k labels is argmaxable.

Reference: Grivas, Vergari, Lopez (AAAI 2024), section 4; Gale (1963) on neighbourly polytopes.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sigfft import fourier
from sigfft.precision import compute_dtype

MOST_POINTS = 2**29  # whose angles are exact in 32-bit integers
_DRAWS = 64  # sets of spread frequencies that are compared
_POINTS_RANKED = 1 << 25  # fewer draws where a transform is long: a few seconds at most


def low_frequencies(max_cardinality: int) -> Int[np.ndarray, " pairs"]:
    """The frequencies 1..k that make every set of up to k labels argmaxable."""
    return np.arange(1, max_cardinality + 1)


@functools.lru_cache(maxsize=32)
def spread_frequencies(n_fft: int, max_cardinality: int, spread: int) -> Int[np.ndarray, " pairs"]:
    """`spread` distinct frequencies scattered over k+1 .. (n_fft-1)//2, ascending; the array is read-only.

    Neighbouring points differ little in the frequencies 1..k, so that margins there are tiny; in scattered high
    frequencies the correlation of two points is that of random directions. Of up to 64 pseudo-random draws the one is
    taken whose rows have the lowest worst correlation. From some 40 frequencies on it matters little: draws, an
    exchange search and number-theoretic sets (squares, cubes, powers of a primitive root, Sidon sets) then have median
    margins within some 20 % of each other, none of them best everywhere. With few frequencies the number-theoretic sets
    are far behind, since their first members are regular. `benchmarks/bench_spread.py` compares.

    The same arguments give the same frequencies on every machine and with every version of NumPy: the draws are
    integer arithmetic, and the FFT that ranks them only has to tell apart values that differ by more than 1e-9.

    Raises:
      ValueError: there are fewer than `spread` frequencies to choose from.
    """
    room = max(0, (n_fft - 1) // 2 - max_cardinality)
    if not 0 <= spread <= room:
        raise ValueError(
            f"spread={spread} must be between 0 and {room}, the number of frequencies above k={max_cardinality} "
            f"that n_fft={n_fft} points have"
        )
    best, lowest, grid = np.zeros(0, np.int64), math.inf, smooth_length(n_fft)  # a grid as fine, with a fast FFT
    draws = 1 if spread in (0, room) else min(_DRAWS, max(1, _POINTS_RANKED // grid))
    for draw in range(draws):
        chosen = max_cardinality + 1 + _draw(room, spread, _hash(n_fft, max_cardinality, spread, draw))
        worst = sidelobe(np.concatenate([low_frequencies(max_cardinality), chosen]), grid) if draws > 1 else 0.0
        if worst < lowest - 1e-9:
            best, lowest = chosen, worst
    best.flags.writeable = False
    return best


def sidelobe(frequencies: Int[np.ndarray, " pairs"], n_fft: int) -> float:
    """The largest correlation (cosine) of two different rows of the matrix with a DC term and these frequencies."""
    indicator = np.zeros(n_fft // 2 + 1)
    indicator[0], indicator[frequencies] = 1, 1
    correlation = np.fft.irfft(indicator, n_fft) * n_fft / (1 + 2 * len(frequencies))
    return float(correlation[1:].max(initial=-1.0))


def _draw(room: int, count: int, seed: int) -> Int[np.ndarray, " count"]:
    """`count` distinct whole numbers below `room`, ascending: the first that a counter-based generator names."""
    few = min(count, room - count)
    names = np.zeros(0, np.int64)
    size = 2 * few + 16
    while few and len(names) < few:
        stream = _splitmix64(np.uint64(seed) + np.arange(size, dtype=np.uint64)) % np.uint64(room)
        values, first = np.unique(stream.astype(np.int64), return_index=True)
        names, size = values[np.argsort(first)], 2 * size
    names = np.sort(names[:few])
    return names if few == count else np.setdiff1d(np.arange(room), names)


def _hash(*words: int) -> int:
    state = np.zeros(1, np.uint64)
    for word in words:
        state = _splitmix64(state ^ np.uint64(word))
    return int(state[0])


def _splitmix64(x: np.ndarray) -> np.ndarray:
    """Steele, Lea and Flood, Fast splittable pseudorandom number generators (2014), figure 13."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def smooth_length(n: int) -> int:
    """The smallest 2-3-5-7-smooth number >= n: lengths that every FFT library is fast at.

    Example:
      >>> smooth_length(8921), smooth_length(20_000)
      (8960, 20000)
    """
    while True:
        rest = n
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


def synthesis(
    z: Float[Array, "*batch dim"], frequencies: Int[np.ndarray, " pairs"], n_fft: int
) -> Float[Array, "*batch n_fft"]:
    """The product z @ rows.T for all `n_fft` rows, as one real inverse FFT.

    Args:
      z: the spectrum: one DC term, then a (cos, sin) pair for each frequency; dim = 1 + 2·len(frequencies).
      frequencies: whole numbers in 1 .. (n_fft - 1)//2.
      n_fft: number of points N.

    Returns:
      In float32, or float64 for a float64 `z`.
    """
    z = z.astype(compute_dtype(z.dtype))
    pairs = jax.lax.complex(z[..., 1::2], -z[..., 2::2]) * math.sqrt(0.5)
    spectrum = jnp.zeros((*z.shape[:-1], n_fft // 2 + 1), pairs.dtype)
    spectrum = spectrum.at[..., 0].set(jax.lax.complex(z[..., 0], jnp.zeros_like(z[..., 0])))
    spectrum = spectrum.at[..., frequencies].set(pairs, unique_indices=True, indices_are_sorted=True)
    return fourier.irfft(spectrum, n_fft) * math.sqrt(n_fft)


def rows(
    points: Int[Array, " points"], frequencies: Int[np.ndarray, " pairs"], n_fft: int, dtype: jax.typing.DTypeLike
) -> Float[Array, "points dim"]:
    """Rows of the matrix at the given points, without the matrix.

    The turn i·f is reduced modulo N in integers before it becomes an angle: in floating point the angle
    2π·i·f/N would lose the digits of i·f/N's whole part, which is up to N/2.
    """
    turns = _multiply_modulo(points, frequencies, n_fft)
    turns = jnp.where(turns > n_fft // 2, turns - n_fft, turns)
    angle = turns.astype(dtype) * (2 * math.pi / n_fft)
    pairs = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1) * math.sqrt(2 / n_fft)
    constant = jnp.full((len(points), 1), math.sqrt(1 / n_fft), dtype)
    return jnp.concatenate([constant, pairs.reshape(len(points), 2 * len(frequencies))], axis=-1)


def _multiply_modulo(
    points: Int[Array, " points"], frequencies: Int[np.ndarray, " pairs"], n_fft: int
) -> Int[Array, "points pairs"]:
    """points[:, None] * frequencies % n_fft in 32 bits: Horner's rule over pieces of the frequency's binary digits."""
    bits = max(n_fft.bit_length(), 1)
    piece = min(31 - bits, bits)
    if piece < 1:
        raise ValueError(f"n_fft={n_fft} is too large for 32-bit integer angles; at most 2**29 points are supported")
    points = points.astype(jnp.uint32)[:, None] % np.uint32(n_fft)
    total = jnp.zeros((len(points), len(frequencies)), jnp.uint32)
    for shift in reversed(range(0, bits, piece)):
        digits = ((frequencies >> shift) & ((1 << piece) - 1)).astype(np.uint32)
        total = ((total << np.uint32(piece)) % np.uint32(n_fft) + points * digits[None, :]) % np.uint32(n_fft)
    return total.astype(jnp.int32)
