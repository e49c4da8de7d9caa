"""The full-rank baseline: one weight vector per label, on the features themselves."""

import math

import jax
import jax.numpy as jnp

from sigfft.heads.base import Head, add, floating, matmul, positive, prior_logit


def sigmoid_head(n_labels: int, *, feature_dim: int, prior: float | None = None, random_start: bool = False) -> Head:
    """A linear layer: z is the features, W (n_labels, feature_dim) and b are learned.

    With feature_dim >= n_labels it can output every label set once its rows are independent; below that it promises
    nothing, like any learned low-rank layer.

    Args:
      n_labels: number of labels.
      feature_dim: size of the features.
      prior: share of labels active in a typical example, at which every probability starts; default: 1 / n_labels.
      random_start: start weight and bias uniform in ±1/√feature_dim, as the paper's layers do.

    Raises:
      ValueError: a size below 1 or a prior outside (0, 1).

    Reference: Grivas, Vergari, Lopez (AAAI 2024), section 2.
    """
    positive(n_labels=n_labels, feature_dim=feature_dim)
    start = prior_logit(prior, 1, n_labels)

    def init(key):
        weight_key, bias_key = jax.random.split(key)
        if random_start:
            bound = 1 / math.sqrt(feature_dim)
            return {
                "weight": jax.random.uniform(weight_key, (n_labels, feature_dim), jnp.float32, -bound, bound),
                "bias": jax.random.uniform(bias_key, (n_labels,), jnp.float32, -bound, bound),
            }
        scale = 0.1 / math.sqrt(feature_dim)
        return {
            "weight": jax.random.normal(weight_key, (n_labels, feature_dim)) * scale,
            "bias": jnp.full((n_labels,), start, jnp.float32),
        }

    def decode(params, z):
        return add(matmul(z, params["weight"].T), params["bias"]).astype(z.dtype)

    return Head(
        name="sigmoid",
        kind="sigmoid",
        arguments={
            "n_labels": n_labels,
            "feature_dim": feature_dim,
            "prior": None if prior is None else float(prior),
            "random_start": random_start,
        },
        n_labels=n_labels,
        feature_dim=feature_dim,
        dim=feature_dim,
        max_cardinality=0,
        init=init,
        project=lambda params, features: floating(features),
        decode=decode,
        rows=lambda params, labels: params["weight"][labels],
        bias=lambda params, labels: params["bias"][labels],
        per_label=frozenset({"weight", "bias"}),
    )
