"""The affine map from features to activations, as numbers."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Projection(NamedTuple):
    """z = matrix @ features + offset.

    Attributes:
      matrix: (dim, feature_dim).
      offset: (dim,).
    """

    matrix: Float[np.ndarray, "dim feature_dim"]
    offset: Float[np.ndarray, " dim"]
