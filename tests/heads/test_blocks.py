import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sigfft
from sigfft import spectrum
from sigfft.heads import dft_blocks
from sigfft.heads.blocks import Blocks

NEIGHBOURS = [Blocks.contiguous(57, None, size) for size in (10, 11, 57)]
RESIDUES = [dft_blocks.residue_classes(57, 60, length) for length in (10, 60, 1)]


@pytest.mark.parametrize("blocks", NEIGHBOURS + RESIDUES)
def test_positions_and_labels_are_inverse(blocks):
    found = np.zeros(57, int)
    for block in map(jnp.int32, range(blocks.n_blocks)):
        labels = blocks.labels(block)
        positions = np.asarray(blocks.positions(block, jnp.arange(-1, 58)[None]))[0]
        inside = positions < blocks.width
        np.testing.assert_array_equal(np.asarray(labels)[positions[inside]], np.arange(-1, 58)[inside])
        np.testing.assert_array_equal(inside[1:-1].sum(), np.asarray(blocks.counted(block, jnp.int32(0))).sum())
        found += inside[1:-1]
        assert not inside[0]
        assert not inside[-1]
    np.testing.assert_array_equal(found, 1)


@pytest.mark.parametrize("blocks", NEIGHBOURS + RESIDUES)
def test_add_is_the_transpose_of_take(blocks):
    values = blocks.split({"": jnp.arange(114.0).reshape(57, 2)})
    totals = jax.tree.map(jnp.zeros_like, values)
    for block in map(jnp.int32, range(blocks.n_blocks)):
        rows = blocks.take(values, block)[""] * blocks.counted(block, jnp.int32(0))[:, None].astype(jnp.float32)
        totals = blocks.add(totals, {"": rows}, block)
    np.testing.assert_array_equal(blocks.join(totals)[""], np.arange(114.0).reshape(57, 2))


@pytest.mark.parametrize("length", [1, 2, 6, 12, 15, 60, 120])
def test_folding_with_frequencies_beyond_the_short_transform(length):
    frequencies = np.array([1, 2, 6, 12, 15, 30, 45, 59])
    z = jax.random.normal(jax.random.key(0), (3, 17))
    blocks = dft_blocks.residue_classes(113, 120, length)
    decode, logits = dft_blocks.folding(frequencies, 120, blocks), np.full((3, 113), np.nan)
    for block in map(jnp.int32, range(blocks.n_blocks)):
        counted = np.asarray(blocks.counted(block, jnp.int32(0)))
        logits[:, np.asarray(blocks.labels(block))[counted]] = decode(z, block)[:, counted]
    np.testing.assert_allclose(logits, spectrum.synthesis(z, frequencies, 120)[:, :113], atol=2e-6)


@pytest.mark.parametrize(("n_fft", "block_size", "length"), [(60, 11, 10), (60, 100, 60), (57, 18, 3), (59, 58, 1)])
def test_folded_length_is_the_largest_divisor(n_fft, block_size, length):
    assert dft_blocks.folded_length(n_fft, block_size) == length


@pytest.mark.parametrize(
    ("k", "block_size", "held", "stride"),
    [(79, 40, None, 1), (80, 40, None, 6), (80, 240, None, 1), (80, 40, 100, 1), (80, 41, None, 6)],
)
def test_few_frequencies_are_multiplied_and_many_are_folded(k, block_size, held, stride):
    head = sigfft.dft_head(240, k, feature_dim=3)
    assert head.blocks(block_size, held).stride == (stride if jax.default_backend() == "cpu" else 1)


def test_labels_in_an_order_of_their_own_are_neighbours():
    assert sigfft.dft_head(240, 80, feature_dim=3, order=range(240)).blocks(40).stride == 1
