"""What a batch of inputs must look like, and batches padded to few sizes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Shaped

_Values = Shaped[Array | np.ndarray, "..."] | Sequence[Any]
Inputs = _Values | Mapping[str, _Values]


class InputSpec(NamedTuple):
    """One array of a batch.

    Attributes:
      name: its key in the batch; None: the batch is this array.
      shape: of one example, without the batch axis.
      dtype: its name.
    """

    name: str | None
    shape: tuple[int, ...]
    dtype: str


Specs = Sequence[InputSpec]


def specs_of(example: Inputs) -> list[InputSpec]:
    """The specs of batches like this one.

    Raises:
      ValueError: an array has no batch axis, or there is none.
    """
    named = dict(example) if isinstance(example, Mapping) else {None: example}
    scalars = [name for name, array in named.items() if not np.ndim(array)]
    if scalars or not named:
        raise ValueError(f"inputs must be arrays (batch, ...); given {jax.tree.map(np.shape, example)}")
    return [InputSpec(name, np.shape(array)[1:], jnp.result_type(array).name) for name, array in named.items()]


def batch_of(specs: Specs, leaf: Any) -> Any:
    """A batch whose arrays are what `leaf(spec)` says."""
    if specs[0].name is None:
        return leaf(specs[0])
    return {spec.name: leaf(spec) for spec in specs}


def padded(specs: Specs, inputs: Any) -> tuple[Any, int]:
    """A batch on the host, filled with zeros up to the next power of two: few sizes are few compilations.

    Nested lists of numbers are welcome as well; an array must have the dtype already.

    Returns:
      The batch, and how many examples it had.

    Raises:
      ValueError: arrays are missing or too many, of another shape or dtype, or not of one length.
    """
    names = [spec.name for spec in specs]
    given = dict(inputs) if isinstance(inputs, Mapping) else {None: inputs}
    if set(given) != set(names):
        raise ValueError(f"inputs must be {_described(specs)}; given {_names(given)}")
    arrays = {spec.name: _fitting(spec, given[spec.name]) for spec in specs}
    sizes = {name: len(array) for name, array in arrays.items()}
    size = min(sizes.values())
    if size < max(sizes.values()):
        raise ValueError(f"inputs must be of one length; given {sizes}")
    length = 1 << max(size - 1, 0).bit_length()

    def filled(spec: InputSpec) -> np.ndarray:
        batch = np.zeros((length, *spec.shape), jnp.dtype(spec.dtype))
        batch[:size] = arrays[spec.name]
        return batch

    return batch_of(specs, filled), size


def _fitting(spec: InputSpec, value: Any) -> np.ndarray:
    array = np.asarray(value)
    if not hasattr(value, "dtype") and np.can_cast(array.dtype, jnp.dtype(spec.dtype), "same_kind"):
        array = array.astype(spec.dtype)
    if array.shape[1:] != spec.shape or not array.ndim or array.dtype != jnp.dtype(spec.dtype):
        raise ValueError(f"inputs must be {_described([spec])}; given {array.dtype} {array.shape}")
    return array


def _described(specs: Specs) -> str:
    parts = [f"{spec.dtype} ({', '.join(['batch', *map(str, spec.shape)])})" for spec in specs]
    return ", ".join(
        part if spec.name is None else f"{spec.name!r}: {part}" for spec, part in zip(specs, parts, strict=True)
    )


def _names(given: Mapping[str | None, Any]) -> str:
    return "one array" if None in given else f"the keys {sorted(map(str, given))}"
