"""Examples as encoders read them: arrays by name, the first axis of each is the batch."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, Shaped

Examples = Mapping[str, Shaped[Array | np.ndarray, "batch ..."]]


def tokens_of(examples: Examples) -> tuple[Int32[Array, "batch length"], Bool[Array, "batch length"]]:
    """Token ids, and where there are any: `token_mask`, or without it wherever the id is not 0."""
    tokens = jnp.asarray(examples["tokens"])
    return tokens, jnp.asarray(examples["token_mask"]) if "token_mask" in examples else tokens != 0
