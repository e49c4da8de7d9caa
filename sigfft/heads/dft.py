"""The DFT head: a fixed trigonometric W through `jnp.fft`; each set of up to k labels has a z that yields it."""

import dataclasses
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from sigfft import spectrum
from sigfft.heads import dft_blocks
from sigfft.heads.base import Circle, Head, add, floating, matmul, positive, prior_logit
from sigfft.heads.blocks import product
from sigfft.precision import compute_dtype


def dft_head(
    n_labels: int,
    max_cardinality: int,
    *,
    feature_dim: int,
    spread: int = 0,
    slack: int = 0,
    n_fft: int | None = None,
    order: Sequence[int] | None = None,
    prior: float | None = None,
    random_start: bool = False,
) -> Head:
    """A learned projection to a spectrum, whose inverse FFT holds the logits.

    z is one DC term, (cos, sin) pairs for the frequencies 1..k, pairs for `spread` scattered higher frequencies, and
    `slack` further terms. W has no learned entry but the slack columns. The columns of the frequencies are
    orthonormal for n_fft = n_labels.

    *Scale.* A row's entries are about √(2/n_fft), so logits of order 1 need a z of order √n_fft. `project` therefore
    multiplies by √n_fft, and slack columns are stored times √n_fft: all parameters are of order 1 or smaller, and the
    learning rate does not depend on n. A step of Adam moves a logit through all columns at once: beside an encoder at
    a rate of 1e-2, a head with spread 100 trained best at 1e-3 to 3e-3, a bottleneck at 1e-2; how the projection
    starts hardly mattered (`benchmarks/bench_rates.py`, delicious). A slack column starts as N(0, 1) in that scale:
    its norm is then 1 in expectation, like that of a spread or any other DFT column, and no kind of column drowns
    another. The kernel starts so small that logits of unit-variance features lie within about 0.1 of the prior's.

    *Features.* The guarantee is about z. Fewer than dim = 2k + 1 + 2·spread + slack features cannot reach every z;
    `sigfft.feature_layer` gives the layer that they see, for `sigfft.check`.

    Args:
      n_labels: number of labels n.
      max_cardinality: k: each set of up to k labels has a z that yields it, in exact arithmetic. For the weights as
        stored that takes spread, the more the larger n and k are: `sigfft.plan` says how much.
      feature_dim: size of the features.
      spread: number of extra fixed frequencies: two dimensions of z each, no parameter per label.
      slack: learned columns of W, n_labels parameters each (the paper's slack).
      n_fft: points of the transform, at least n_labels; default n_labels (the paper). A smooth length such as
        `sigfft.spectrum.smooth_length(n_labels)` is faster where n_labels has large prime factors.
      order: the point that each label takes: a permutation of 0..n_labels-1. Default: label i at point i.
      prior: share of labels active in a typical example, at which every probability starts; default: k / n_labels
        (the paper: the DC bias is logit(k/n)·√n).
      random_start: start the projection uniform in ±1/√feature_dim, as the paper's linear layers do; the DC
        bias starts at the prior all the same, as in the paper.

    Raises:
      ValueError: a size below its least, 2k + 1 + 2·spread > n_fft, n_fft < n_labels, an order that is no permutation.

    Reference: Grivas, Vergari, Lopez (AAAI 2024), section 4. Spread, n_fft > n and order are ours.
    """
    positive(n_labels=n_labels, max_cardinality=max_cardinality, feature_dim=feature_dim)
    for name, size in {"spread": spread, "slack": slack}.items():
        if not isinstance(size, int) or size < 0:
            raise ValueError(f"{name}={size!r} must be a whole number of at least 0")
    length = n_labels if n_fft is None else n_fft
    if not isinstance(length, int) or length < n_labels:
        raise ValueError(f"n_fft={n_fft!r} must be a whole number of at least n_labels={n_labels}")
    needed = 2 * max_cardinality + 1 + 2 * spread
    if needed > length:
        room = (length - 1) // 2
        raise ValueError(
            f"max_cardinality={max_cardinality} and spread={spread} need 2k + 1 + 2·spread = {needed} columns, but "
            f"n_fft={length} points have only {length}; lower "
            + (
                f"spread to at most {room - max_cardinality}"
                if max_cardinality <= room
                else f"max_cardinality to at most {room}{' and spread to 0' if spread else ''}, or use a sigmoid_head"
            )
        )
    points = _points(order, n_labels)
    start = prior_logit(prior, max_cardinality, n_labels)
    frequencies = np.concatenate(
        [
            spectrum.low_frequencies(max_cardinality),
            spectrum.spread_frequencies(length, max_cardinality, spread),
        ]
    )
    dim, gain = needed + slack, math.sqrt(length)

    def init(key):
        kernel_key, slack_key = jax.random.split(key)
        if random_start:
            bound = 1 / math.sqrt(feature_dim)
            kernel = jax.random.uniform(kernel_key, (feature_dim, dim), jnp.float32, -bound, bound) / gain
        else:
            kernel = jax.random.normal(kernel_key, (feature_dim, dim)) * (0.1 / math.sqrt(feature_dim * dim))
        params = {"projection_kernel": kernel, "projection_bias": jnp.zeros((dim,)).at[0].set(start)}
        if slack:
            params["slack"] = jax.random.normal(slack_key, (n_labels, slack))
        return params

    def project(params, features):
        features = floating(features)
        z = add(matmul(features, params["projection_kernel"]), params["projection_bias"])
        return (z * gain).astype(features.dtype)

    def decode(params, z):
        logits = spectrum.synthesis(z[..., :needed], frequencies, length)
        logits = logits[..., :n_labels] if points is None else logits[..., points]
        if slack:
            logits = logits + matmul(z[..., needed:], params["slack"].T) / gain
        return logits.astype(z.dtype)

    def label_blocks(block_size, held, dtype):
        if points is not None:
            return None
        blocks = dft_blocks.label_blocks(n_labels, frequencies, length, block_size, held, dtype)

        def decoder():
            decode = blocks.decoder()

            def block_logits(params, z, first):
                slack_rows = params["slack"][first].astype(z.dtype)
                logits = decode(params, z[..., :needed], first)
                return logits + product(z[..., needed:], slack_rows, dtype) / gain

            return block_logits

        return dataclasses.replace(blocks, decoder=decoder) if slack else blocks

    def rows(params, labels):
        at = labels if points is None else jnp.asarray(points)[labels]
        fixed = spectrum.rows(at, frequencies, length, compute_dtype(params["projection_kernel"].dtype))
        own = params["slack"][labels].astype(fixed.dtype) / gain if slack else fixed[:, :0]
        return jnp.concatenate([fixed, own], axis=1)

    return Head(
        name=f"dft k={max_cardinality}"
        + (f" spread={spread}" if spread else "")
        + (f" slack={slack}" if slack else "")
        + (" ordered" if order is not None else ""),
        kind="dft",
        arguments={
            "n_labels": n_labels,
            "max_cardinality": max_cardinality,
            "feature_dim": feature_dim,
            "spread": spread,
            "slack": slack,
            "n_fft": n_fft,
            "order": None if points is None else points.tolist(),
            "prior": None if prior is None else float(prior),
            "random_start": random_start,
        },
        n_labels=n_labels,
        feature_dim=feature_dim,
        dim=dim,
        max_cardinality=max_cardinality,
        init=init,
        project=project,
        decode=decode,
        rows=rows,
        bias=lambda params, labels: None,
        circle=Circle(points, max_cardinality, alone=not spread and not slack),
        per_label=frozenset({"slack"} if slack else ()),
        label_blocks=label_blocks,
    )


def _points(order: Sequence[int] | None, n_labels: int) -> np.ndarray | None:
    if order is None:
        return None
    points = np.asarray(order)
    if points.shape != (n_labels,) or not np.array_equal(np.sort(points), np.arange(n_labels)):
        raise ValueError(
            f"order must hold each of 0..{n_labels - 1} once (the point of each label); given shape {points.shape}, "
            f"{len(np.unique(points))} different points"
        )
    return points.astype(np.int32)
