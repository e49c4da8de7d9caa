import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sigfft
from sigfft import spectrum
from sigfft.heads import dft_blocks
from sigfft.heads.blocks import label_blocks, per_label_params, product

SLACK = sigfft.dft_head(57, 4, feature_dim=3, spread=3, slack=3, n_fft=60)
SIGMOID = sigfft.sigmoid_head(17, feature_dim=3)
BY_ROWS = dataclasses.replace(SLACK, label_blocks=None)


@pytest.fixture(autouse=True)
def _fold_small_heads(monkeypatch):
    monkeypatch.setattr(dft_blocks, "_FOLD_FROM", 1)


def logits_by_block(head, blocks, params, z, offset=0):
    """All logits held, put together from the blocks' counted labels; and how often each label was counted."""
    offset = jnp.int32(offset)
    logits, seen = np.full((len(z), blocks.held), np.nan), np.zeros(blocks.held, int)
    for block in map(jnp.int32, range(blocks.n_blocks)):
        own = blocks.logits(blocks.decoder(), blocks.take(blocks.split(params), block), z, block, offset)
        counted = np.asarray(blocks.counted(block, offset))
        labels = np.asarray(blocks.labels(block))[counted]
        logits[:, labels] = own[:, counted]
        seen[labels] += 1
    return logits, seen


@pytest.mark.parametrize(
    ("head", "block_size", "stride"),
    [(SIGMOID, 5, 1), (SIGMOID, 100, 1), (BY_ROWS, 10, 1), (SLACK, 10, 6), (SLACK, 60, 1), (SLACK, 11, 6)],
)
def test_blocks_hold_every_logit_once(head, block_size, stride):
    params, z = head.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (4, head.dim))
    blocks = label_blocks(head, block_size, None, z.dtype)
    assert blocks.width <= block_size
    assert blocks.stride == stride
    logits, seen = logits_by_block(head, blocks, per_label_params(head, params), z)
    np.testing.assert_array_equal(seen, 1)
    np.testing.assert_allclose(logits, head.decode(params, z), atol=3e-6)


@pytest.mark.parametrize("head", [SIGMOID, SLACK, BY_ROWS], ids=["sigmoid", "rotation", "rows"])
def test_a_range_of_labels_that_ends_beyond_the_last(head):
    params, z = head.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (4, head.dim))
    blocks = label_blocks(head, 4, 10, z.dtype)
    offset = head.n_labels - 7
    own = {
        name: jnp.zeros((10, *p.shape[1:])).at[:7].set(p[offset:]) for name, p in per_label_params(head, params).items()
    }
    logits, seen = logits_by_block(head, blocks, own, z, offset)
    np.testing.assert_array_equal(seen, [1] * 7 + [0] * 3)
    np.testing.assert_allclose(logits[:, :7], head.decode(params, z)[:, offset:], atol=3e-6)


@pytest.mark.parametrize("block_size", [10, 11, 57])
def test_positions_and_labels_are_inverse(block_size):
    for head in (SLACK, BY_ROWS):
        blocks = label_blocks(head, block_size, None, jnp.dtype("float32"))
        found = np.zeros(57, int)
        for block in map(jnp.int32, range(blocks.n_blocks)):
            labels = blocks.labels(block)
            positions = np.asarray(blocks.positions(block, jnp.arange(-1, 58)[None]))[0]
            inside = positions < blocks.width
            np.testing.assert_array_equal(np.asarray(labels)[positions[inside]], np.arange(-1, 58)[inside])
            np.testing.assert_array_equal(inside[1:-1].sum(), np.asarray(blocks.counted(block, 0)).sum())
            found += inside[1:-1]
            assert not inside[0]
            assert not inside[-1]
        np.testing.assert_array_equal(found, 1)


@pytest.mark.parametrize("block_size", [10, 11, 57])
def test_add_is_the_transpose_of_take(block_size):
    for head in (SLACK, BY_ROWS):
        blocks = label_blocks(head, block_size, None, jnp.dtype("float32"))
        values = blocks.split({"": jnp.arange(114.0).reshape(57, 2)})
        totals = jax.tree.map(jnp.zeros_like, values)
        for block in map(jnp.int32, range(blocks.n_blocks)):
            rows = blocks.take(values, block)[""] * blocks.counted(block, 0)[:, None].astype(jnp.float32)
            totals = blocks.add(totals, {"": rows}, block)
        np.testing.assert_array_equal(blocks.join(totals)[""], np.arange(114.0).reshape(57, 2))


@pytest.mark.parametrize("length", [1, 2, 6, 12, 15, 60, 120])
def test_folding_with_frequencies_beyond_the_short_transform(length):
    frequencies = np.array([1, 2, 6, 12, 15, 30, 45, 59])
    z = jax.random.normal(jax.random.key(0), (3, 17))
    blocks = dft_blocks.folding(113, frequencies, 120, length)
    logits, _ = logits_by_block(None, blocks, {}, z)
    np.testing.assert_allclose(logits, spectrum.synthesis(z, frequencies, 120)[:, :113], atol=2e-6)


@pytest.mark.parametrize(("n_fft", "block_size", "length"), [(60, 11, 10), (60, 100, 60), (57, 18, 3), (59, 58, 1)])
def test_folded_length_is_the_largest_divisor(n_fft, block_size, length):
    assert dft_blocks.folded_length(n_fft, block_size) == length


def test_few_frequencies_are_multiplied_and_many_are_folded(monkeypatch):
    monkeypatch.setattr(dft_blocks, "_FOLD_FROM", 7)
    for spread, stride in ((2, 1), (3, 6)):
        head = sigfft.dft_head(60, 4, feature_dim=3, spread=spread)
        assert label_blocks(head, 10, None, jnp.dtype("float32")).stride == stride


def test_product_sums_in_float32():
    z, rows = jnp.full((2, 3000), 1.0), jnp.full((4, 3000), 1 / 256)
    for dtype in (jnp.float32, jnp.bfloat16):
        logits, pull_back = jax.vjp(lambda z, rows, dtype=dtype: product(z, rows, jnp.dtype(dtype)), z, rows)
        dz, drows = pull_back(jnp.ones_like(logits))
        assert logits.dtype == dz.dtype == drows.dtype == jnp.float32
        np.testing.assert_allclose(logits, 3000 / 256)
        np.testing.assert_allclose(dz, 4 / 256)
        np.testing.assert_allclose(drows, 2)
