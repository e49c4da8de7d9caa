"""The full-rank baseline: one weight vector per label, on the features themselves."""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from sigfft.heads.head import Head, Params
from sigfft.precision import add, matmul
from sigfft.priors import prior_logit


@dataclasses.dataclass(frozen=True, repr=False)
class SigmoidHead(Head):
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

    kind = "sigmoid"
    learning_rate: ClassVar[float] = 1e-2
    per_label = frozenset({"weight", "bias"})
    max_cardinality: ClassVar[int] = 0

    n_labels: int
    _: dataclasses.KW_ONLY
    feature_dim: int
    prior: float | np.floating | None = None
    random_start: bool = False

    def __post_init__(self) -> None:
        self._at_least(1, "n_labels", "feature_dim")
        prior_logit(self.prior, 1, self.n_labels)

    @property
    def dim(self) -> int:
        return self.feature_dim

    @property
    def name(self) -> str:
        return "sigmoid"

    def init(self, key: Key[Array, ""]) -> Params:
        weight_key, bias_key = jax.random.split(key)
        shape, bound = (self.n_labels, self.feature_dim), 1 / math.sqrt(self.feature_dim)
        if self.random_start:
            return {
                "weight": jax.random.uniform(weight_key, shape, jnp.float32, -bound, bound),
                "bias": jax.random.uniform(bias_key, shape[:1], jnp.float32, -bound, bound),
            }
        start = prior_logit(self.prior, 1, self.n_labels)
        return {
            "weight": jax.random.normal(weight_key, shape) * (0.1 * bound),
            "bias": jnp.full(shape[:1], start, jnp.float32),
        }

    def priors_of(self, params, log_odds):
        if self.random_start:
            return super().priors_of(params, log_odds)
        return {"bias": log_odds}

    def activation_of(self, params, features):
        return features

    def logits_of(self, params, z):
        return add(matmul(z, params["weight"].T), params["bias"]).astype(z.dtype)

    def rows_of(self, own, labels, dtype=jnp.float32):
        return own["weight"]
