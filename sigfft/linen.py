"""Any head as a Flax Linen module."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float, Num

from sigfft.extras import needs
from sigfft.heads import Head
from sigfft.heads.modules import Initializer, axes, start

with needs("flax", "sigfft.linen"):
    import flax.linen as nn


class OutputHead(nn.Module):
    """Features to logits; its parameters have the names and shapes of `head.init`.

    `variables["params"]` of this module is the `params` that every function of `head` takes. What the head is given and
    does not learn, such as the embedding of a `sigfft.dft_head`, is in `variables["given"]`; put it there, and `params`
    are both together.

    Attributes:
      head: what `sigfft.dft_head`, `bottleneck_head` or `sigmoid_head` returned.
      dtype: that features are cast to, and logits returned in; None: that of the features.
      param_dtype: of the parameters; None: float32.
      kernel_init: of the kernel that features are multiplied by, as in `nn.Dense`; None: the head's own start.
      label_axis: the logical axis, in the sense of `nn.with_logical_partitioning`, of parameters with a row for each
        label; `nn.get_partition_spec` tells it. None: no name.
    """

    head: Head
    dtype: Any = None
    param_dtype: Any = None
    kernel_init: Initializer | None = None
    label_axis: str | None = None

    @nn.compact
    def __call__(self, features: Num[Array, "*batch feature_dim"]) -> Float[Array, "*batch labels"]:
        """Logits (..., n_labels) of features (..., feature_dim)."""
        shapes = jax.eval_shape(self.head.init, jax.random.key(0))
        params = {name: self._value(name, self._init(name, len(shape.shape))) for name, shape in shapes.items()}
        return self.head.logits(params, features if self.dtype is None else features.astype(self.dtype))

    def _value(self, name: str, init: Callable[..., Any]) -> Array:
        if name not in self.head.given:
            return self.param(name, init)
        return self.variable("given", name, lambda: init(self.make_rng("params"))).value

    def _init(self, name: str, ndim: int) -> Callable[..., Any]:
        def init(key: Array) -> Array:
            return start(self.head, key, self.param_dtype, self.kernel_init)[name]

        names = axes(self.head, name, ndim, self.label_axis)
        return init if names is None else nn.with_logical_partitioning(init, names)
