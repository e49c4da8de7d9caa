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

    A head's guarantee, and `check_head`, are about z: every z can be asked for. What features can ask for is an
    affine image of them. Where `feature_dim` is less than `dim` they reach a part of the z alone, and a label set may
    be out of their reach that some z yields; `sigfft.check(weight, label_sets, bias)` decides that. Features of any
    sign and at least `dim` in number reach every z, unless the projection has lost rank. After a ReLU features are
    not negative, and reach less than this layer says; some 2·dim of them reach every z as a rule.

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
