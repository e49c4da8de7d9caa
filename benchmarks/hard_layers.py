"""Layers whose label sets are hard to decide: rows that are alike, dependent or huge, and margins near rounding."""

import numpy as np
from jaxtyping import Float

import sigfft
from sigfft.heads.layer import stored_layer


def generated(n_labels: int, dim: int, seed: int = 0) -> np.ndarray:
    """Gaussian rows / √dim, with a first column of −1 − 0.3 U(0, 1): an easy layer; float32."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((n_labels, dim)) / np.sqrt(dim)
    weight[:, 0] = -1 - 0.3 * rng.random(n_labels)
    return weight.astype(np.float32)


def cyclic(n_labels: int, dim: int) -> Float[np.ndarray, "labels dim"]:
    """A constant column, and cos and sin of frequencies 1.. at n points of the circle."""
    turns = np.arange(n_labels)[:, None] * np.arange(1, dim // 2 + 1) % n_labels
    angle = 2 * np.pi / n_labels * turns
    return np.column_stack([np.ones(n_labels), np.cos(angle), np.sin(angle)])


def vandermonde(points: Float[np.ndarray, " labels"], dim: int) -> Float[np.ndarray, "labels dim"]:
    """Powers 0..dim−1 of some points."""
    return np.vander(points, dim, increasing=True)


def widened(weight: Float[np.ndarray, "labels dim"], columns: int, seed: int = 0) -> Float[np.ndarray, "labels wider"]:
    """A layer with more columns, of U(−1, 1)."""
    return np.column_stack([weight, np.random.default_rng(seed).uniform(-1, 1, (len(weight), columns))])


def planted(n_labels: int, dim: int, margin: float, seed: int) -> tuple[np.ndarray, list[int]]:
    """Unit rows and a label set of this margin, up to the rounding of the rows, which is some 1e-16.

    dim rows positively span the orthogonal complement of a unit z, and are moved by margin · z: no other point has a
    larger margin. The other rows are random, with the sign of their product with z.
    """
    rng = np.random.default_rng([n_labels, dim, seed])
    z = _unit(rng.standard_normal(dim))
    across = rng.standard_normal((dim - 1, dim))
    across = _unit(across - np.outer(across @ z, z))
    last = -rng.uniform(0.5, 1.5, dim - 1) @ across
    tight = np.vstack([across, _unit(last)]) + margin * z
    others = _unit(rng.standard_normal((n_labels - dim, dim)))
    others *= np.sign(others @ z)[:, None]
    order, signs = rng.permutation(n_labels), rng.choice([-1.0, 1.0], n_labels)
    weight = np.vstack([tight, others])[order] * signs[:, None]
    return weight, np.flatnonzero(signs > 0).tolist()


def masked(n_labels: int, dim: int, bias: float, count: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """An easy layer, with the biases of its first labels so low that they are off for all but huge activations."""
    biases = np.random.default_rng(1).normal(0, 0.1, n_labels)
    biases[:count] = bias
    return generated(n_labels, dim).astype(np.float64), biases


def near_duplicates(n_labels: int, dim: int, noise: float) -> Float[np.ndarray, "labels dim"]:
    """Pairs of labels (i, i + n/2) whose rows differ by noise."""
    half = generated(n_labels // 2, dim).astype(np.float64)
    return np.vstack([half, half + noise * np.random.default_rng(1).standard_normal(half.shape) / np.sqrt(dim)])


def gaussian(n_labels: int, dim: int) -> Float[np.ndarray, "labels dim"]:
    """Independent entries of N(0, 1)."""
    return np.random.default_rng(0).standard_normal((n_labels, dim))


def decaying(n_labels: int, dim: int, least: float) -> Float[np.ndarray, "labels dim"]:
    """Random singular vectors, and singular values that fall evenly, in powers, from 1 to `least`."""
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.standard_normal((size, dim)))[0] for size in (n_labels, dim))
    return (left * np.geomspace(1, least, dim)) @ right.T


def dft(n_labels: int, k: int, slack: int = 0, size: float = 1.0) -> np.ndarray:
    """The stored float32 rows of a DFT head without spread; its slack at the random start, times `size`."""
    import jax

    head = sigfft.dft_head(n_labels, k, feature_dim=64, slack=slack)
    params = head.init(jax.random.key(0))
    if slack:
        params["slack"] = params["slack"] * size
    return stored_layer(head, params)[0]


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)
