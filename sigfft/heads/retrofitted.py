"""The retrofit head: a trained W and b kept whole, and beside them the columns of a DFT head."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from sigfft.heads.dft import DFTHead
from sigfft.heads.head import Circle, Head, Params
from sigfft.precision import add, matmul, product


@dataclasses.dataclass(frozen=True, repr=False)
class RetrofitHead(Head):
    """An output layer of width `old_dim` with the cyclic and spread columns appended to its W.

    z is the old layer's input, then a spectrum that is a learned affine map of the features. That map starts at
    zero: the logits are then the old layer's. All of it is learned on.

    The guarantee is about z, as for every head: for any old part, some spectrum gives any set of up to k labels.
    Whether an *input* reaches that z is up to what feeds it: with the old layer's `old_dim` inputs alone, z stays on a
    surface of that many dimensions. `extra_features` lets the spectrum read more than the old layer does, such as an
    earlier and wider activation of the network: from 2k + 1 + 2·spread extra features on, it can be any spectrum.

    Args:
      n_labels: number of labels.
      old_dim: width of the old layer's input.
      max_cardinality: k: every set of up to k labels is argmaxable.
      spread: number of extra fixed frequencies; see `sigfft.dft_head`, as for n_fft and order.
      n_fft: points of the transform.
      order: the point that each label takes.
      has_bias: whether the old layer has one.
      extra_features: features after the first `old_dim`, which only the spectrum reads.

    Raises:
      ValueError: as `sigfft.dft_head`.
    """

    kind = "retrofit"

    n_labels: int
    old_dim: int
    max_cardinality: int
    _: dataclasses.KW_ONLY
    spread: int | Literal["auto"] = 0
    n_fft: int | None = None
    order: Sequence[int] | np.ndarray | None = None
    has_bias: bool = True
    extra_features: int = 0

    def __post_init__(self) -> None:
        self._at_least(1, "old_dim")
        self._at_least(0, "extra_features")
        for name in ("n_labels", "max_cardinality", "spread", "n_fft", "order"):
            object.__setattr__(self, name, getattr(self._added, name))

    @functools.cached_property
    def _added(self) -> DFTHead:
        shape = {"spread": self.spread, "n_fft": self.n_fft, "order": self.order}
        return DFTHead(self.n_labels, self.max_cardinality, feature_dim=self.feature_dim, **shape)  # type: ignore[arg-type]

    @property
    def feature_dim(self) -> int:
        return self.old_dim + self.extra_features

    @property
    def dim(self) -> int:
        return self.old_dim + self._added.dim

    @property
    def name(self) -> str:
        return f"retrofit d={self.old_dim} + {self._added.name}"

    @property
    def per_label(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({"weight", "bias"} if self.has_bias else {"weight"})

    @property
    def circle(self) -> Circle:  # type: ignore[override]
        return self._added.circle._replace(column=self.old_dim, alone=False)

    def init(self, key: Key[Array, ""]) -> Params:
        params = jax.tree.map(jnp.zeros_like, self._added.init(key))
        params["weight"] = jax.random.normal(key, (self.n_labels, self.old_dim)) / math.sqrt(self.old_dim)
        return params | ({"bias": jnp.zeros((self.n_labels,))} if self.has_bias else {})

    def activation_of(self, params, features):
        return jnp.concatenate([features[..., : self.old_dim], self._added.activation_of(params, features)], axis=-1)

    def logits_of(self, params, z):
        logits = matmul(z[..., : self.old_dim], params["weight"].T)
        logits = logits + self._added.logits_of(params, z[..., self.old_dim :]).astype(logits.dtype)
        return (add(logits, params["bias"]) if self.has_bias else logits).astype(z.dtype)

    def rows_of(self, own, labels, dtype=jnp.float32):
        return jnp.concatenate([own["weight"].astype(dtype), self._added.rows_of({}, labels, dtype)], axis=1)

    def blocks(self, block_size, held=None):
        return self._added.blocks(block_size, held)

    def block_decoder(self, blocks, dtype):
        decode_spectrum = self._added.block_decoder(blocks, dtype)

        def decode(own, z, labels):
            logits = product(z[:, : self.old_dim], own["weight"], dtype)
            logits = logits + decode_spectrum({}, z[:, self.old_dim :], labels)
            return add(logits, own["bias"]) if self.has_bias else logits

        return decode


def retrofit(
    weight: Float[np.ndarray, "labels dim"],
    bias: Float[np.ndarray, " labels"] | None,
    max_cardinality: int,
    **options: Any,
) -> tuple[RetrofitHead, Params]:
    """A head with the logits of the given layer, and with the guarantee for sets of up to k labels.

    Cyclic and spread columns are appended to W, and their projection starts at zero. `sigfft.plan` says which spread
    lets the guarantee survive floating point; `sigfft.check` of the old layer and `sigfft.check_head` of the new one
    say what it buys. See `sigfft.retrofit_head` for what z is, and for when inputs can reach all of it.

    Args:
      weight: (n_labels, dim), of any framework; a Flax kernel is its transpose.
      bias: (n_labels,) or None.
      max_cardinality: k.
      **options: of `sigfft.retrofit_head`: spread, n_fft, order, extra_features.

    Returns:
      The head and its parameters, float32 as every head's.

    Raises:
      ValueError: shapes that do not fit, values that are not finite in float32, or sizes that `retrofit_head` refuses.
    """
    weight, bias = np.asarray(weight), None if bias is None else np.asarray(bias)
    if weight.ndim != 2 or not weight.size:
        raise ValueError(f"weight must be (n_labels, dim), both at least 1; given shape {weight.shape}")
    n_labels, dim = weight.shape
    if bias is not None and bias.shape != (n_labels,):
        hint = "; is the weight transposed?" if bias.shape == (dim,) else ""
        raise ValueError(f"bias must be (n_labels,) = ({n_labels},); given shape {bias.shape}{hint}")
    head = RetrofitHead(n_labels, dim, max_cardinality, has_bias=bias is not None, **options)
    params = {
        "projection_kernel": jnp.zeros((head.feature_dim, head.dim - dim), jnp.float32),
        "projection_bias": jnp.zeros((head.dim - dim,), jnp.float32),
        "weight": _float32(weight, "weight"),
    }
    return head, params if bias is None else params | {"bias": _float32(bias, "bias")}


def _float32(array: np.ndarray, name: str) -> jax.Array:
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(
            f"{name} must be finite in float32; index {np.argwhere(~np.isfinite(values))[0].tolist()} is not"
        )
    return jnp.asarray(values)
