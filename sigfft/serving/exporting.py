"""Models exported: functions of a batch of any size, lowered once, with all that an answer needs."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from jaxtyping import Array, Float

from sigfft import inference
from sigfft.argmaxability.display import checked_names
from sigfft.files import check_writable
from sigfft.heads import Head, Params
from sigfft.heads.head import whole
from sigfft.inference import PredictedSets, TopLabels
from sigfft.serving import archive
from sigfft.serving.batches import Inputs, Specs, batch_of, specs_of

Encode = Callable[[Any, Any], Float[Array, "batch feature_dim"]]
Thresholds = float | Float[np.ndarray | Array, "..."]
Arrays = dict[str, Array]

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")

for _type in (TopLabels, PredictedSets):
    export.register_namedtuple_serialization(_type, serialized_name=f"sigfft.{_type.__name__}")


def save(
    path: str | os.PathLike,
    encode: Encode | None,
    head: Head,
    params: Mapping[str, Any],
    example_input: Inputs,
    *,
    top: int = 10,
    max_cardinality: int | None = None,
    threshold: Thresholds = 0.0,
    names: Sequence[str] | None = None,
    platforms: Sequence[str] | None = None,
    block_size: int = inference.BLOCK_SIZE,
) -> None:
    """Writes a model to one file, for `sigfft.serving.load`; the file appears when it is whole.

    It holds the logits, the top labels and the label sets as functions that are lowered already (`jax.export`), for
    batches of any size. They see examples one by one, through `jax.vmap`: an encoder must not mix those of a batch.

    Args:
      path: the file.
      encode: (params["encoder"], inputs) -> features (batch, feature_dim); None: the inputs are the features.
      head: the output layer.
      params: {"encoder": any pytree of arrays, "head": the head's}; without an encoder, {"head": ...}.
      example_input: a batch such as will be asked about, of any size: an array (batch, ...), or a dict of them. Of its
        values only shapes and dtypes matter.
      top: labels of `Served.top_k`, at most n_labels.
      max_cardinality: labels of `Served.label_sets` at most, of a larger set those of the largest logits; default:
        what the head guarantees, or else `top`.
      threshold: in logits, of all labels or of each (n_labels,); a label of a larger logit is predicted.
      names: of the labels, one each.
      platforms: that the file will run on, some of `PLATFORMS`; default: the one in use.
      block_size: labels at a time.

    Raises:
      ValueError: shapes that do not fit each other, names or thresholds that are not one a label, a size below 1.
      OSError: nothing can be written to `path`.

    Reference: https://docs.jax.dev/en/latest/export/export.html
    """
    check_writable(path)
    expected = ["head"] if encode is None else ["encoder", "head"]
    if sorted(params) != expected:
        raise ValueError(f"params must have the keys {expected}; given {sorted(params)}")
    if unknown := set(platforms or ()) - set(PLATFORMS):
        raise ValueError(f"platforms must be some of {', '.join(PLATFORMS)}; given {', '.join(sorted(unknown))}")
    specs, thresholds = specs_of(example_input), _thresholds(threshold, head.n_labels)
    about = {
        "inputs": specs,
        "n_labels": head.n_labels,
        "names": None if names is None else checked_names(names, head.n_labels),
    }
    about |= {"head": {"kind": head.kind, "arguments": head.arguments}, "versions": _versions()}
    top = min(whole("top", top, 1), head.n_labels)
    cardinality = (
        (head.max_cardinality or top) if max_cardinality is None else whole("max_cardinality", max_cardinality, 1)
    )
    cardinality = min(cardinality, head.n_labels)
    encoder_leaves, encoder = jax.tree.flatten(params.get("encoder"))
    arrays = {f"encoder/{i}": leaf for i, leaf in enumerate(encoder_leaves)}
    arrays |= {f"head/{name}": value for name, value in params["head"].items()} | {"thresholds": thresholds}
    arrays = {name: np.asarray(jnp.asarray(array)) for name, array in arrays.items()}

    def own(arrays: Arrays) -> Params:
        return {name: arrays[f"head/{name}"] for name in params["head"]}

    def features(arrays: Arrays, inputs: Any) -> Array:
        if encode is None:
            return inputs
        leaves = [arrays[f"encoder/{i}"] for i in range(len(encoder_leaves))]
        return encode(jax.tree.unflatten(encoder, leaves), inputs)

    def logits(arrays: Arrays, inputs: Any) -> Array:
        return head.logits(own(arrays), features(arrays, inputs))

    def top_k(arrays: Arrays, inputs: Any) -> TopLabels:
        return inference.top_k(head, own(arrays), features(arrays, inputs), top, block_size=block_size)

    def label_sets(arrays: Arrays, inputs: Any) -> PredictedSets:
        options = {"threshold": arrays["thresholds"], "block_size": block_size}
        return inference.label_sets(head, own(arrays), features(arrays, inputs), cardinality, **options)

    functions = {f.__name__: _exported(f, arrays, specs, platforms) for f in (logits, top_k, label_sets)}
    about["platforms"] = functions["logits"].platforms
    serialized = {name: bytes(function.serialize()) for name, function in functions.items()}
    archive.write(path, archive.Contents(about, arrays, serialized))


def _exported(
    function: Callable[[Arrays, Any], Any],
    arrays: Mapping[str, np.ndarray],
    specs: Specs,
    platforms: Sequence[str] | None,
) -> export.Exported:
    """The function of arrays by name and of a batch of any size."""

    def of_example(arrays: Arrays, example: Any) -> Any:
        batch = jax.tree.map(lambda array: array[None], example)
        return jax.tree.map(lambda array: array[0], function(arrays, batch))

    # Mapped over examples, what is called need not know a size that is a symbol.
    of_batch = jax.jit(jax.vmap(of_example, in_axes=(None, 0)))
    (size,) = export.symbolic_shape("batch")
    batch = batch_of(specs, lambda spec: jax.ShapeDtypeStruct((size, *spec.shape), jnp.dtype(spec.dtype)))
    shapes = {name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in arrays.items()}
    return export.export(of_batch, platforms=platforms)(shapes, batch)


def _thresholds(threshold: Thresholds, n_labels: int) -> np.ndarray:
    values = np.asarray(threshold, np.float32)
    if values.shape not in ((), (n_labels,)) or np.isnan(values).any():
        raise ValueError(f"threshold must be a number, or one for each label ({n_labels},); given {threshold!r}")
    return values


def _versions() -> dict[str, str]:
    import sigfft

    return {"sigfft": sigfft.__version__, "jax": jax.__version__}
