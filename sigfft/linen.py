"""Any head as a Flax Linen module."""

import jax
from jaxtyping import Array, Float

from sigfft.extras import needs
from sigfft.heads import Head

with needs("flax", "sigfft.linen"):
    import flax.linen as nn


class OutputHead(nn.Module):
    """Features to logits; its parameters have the names and shapes of `head.init`.

    `variables["params"]` of this module is the `params` that every function of `head` takes.

    Attributes:
      head: what `sigfft.dft_head`, `bottleneck_head` or `sigmoid_head` returned.
    """

    head: Head

    @nn.compact
    def __call__(self, features: Float[Array, "*batch feature_dim"]) -> Float[Array, "*batch labels"]:
        """Logits (..., n_labels) of features (..., feature_dim)."""
        names = jax.eval_shape(self.head.init, jax.random.key(0))
        params = {name: self.param(name, lambda key, name=name: self.head.init(key)[name]) for name in names}
        return self.head.logits(params, features)
