"""BERT checkpoints: a folder with config.json and model.safetensors, as `transformers` saves them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sigfft.encoders.pretrained import Pretrained, finite
from sigfft.files.arrays import Arrays, open_arrays

_SIZES = {  # of the encoder's constructor, by their names in config.json
    "hidden_size": "dim",
    "num_hidden_layers": "layers",
    "num_attention_heads": "attention_heads",
    "intermediate_size": "mlp_dim",
    "max_position_embeddings": "n_positions",
    "vocab_size": "in_dim",
    "type_vocab_size": "n_types",
}
_LAYER = {  # its linear layers and normalisations, by ours
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attended": "attention.output.dense",
    "attended_norm": "attention.output.LayerNorm",
    "intermediate": "intermediate.dense",
    "output": "output.dense",
    "output_norm": "output.LayerNorm",
}


def read_bert(folder: Path, n_tokens: int) -> Pretrained:
    """Sizes and parameters of a checkpoint, for `Transformer`.

    Args:
      folder: with config.json and model.safetensors.
      n_tokens: size of the tokenizer's vocabulary; the checkpoint may have more embeddings.

    Raises:
      ValueError: a file is missing, damaged or not BERT's; a tensor is missing, of another shape or not finite; or the
        tokenizer has more tokens than the checkpoint.
    """
    arguments = _read_config(folder / "config.json")
    if n_tokens > arguments["in_dim"]:
        raise ValueError(
            f"{folder} has embeddings of {arguments['in_dim']} tokens, and the data's tokenizer has {n_tokens}; "
            "tokenize with the checkpoint's own"
        )
    path = folder / "model.safetensors"
    if not path.is_file():
        raise ValueError(
            f"{folder} holds no model.safetensors; save the model by save_pretrained(..., safe_serialization=True)"
        )
    with open_arrays(path) as arrays:
        return Pretrained(arguments, _params(arrays, arguments, path))


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"encoder.pretrained={path.parent} must be a folder with config.json and model.safetensors")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        given = {ours: config.get(name, 2 if ours == "n_types" else None) for name, ours in _SIZES.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is not the JSON of a model, damaged or truncated: {error}") from error
    if config.get("model_type", "bert") != "bert":
        raise ValueError(f"{path} is of a {config['model_type']!r} model; a transformer here reads 'bert'")
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ValueError(f"{path}: position_embedding_type must be 'absolute'")
    for name, ours in _SIZES.items():
        if type(given[ours]) is not int or given[ours] < 1:
            raise ValueError(f"{path}: {name} must be a whole number of at least 1; it is {given[ours]!r}")
    epsilon = config.get("layer_norm_eps", 1e-12)
    return {**given, "mlp_activation": config.get("hidden_act", "gelu"), "epsilon": epsilon}


def _params(arrays: Arrays, sizes: Mapping[str, Any], path: Path) -> dict[Any, Any]:
    prefix = "bert." if any(name.startswith("bert.") for name in arrays.shapes) else ""
    params: dict[Any, Any] = {}
    for places, name, shape in _tensors(sizes):
        old = name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta")  # of the first checkpoints
        stored = next((prefix + own for own in (name, old) if prefix + own in arrays.shapes), None)
        if stored is None:
            raise ValueError(f"{path} lacks the tensor {prefix + name!r}, of the shape {shape}")
        if arrays.shapes[stored] != shape:
            raise ValueError(f"{path}: {stored!r} has the shape {arrays.shapes[stored]}; config.json asks for {shape}")
        values = finite(arrays.read(stored), f"{path}, {stored}")
        *parents, last = places
        at = params
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = np.ascontiguousarray(values.T) if last == "kernel" else values
    return params


def _tensors(sizes: Mapping[str, Any]) -> Iterator[tuple[tuple[Any, ...], str, tuple[int, ...]]]:
    """Where a tensor is in the encoder's state, its name in the file, and its shape there."""
    dim, mlp_dim = sizes["dim"], sizes["mlp_dim"]
    for ours, theirs, rows in (("word", "word", "in_dim"), ("position", "position", "n_positions")):
        yield (ours,), f"embeddings.{theirs}_embeddings.weight", (sizes[rows], dim)
    yield ("type",), "embeddings.token_type_embeddings.weight", (sizes["n_types"], dim)
    yield ("norm", "scale"), "embeddings.LayerNorm.weight", (dim,)
    yield ("norm", "bias"), "embeddings.LayerNorm.bias", (dim,)
    for i in range(sizes["layers"]):
        for ours, theirs in _LAYER.items():
            wide = mlp_dim if ours == "intermediate" else dim
            name = f"encoder.layer.{i}.{theirs}"
            if theirs.endswith("LayerNorm"):
                yield ("layers", i, ours, "scale"), f"{name}.weight", (dim,)
            else:
                yield ("layers", i, ours, "kernel"), f"{name}.weight", (wide, mlp_dim if ours == "output" else dim)
            yield ("layers", i, ours, "bias"), f"{name}.bias", (wide,)
