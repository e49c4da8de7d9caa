"""Any head as a Flax NNX module, and metrics as an NNX metric."""

from flax import nnx
from jaxtyping import Array, Float

from sigfft.heads import Head, Params
from sigfft.metrics.flax_metric import Metrics as Metrics


class OutputHead(nnx.Module):
    """Features to logits; its `nnx.Param`s have the names and shapes of `head.init`.

    Args:
      head: what `sigfft.dft_head`, `bottleneck_head` or `sigmoid_head` returned.
      rngs: its `params` stream seeds the start.
    """

    def __init__(self, head: Head, *, rngs: nnx.Rngs):
        self.head = head
        for name, value in head.init(rngs.params()).items():
            setattr(self, name, nnx.Param(value))

    def params(self) -> Params:
        """The current `params` that every function of `head` takes."""
        return nnx.to_pure_dict(nnx.state(self, nnx.Param))

    def __call__(self, features: Float[Array, "*batch feature_dim"]) -> Float[Array, "*batch labels"]:
        """Logits (..., n_labels) of features (..., feature_dim)."""
        return self.head.logits(self.params(), features)
