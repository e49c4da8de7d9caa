"""A residual network on images."""

import math
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Key

from sigfft.encoders.activations import activation_dtype, dropped
from sigfft.encoders.examples import Examples

_LARGE = 96  # pixels of the shorter side, from which on an image is brought to a quarter
_GROUP = 16  # channels that are normalised together


class ResNet(nnx.Module):
    """Residual blocks of two 3 × 3 convolutions, in stages of halved size and doubled width; then the mean over places.

    With 4 stages of 2 blocks and 512 features these are the widths and depths of ResNet-18. Groups of channels are
    normalised within an image, where the published network takes statistics of the batch: these would be state beside
    the parameters, differ between training and use, and let an image's features depend on those beside it. Images of
    96 pixels a side and more are brought to a quarter behind the first convolution, smaller ones keep their size.

    Args:
      dim: channels of the last stage, `feature_dim`; each stage before has half as many.
      layers: blocks of a stage.
      stages: number of stages.
      dropout: share of the features that is dropped in training.
      dtype: that convolutions are computed in.
      rngs: its `params` stream seeds the start.

    Raises:
      ValueError: a size below 1, a `dim` that cannot be halved so often, or an unknown `dtype`.

    Reference: He et al. (2016), arXiv 1512.03385; Wu & He (2018), arXiv 1803.08494, for the groups.
    """

    reads: ClassVar = ("image",)
    usual_dropout: ClassVar = 0.2
    learning_rate: ClassVar = 1e-3
    dim_multiple: ClassVar = 64

    def __init__(
        self,
        *,
        dim: int,
        layers: int = 2,
        stages: int = 4,
        dropout: float = 0.0,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ):
        for name, size in {"dim": dim, "layers": layers, "stages": stages}.items():
            if size < 1:
                raise ValueError(f"{name}={size} of a resnet must be at least 1")
        halvings = 1 << (stages - 1)
        if dim % halvings:
            raise ValueError(f"dim={dim} of a resnet must be a multiple of {halvings}, for its {stages} stages")
        self.feature_dim = dim
        self.domain = "nonnegative"
        self.dropout = dropout
        width = dim // halvings
        make = _Layers(activation_dtype(dtype), rngs)
        self.stem, self.stem_norm = make.convolution(3, width), make.norm(width)
        blocks = []
        for block in range(stages * layers):
            stride = 2 if block and block % layers == 0 else 1
            blocks.append(_Block(width, width * stride, stride, make))
            width *= stride
        self.blocks = nnx.List(blocks)

    def __call__(self, examples: Examples, key: Key[Array, ""] | None = None) -> Float[Array, "batch feature_dim"]:
        """Features of `examples["image"]`, uint8 (batch, height, width, 3)."""
        pixels = jnp.asarray(examples["image"])
        if pixels.ndim != 4 or pixels.shape[3] != 3:
            raise ValueError(f"images must be (batch, height, width, 3); given {pixels.shape}")
        values = self.stem(pixels.astype(jnp.float32) / 127.5 - 1)
        if min(pixels.shape[1:3]) >= _LARGE:
            values = nnx.max_pool(values, (4, 4), strides=(4, 4), padding="SAME")
        values = jax.nn.relu(self.stem_norm(values.astype(jnp.float32)))
        for block in self.blocks:
            values = block(values)
        return dropped(values.mean(axis=(1, 2)), self.dropout, key, 0)


class _Layers(NamedTuple):
    """Makes convolutions that compute in a dtype, and normalisations in float32."""

    dtype: np.dtype
    rngs: nnx.Rngs

    def convolution(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nnx.Conv:
        return nnx.Conv(
            inputs,
            outputs,
            (size, size),
            (stride, stride),
            use_bias=False,
            kernel_init=nnx.initializers.he_normal(),
            dtype=self.dtype,
            rngs=self.rngs,
        )

    def norm(self, channels: int) -> nnx.GroupNorm:
        size = math.gcd(channels, _GROUP)
        return nnx.GroupNorm(channels, None, size, use_fast_variance=False, rngs=self.rngs)


class _Block(nnx.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, make: _Layers):
        self.first, self.first_norm = make.convolution(inputs, outputs, stride=stride), make.norm(outputs)
        self.second, self.second_norm = make.convolution(outputs, outputs), make.norm(outputs)
        self.shortcut = nnx.List([make.convolution(inputs, outputs, 1, stride)] if stride > 1 else [])

    def __call__(self, x: Float[Array, "batch height width inputs"]) -> Float[Array, "batch _height _width outputs"]:
        values = jax.nn.relu(self.first_norm(self.first(x).astype(jnp.float32)))
        values = self.second_norm(self.second(values).astype(jnp.float32))
        for shortcut in self.shortcut:
            x = shortcut(x).astype(jnp.float32)
        return jax.nn.relu(values + x)
