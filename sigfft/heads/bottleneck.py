"""The bottleneck sigmoid layer (the paper's BSL): two linear maps through a small activation."""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from sigfft.heads.head import Head, Params, affine
from sigfft.precision import matmul
from sigfft.priors import prior_logit


@dataclasses.dataclass(frozen=True, repr=False)
class BottleneckHead(Head):
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

    kind = "bottleneck"
    learning_rate: ClassVar[float] = 1e-2
    per_label = frozenset({"weight"})
    max_cardinality: ClassVar[int] = 0

    n_labels: int
    dim: int
    _: dataclasses.KW_ONLY
    feature_dim: int
    prior: float | np.floating | None = None
    random_start: bool = False

    def __post_init__(self) -> None:
        self._at_least(1, "n_labels", "dim", "feature_dim")
        prior_logit(self.prior, 1, self.n_labels)

    @property
    def name(self) -> str:
        return f"bottleneck d={self.dim}"

    def init(self, key: Key[Array, ""]) -> Params:
        kernel_key, bias_key, weight_key = jax.random.split(key, 3)
        n_labels, dim, feature_dim = self.n_labels, self.dim, self.feature_dim
        if self.random_start:
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
            "projection_bias": jnp.zeros((dim,)).at[0].set(prior_logit(self.prior, 1, n_labels)),
            "weight": weight.at[:, 0].set(1.0),
        }

    def priors_of(self, params, log_odds):
        if self.random_start:
            return super().priors_of(params, log_odds)
        bias = params["projection_bias"]
        entry = jnp.where(jnp.abs(bias[0]) < 1, jnp.where(bias[0] > 0, 1.0, -1.0), bias[0])  # priors of ½ have none
        return {"projection_bias": bias.at[0].set(entry), "weight": params["weight"].at[:, 0].set(log_odds / entry)}

    def activation_of(self, params, features):
        return affine(params, features)

    def logits_of(self, params, z):
        return matmul(z, params["weight"].T).astype(z.dtype)

    def rows_of(self, own, labels, dtype=jnp.float32):
        return own["weight"]
