"""Weights of labels and examples, and how examples' losses become one number."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

REDUCTIONS = ("mean", "sum", "none")


class Weights(NamedTuple):
    """Factors of a loss; None is 1 throughout.

    Attributes:
      labels: of the terms of each label.
      positive: of the term of each label where it is active.
      examples: of each example's sum.
    """

    labels: Float[Array, " labels"] | None = None
    positive: Float[Array, " labels"] | None = None
    examples: Float[Array, "*batch"] | None = None


def checked_weights(n_labels: int, batch: tuple[int, ...], labels: Any, positive: Any, examples: Any) -> Weights:
    """Weights as float32 arrays.

    Raises:
      ValueError: another shape than (n_labels,) or that of the batch.
    """
    named = {"label_weights": labels, "positive_weights": positive, "example_weights": examples}
    arrays = {name: None if weight is None else jnp.asarray(weight, jnp.float32) for name, weight in named.items()}
    for (name, weight), shape in zip(arrays.items(), ((n_labels,), (n_labels,), batch), strict=True):
        if weight is not None and weight.shape != shape:
            raise ValueError(f"{name} must be {shape}; given shape {weight.shape}")
    return Weights(*arrays.values())


def reduced(
    values: Float[Array, "*batch"], weights: Float[Array, "*batch"] | None, reduction: str
) -> Float[Array, "..."]:
    """The weighted mean of examples' losses (), their weighted sum (), or each times its weight, as they came."""
    weighted = values if weights is None else values * weights.astype(values.dtype)
    if reduction == "none":
        return weighted
    return weighted.sum() if reduction == "sum" else weighted.sum() / count(values.size, weights, values.dtype)


def count(n_examples: int, weights: Array | None, dtype: Any) -> Float[Array, ""]:
    """What a sum over examples is divided by; 1 where all are masked, whose sum is 0."""
    if weights is None:
        return jnp.asarray(n_examples, dtype)
    total = weights.astype(dtype).sum()
    return jnp.where(total == 0, 1, total)


def check_reduction(reduction: str) -> None:
    """Raises ValueError for a name that is not in `REDUCTIONS`."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction={reduction!r} must be one of: {', '.join(REDUCTIONS)}")
