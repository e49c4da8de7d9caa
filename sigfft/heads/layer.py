"""A head as one weight and bias in NumPy: of z, as stored; and of the features, with the projection."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from sigfft.heads.head import Head, Params


def stored_layer(
    head: Head, params: Params
) -> tuple[Float[np.ndarray, "labels dim"], Float[np.ndarray, " labels"] | None]:
    """All rows of W and the biases: logits = z @ weight.T + bias."""
    labels = jnp.arange(head.n_labels)
    bias = head.bias(params, labels)
    return np.asarray(head.rows(params, labels)), None if bias is None else np.asarray(bias)


def feature_layer(
    head: Head, params: Params
) -> tuple[Float[np.ndarray, "labels feature_dim"], Float[np.ndarray, " labels"]]:
    """Weight and bias, float64, with which logits = features @ weight.T + bias.

    W times the projection, rounded to float64: for other tools. To decide what features yield, leave the product to
    `check(..., projection=head.projection(params))` or to `check_head`, which take it exactly: where there are more
    features than dimensions, a rounded product has a rank that the exact one has not.

    A head's guarantee is about z: every z can be asked for. Features may reach a part of z alone; `sigfft.reach`
    proves whether they do.

    Args:
      head: any head.
      params: its parameters.
    """
    with jax.enable_x64(True):
        params = {name: jnp.asarray(value) for name, value in params.items()}
        start = np.asarray(head.project(params, jnp.zeros((head.feature_dim,), jnp.float64)))
        slopes = np.asarray(head.project(params, jnp.eye(head.feature_dim, dtype=jnp.float64))) - start
        rows, bias = stored_layer(head, params)
    weight = rows.astype(np.float64)
    offset = weight @ start
    return weight @ slopes.T, offset if bias is None else offset + bias.astype(np.float64)
