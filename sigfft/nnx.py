"""Any head as a Flax NNX module, and metrics as an NNX metric."""

import jax
from jaxtyping import Array, Float, Num

from sigfft.extras import needs
from sigfft.heads import Head, Params
from sigfft.heads.modules import Initializer, axes, start

with needs("flax", "sigfft.nnx"):
    from flax import nnx

    from sigfft.metrics.flax_metric import Metrics as Metrics


class Given(nnx.Variable):
    """Values of a head that are given and not learned, such as the embedding of labels; no `nnx.Param`."""


class OutputHead(nnx.Module):
    """Features to logits; each `nnx.Param` of it has the name and shape that `head.init` gives it.

    What the head is given, such as the embedding of a `sigfft.dft_head`, is a `Given`, which optimisers of `nnx.Param`
    leave alone: `layer.embedding[...] = sigfft.label_embedding(...)` puts it there.

    Args:
      head: what `sigfft.dft_head`, `bottleneck_head` or `sigmoid_head` returned.
      dtype: that features are cast to, and logits returned in; default: that of the features.
      param_dtype: of the parameters; default: float32.
      kernel_init: of the kernel that features are multiplied by, as in `nnx.Linear`; default: the head's own start.
      label_axis: the mesh axis over which parameters with a row for each label are sharded, as
        `nnx.with_partitioning` says it: made under a mesh, they are made so. Default: no axis.
      rngs: its `params` stream seeds the start.
    """

    def __init__(
        self,
        head: Head,
        *,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike | None = None,
        kernel_init: Initializer | None = None,
        label_axis: str | None = None,
        rngs: nnx.Rngs,
    ):
        self.head = head
        self.dtype = dtype
        for name, value in start(head, rngs.params(), param_dtype, kernel_init).items():
            names, kind = axes(head, name, value.ndim, label_axis), Given if name in head.given else nnx.Param
            setattr(self, name, kind(value) if names is None else kind(value, out_sharding=names))

    def params(self) -> Params:
        """The current `params` that every function of `head` takes."""
        return nnx.to_pure_dict(nnx.state(self, (nnx.Param, Given)))

    def __call__(self, features: Num[Array, "*batch feature_dim"]) -> Float[Array, "*batch labels"]:
        """Logits (..., n_labels) of features (..., feature_dim)."""
        return self.head.logits(self.params(), features if self.dtype is None else features.astype(self.dtype))
