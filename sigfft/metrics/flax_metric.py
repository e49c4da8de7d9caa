"""Streaming metrics as an object for Flax NNX; `sigfft.nnx.Metrics`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, Shaped

from sigfft.metrics.streaming import Metrics as StreamingMetrics


class Metrics(nnx.Metric):
    """All metrics of `sigfft.metrics.make_metrics`, by themselves or in an `nnx.MultiMetric`.

    `update` and `reset` also work under `nnx.jit`. `compute` is for the host, where its sums are exact in float64.

    Args:
      metrics: from `sigfft.metrics.make_metrics`.
    """

    def __init__(self, metrics: StreamingMetrics):
        self.metrics = metrics
        self.state = nnx.metrics.MetricState(metrics.init())

    def reset(self) -> None:
        """Forgets all examples."""
        self.state.set_value(self.metrics.init())

    def update(  # type: ignore[override]
        self,
        *,
        logits: Float[Array | np.ndarray, "batch labels"],
        labels: Int[Array | np.ndarray, "batch max_cardinality"],
        mask: Shaped[Array | np.ndarray, " batch"] | None = None,
        **_: Any,
    ) -> None:
        """Adds a batch.

        Args:
          logits: float (batch, n_labels).
          labels: active label ids (batch, max_cardinality), padded with n_labels.
          mask: False where a row only fills up the batch.
          **_: what other metrics of an `nnx.MultiMetric` take.

        Raises:
          ValueError: shapes that do not fit.
        """
        counted = jnp.ones(len(logits), bool) if mask is None else mask
        self.state.set_value(self.metrics.update(self.state.get_value(), logits, labels, counted))

    def compute(self) -> dict[str, float]:
        """The metrics as fractions, by name.

        Raises:
          ValueError: no example was counted, or it is called under `jax.jit` or `nnx.jit`.
        """
        state = self.state.get_value()
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(state)):
            raise ValueError("compute() adds up in float64 on the host: call it outside nnx.jit, on what update() left")
        return self.metrics.compute(state)
