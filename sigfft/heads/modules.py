"""What the Flax layers share: how a head's parameters start, and over which axis they may be sharded."""

from collections.abc import Callable

import jax
from jaxtyping import Array, Key

from sigfft.heads.head import Head, Params

Initializer = Callable[..., Array]


def start(
    head: Head,
    key: Key[Array, ""],
    param_dtype: jax.typing.DTypeLike | None = None,
    kernel_init: Initializer | None = None,
) -> Params:
    """`head.init(key)`, perhaps in another dtype, or with a kernel of one's own.

    Args:
      head: the output layer.
      key: seeds it.
      param_dtype: of all parameters; None: as `head.init` has them.
      kernel_init: `kernel_init(key, shape, dtype)`, as Flax has it, of the kernel that the features are multiplied by:
        (feature_dim, dim), or (feature_dim, n_labels) of a head without a projection.
    """
    params = head.init(key)
    if kernel_init is not None:
        name = "projection_kernel" if "projection_kernel" in params else "weight"
        kernel = params[name] if name != "weight" else params[name].T
        drawn = kernel_init(jax.random.fold_in(key, 1), kernel.shape, kernel.dtype)
        params[name] = drawn if name != "weight" else drawn.T
    return params if param_dtype is None else {name: value.astype(param_dtype) for name, value in params.items()}


def axes(head: Head, name: str, ndim: int, label_axis: str | None) -> tuple[str | None, ...] | None:
    """Names of a parameter's axes: the first is `label_axis` where it has a row for each label; None: no names."""
    return (label_axis, *(None,) * (ndim - 1)) if label_axis is not None and name in head.per_label else None
