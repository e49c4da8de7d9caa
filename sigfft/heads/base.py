"""What an output layer is: a small activation made from features, and a linear map from it to the logits."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from sigfft.precision import compute_dtype

if TYPE_CHECKING:
    from sigfft.heads.blocks import LabelBlocks

Params = dict[str, Array]


class Circle(NamedTuple):
    """What makes a closed form: the labels as points of the trigonometric moment curve.

    Attributes:
      points: the point of each label on the circle; None: label i at point i.
      max_frequency: W has the columns of the frequencies 0..max_frequency.
      alone: W has no other columns and there is no bias.
    """

    points: Int[np.ndarray, " labels"] | None
    max_frequency: int
    alone: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Head:
    """An output layer as pure functions: z = project(features), logits = z @ rows.T + bias.

    Attributes:
      name: the kind and the sizes that shape it, such as "dft k=50 spread=200"; in tables, and for files.
      kind: "sigmoid", "bottleneck", "dft" or "retrofit".
      arguments: what the constructor was called with; `kind` and these make the head again.
      n_labels: number of labels n.
      feature_dim: size of the features.
      dim: size d of the activation z.
      max_cardinality: every set of up to this many labels is argmaxable in exact arithmetic; 0 is no guarantee.
      init: key -> params, a flat dict of float32 arrays (float64 under `jax_enable_x64`).
      project: (params, features (..., feature_dim)) -> z (..., dim), in their dtype, or float32 for integers.
      decode: (params, z (..., dim)) -> logits (..., n_labels), in the dtype of z, computed in float32 at least.
      rows: (params, labels (m,)) -> rows of W (m, dim), float32.
      bias: (params, labels (m,)) -> (m,) or None.
      circle: the part of W that guarantees label sets; None is no guarantee.
      per_label: names of the params with one row a label. `rows` and `bias` read them as params[name][labels] and no
        other values: a device that holds some labels, or a loss that visits them in blocks, gives them only these.
      label_blocks: as `sigfft.heads.blocks.label_blocks` without the head: a way over the labels that is cheaper than
        `rows`; it may return None. None: there is no such way.
    """

    name: str
    kind: str
    arguments: Mapping[str, Any]
    n_labels: int
    feature_dim: int
    dim: int
    max_cardinality: int
    init: Callable[[Key[Array, ""]], Params]
    project: Callable[[Params, Float[Array, "*batch feature_dim"]], Float[Array, "*batch dim"]]
    decode: Callable[[Params, Float[Array, "*batch dim"]], Float[Array, "*batch labels"]]
    rows: Callable[[Params, Int[Array, " m"]], Float[Array, "m dim"]]
    bias: Callable[[Params, Int[Array, " m"]], Float[Array, " m"] | None]
    circle: Circle | None = None
    per_label: frozenset[str] = frozenset()
    label_blocks: "Callable[[int, int | None, np.dtype], LabelBlocks | None] | None" = None

    def logits(self, params: Params, features: Float[Array, "*batch feature_dim"]) -> Float[Array, "*batch labels"]:
        """decode(project(features)): one logit per label."""
        return self.decode(params, self.project(params, features))

    def n_parameters(self) -> int:
        """Number of learned parameters."""
        return sum(math.prod(p.shape) for p in jax.tree.leaves(jax.eval_shape(self.init, jax.random.key(0))))


def positive(**sizes: int) -> None:
    """Raises ValueError unless every named size is an int of at least 1."""
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{name}={size!r} must be an int of at least 1")


def prior_logit(prior: float | None, expected_cardinality: int, n_labels: int) -> float:
    """The logit at which every label starts: log(p / (1 - p)) for the share p of labels that is active.

    Args:
      prior: the share, strictly between 0 and 1; None: expected_cardinality / n_labels, at most a half.
      expected_cardinality: labels of a typical example.
      n_labels: number of labels.
    """
    share = min(expected_cardinality / n_labels, 0.5) if prior is None else prior
    if not 0 < share < 1:
        raise ValueError(
            f"prior={prior!r} must lie strictly between 0 and 1: it is the mean number of active labels / n_labels"
        )
    return math.log(share / (1 - share))


def floating(features: Array) -> Float[Array, "*batch feature_dim"]:
    """Features as they are, or whole numbers, such as counts, as float32: z has the dtype of the features."""
    return features if jnp.issubdtype(features.dtype, jnp.floating) else features.astype(jnp.float32)


def matmul(x: Float[Array, "*batch k"], matrix: Float[Array, "k m"]) -> Float[Array, "*batch m"]:
    """The product x @ matrix, with the matrix in x's dtype, summed and returned in float32 at least."""
    dtype = compute_dtype(x.dtype)
    return jnp.matmul(x, matrix.astype(x.dtype), preferred_element_type=dtype)


def add(x: Float[Array, "*batch m"], bias: Float[Array, " m"]) -> Float[Array, "*batch m"]:
    """The sum x + bias on the last axis, in x's dtype."""
    return x + jnp.broadcast_to(bias.astype(x.dtype), x.shape)
