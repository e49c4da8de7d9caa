"""A head as its features see it: projection and last layer as one affine map."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from sigfft.heads.base import Head, Params


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
        labels = jnp.arange(head.n_labels)
        rows, bias = np.asarray(head.rows(params, labels), np.float64), head.bias(params, labels)
    offset = rows @ start
    return rows @ slopes.T, offset if bias is None else offset + np.asarray(bias, np.float64)
