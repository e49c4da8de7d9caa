import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sigfft.encoders import ResNet


def test_pixels_are_brought_around_zero_and_a_block_adds_to_its_input():
    encoder = ResNet(dim=16, layers=1, stages=1, rngs=nnx.Rngs(0))
    (block,) = encoder.blocks
    block.second_norm.scale[...] = jnp.zeros(16)  # then it adds nothing
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype(np.uint8)
    stem = encoder.stem(jnp.asarray(images / 127.5 - 1, jnp.float32))
    mean, deviation = stem.mean((1, 2, 3), keepdims=True), stem.std((1, 2, 3), keepdims=True)  # one group of 16
    expected = np.maximum((stem - mean) / deviation, 0).mean(axis=(1, 2))
    np.testing.assert_allclose(encoder({"image": images}), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("side", "last"), [(32, 8), (96, 6)])
def test_small_images_keep_their_size_in_the_stem(side, last):
    encoder = ResNet(dim=64, layers=1, stages=3, rngs=nnx.Rngs(0))
    computed = str(jax.make_jaxpr(lambda image: encoder({"image": image}))(jnp.zeros((1, side, side, 3), jnp.uint8)))
    sizes = {size for size in range(2, 97) if f"f32[1,{size},{size},64]" in computed}  # of the last stage
    assert sizes == {last}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 12}, "dim=12 of a resnet must be a multiple of 8, for its 4 stages"),
        ({"dim": 8, "layers": 0}, "layers=0 of a resnet must be at least 1"),
    ],
)
def test_other_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ResNet(**options, rngs=nnx.Rngs(0))


def test_other_images_are_refused():
    encoder = ResNet(dim=8, layers=1, stages=1, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"images must be \(batch, height, width, 3\); given \(1, 5, 5\)"):
        encoder({"image": np.zeros((1, 5, 5), np.uint8)})
