"""The retrofit head: a trained W and b kept whole, and beside them the columns of a DFT head."""

import dataclasses
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from sigfft.heads.base import Head, Params, add, floating, matmul, positive
from sigfft.heads.blocks import product
from sigfft.heads.dft import dft_head


def retrofit_head(
    n_labels: int,
    dim: int,
    max_cardinality: int,
    *,
    spread: int = 0,
    n_fft: int | None = None,
    order: Sequence[int] | None = None,
    bias: bool = True,
    extra_features: int = 0,
) -> Head:
    """An output layer of width `dim` with the cyclic and spread columns appended to its W.

    z is the old layer's input, then a spectrum that is a learned affine map of the features. That map starts at
    zero: the logits are then the old layer's. All of it is learned on.

    The guarantee is about z, as for every head: for any old part, some spectrum gives any set of up to k labels.
    Whether an *input* reaches that z is up to what feeds it: with the old layer's `dim` inputs alone, z stays on a
    surface of that many dimensions. `extra_features` lets the spectrum read more than the old layer does, such as an
    earlier and wider activation of the network: from 2k + 1 + 2·spread extra features on, it can be any spectrum.

    Args:
      n_labels: number of labels.
      dim: width of the old layer's input.
      max_cardinality: k: every set of up to k labels is argmaxable.
      spread: number of extra fixed frequencies; see `dft_head`.
      n_fft: points of the transform; see `dft_head`.
      order: the point that each label takes; see `dft_head`.
      bias: whether the old layer has one.
      extra_features: features after the first `dim`, which only the spectrum reads.

    Raises:
      ValueError: as `dft_head`.
    """
    positive(n_labels=n_labels, dim=dim)
    if not isinstance(extra_features, int) or extra_features < 0:
        raise ValueError(f"extra_features={extra_features!r} must be a whole number of at least 0")
    feature_dim = dim + extra_features
    added = dft_head(n_labels, max_cardinality, feature_dim=feature_dim, spread=spread, n_fft=n_fft, order=order)

    def init(key):
        params = jax.tree.map(jnp.zeros_like, added.init(key))
        params["weight"] = jax.random.normal(key, (n_labels, dim)) / math.sqrt(dim)
        return params | ({"bias": jnp.zeros((n_labels,))} if bias else {})

    def project(params, features):
        features = floating(features)
        return jnp.concatenate([features[..., :dim], added.project(params, features)], axis=-1)

    def decode(params, z):
        logits = matmul(z[..., :dim], params["weight"].T)
        logits = logits + added.decode(params, z[..., dim:]).astype(logits.dtype)
        return (add(logits, params["bias"]) if bias else logits).astype(z.dtype)

    def rows(params, labels):
        fixed = added.rows(params, labels)
        return jnp.concatenate([params["weight"][labels].astype(fixed.dtype), fixed], axis=1)

    def label_blocks(block_size, held, dtype):
        blocks = added.label_blocks and added.label_blocks(block_size, held, dtype)
        if not blocks:
            return None

        def decoder():
            spectrum_logits = blocks.decoder()

            def block_logits(params, z, first):
                old = product(z[..., :dim], params["weight"][first].astype(z.dtype), dtype)
                old = add(old, params["bias"][first]) if bias else old
                return old + spectrum_logits(params, z[..., dim:], first)

            return block_logits

        return dataclasses.replace(blocks, decoder=decoder)

    return Head(
        name=f"retrofit d={dim} + {added.name}",
        kind="retrofit",
        arguments={
            "n_labels": n_labels,
            "dim": dim,
            "max_cardinality": max_cardinality,
            "spread": spread,
            "n_fft": n_fft,
            "order": added.arguments["order"],
            "bias": bias,
            "extra_features": extra_features,
        },
        n_labels=n_labels,
        feature_dim=feature_dim,
        dim=dim + added.dim,
        max_cardinality=max_cardinality,
        init=init,
        project=project,
        decode=decode,
        rows=rows,
        bias=lambda params, labels: params["bias"][labels] if bias else None,
        circle=added.circle and added.circle._replace(alone=False),
        per_label=frozenset({"weight", "bias"} if bias else {"weight"}),
        label_blocks=label_blocks,
    )


def retrofit(
    weight: Float[np.ndarray, "labels dim"],
    bias: Float[np.ndarray, " labels"] | None,
    max_cardinality: int,
    *,
    spread: int = 0,
    n_fft: int | None = None,
    order: Sequence[int] | None = None,
    extra_features: int = 0,
) -> tuple[Head, Params]:
    """A head with the logits of the given layer, and with the guarantee for sets of up to k labels.

    Cyclic and spread columns are appended to W, and their projection starts at zero. `sigfft.plan` says which spread
    lets the guarantee survive floating point; `sigfft.check` of the old layer and `sigfft.check_head` of the new one
    say what it buys. See `sigfft.retrofit_head` for what z is, and for when inputs can reach all of it.

    Args:
      weight: (n_labels, dim), of any framework; a Flax kernel is its transpose.
      bias: (n_labels,) or None.
      max_cardinality: k.
      spread: as `sigfft.dft_head`.
      n_fft: as `sigfft.dft_head`.
      order: as `sigfft.dft_head`.
      extra_features: as `sigfft.retrofit_head`.

    Returns:
      The head and its parameters, float32 as every head's.

    Raises:
      ValueError: shapes that do not fit, values that are not finite in float32, or sizes that `dft_head` refuses.
    """
    weight, bias = np.asarray(weight), None if bias is None else np.asarray(bias)
    if weight.ndim != 2 or not weight.size:
        raise ValueError(f"weight must be (n_labels, dim), both at least 1; given shape {weight.shape}")
    n_labels, dim = weight.shape
    if bias is not None and bias.shape != (n_labels,):
        hint = "; is the weight transposed?" if bias.shape == (dim,) else ""
        raise ValueError(f"bias must be (n_labels,) = ({n_labels},); given shape {bias.shape}{hint}")
    head = retrofit_head(
        n_labels,
        dim,
        max_cardinality,
        spread=spread,
        n_fft=n_fft,
        order=order,
        bias=bias is not None,
        extra_features=extra_features,
    )
    params = {
        "projection_kernel": jnp.zeros((head.feature_dim, head.dim - dim), jnp.float32),
        "projection_bias": jnp.zeros((head.dim - dim,), jnp.float32),
        "weight": _float32(weight, "weight"),
    }
    return head, params if bias is None else params | {"bias": _float32(bias, "bias")}


def _float32(array: np.ndarray, name: str) -> jnp.ndarray:
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(
            f"{name} must be finite in float32; index {np.argwhere(~np.isfinite(values))[0].tolist()} is not"
        )
    return jnp.asarray(values)
