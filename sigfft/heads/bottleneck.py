"""The bottleneck sigmoid layer (the paper's BSL): two linear maps through a small activation."""

import math

import jax
import jax.numpy as jnp

from sigfft.heads.base import Head, add, floating, matmul, positive, prior_logit


def bottleneck_head(
    n_labels: int, dim: int, *, feature_dim: int, prior: float | None = None, random_start: bool = False
) -> Head:
    """A learned projection to `dim`, then a learned W (n_labels, dim) without bias.

    For dim < n_labels most label sets are unargmaxable: there are 2^n sets, and at most 2·Σ_{j<d} C(n-1, j) of them
    can be reached. Which ones are lost is decided by training; `sigfft.check_head` finds out.

    The first column of W starts at 1 and its projection bias at the prior's logit, so that every label starts at
    the prior, as the bias of a full-rank layer would have it. All of it is learned.

    Args:
      n_labels: number of labels.
      dim: size of the activation z.
      feature_dim: size of the features.
      prior: share of labels active in a typical example; default: 1 / n_labels.
      random_start: start all parameters uniform in ±1/√fan_in, as the paper does: probabilities start near a half.

    Raises:
      ValueError: a size below 1 or a prior outside (0, 1).

    Reference: Grivas, Vergari, Lopez (AAAI 2024), section 2; Cover (1965) for the count.
    """
    positive(n_labels=n_labels, dim=dim, feature_dim=feature_dim)
    start = prior_logit(prior, 1, n_labels)

    def init(key):
        kernel_key, bias_key, weight_key = jax.random.split(key, 3)
        if random_start:
            narrow, wide = 1 / math.sqrt(dim), 1 / math.sqrt(feature_dim)
            return {
                "projection_kernel": jax.random.uniform(kernel_key, (feature_dim, dim), jnp.float32, -wide, wide),
                "projection_bias": jax.random.uniform(bias_key, (dim,), jnp.float32, -wide, wide),
                "weight": jax.random.uniform(weight_key, (n_labels, dim), jnp.float32, -narrow, narrow),
            }
        kernel = jax.random.normal(kernel_key, (feature_dim, dim)) * (0.1 / math.sqrt(feature_dim))
        weight = jax.random.normal(weight_key, (n_labels, dim)) / math.sqrt(dim)
        return {
            "projection_kernel": kernel,
            "projection_bias": jnp.zeros((dim,)).at[0].set(start),
            "weight": weight.at[:, 0].set(1.0),
        }

    def project(params, features):
        features = floating(features)
        z = add(matmul(features, params["projection_kernel"]), params["projection_bias"])
        return z.astype(features.dtype)

    def decode(params, z):
        return matmul(z, params["weight"].T).astype(z.dtype)

    return Head(
        name=f"bottleneck d={dim}",
        kind="bottleneck",
        arguments={
            "n_labels": n_labels,
            "dim": dim,
            "feature_dim": feature_dim,
            "prior": None if prior is None else float(prior),
            "random_start": random_start,
        },
        n_labels=n_labels,
        feature_dim=feature_dim,
        dim=dim,
        max_cardinality=0,
        init=init,
        project=project,
        decode=decode,
        rows=lambda params, labels: params["weight"][labels],
        bias=lambda params, labels: None,
        per_label=frozenset({"weight"}),
    )
