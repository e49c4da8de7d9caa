"""Layers that the paper's PyTorch code trains, as heads of this package: the same logits, from a .safetensors file.

Their arrays in the file, after a prefix such as "output_layer.":

    dft         proj.weight (2k + 1 + slack, feature_dim), proj.bias, and with slack Ws.weight (n_labels, slack)
    bottleneck  mlp.0.weight (dim, feature_dim), mlp.0.bias, mlp.1.weight (n_labels, dim)
    sigmoid     weight (n_labels, feature_dim), and perhaps bias

Their DFT layer has the columns of ours at n_fft = n_labels, and activations of order √n; ours divides what makes them
by √n, and multiplies the slack columns by it.

Reference: Grivas, Vergari, Lopez (AAAI 2024); github.com/andreasgrv/sigmoid-bottleneck, spmlbl/components.py.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from sigfft.files.arrays import open_arrays
from sigfft.heads.bottleneck import BottleneckHead
from sigfft.heads.dft import DFTHead
from sigfft.heads.head import Head, Params
from sigfft.heads.sigmoid import SigmoidHead

Arrays = dict[str, Float[np.ndarray, "..."]]

# The arrays of each kind with their axes, that which tells it first; "?": may be missing. A kind is tried where the
# earlier ones are not found, since their parts are plain matrices too.
_ARRAYS: dict[str, dict[str, int]] = {
    "dft": {"proj.weight": 2, "proj.bias": 1, "Ws.weight?": 2},
    "bottleneck": {"mlp.1.weight": 2, "mlp.0.weight": 2, "mlp.0.bias": 1},
    "sigmoid": {"weight": 2, "bias?": 1},
}
_PICKLES = (".bin", ".ckpt", ".pkl", ".pt", ".pth")
_CONVERT = (
    "import torch, safetensors.torch as s; m = torch.load('{0}', map_location='cpu', weights_only=False); "
    "m = m.state_dict() if hasattr(m, 'state_dict') else m; "
    "s.save_file({{n: t.clone().contiguous() for n, t in m.items()}}, '{1}')"
)


def load_published(
    path: str | Path,
    kind: str | None = None,
    *,
    prefix: str | None = None,
    n_labels: int | None = None,
    order: Sequence[int] | Int[np.ndarray, " labels"] | None = None,
) -> tuple[Head, Params]:
    """The head and float32 parameters of a layer that the paper's code trained.

    Args:
      path: a .safetensors file of its weights, or of a whole model with one such layer.
      kind: of the layer, "dft", "bottleneck" or "sigmoid"; default: the one whose arrays the file has.
      prefix: what the names of the layer's arrays begin with, such as "output_layer"; default: the only one there is.
      n_labels: of a DFT layer without slack, whose weights do not tell; else it must be as they say.
      order: the label that each output of the layer stands for, where yours are numbered otherwise.

    Raises:
      ValueError: the file is a pickle or no whole .safetensors file; no such layer or several; shapes that do not fit
        each other, values that are not finite, or an order that is no permutation.
    """
    path = Path(path)
    if path.suffix in _PICKLES:
        convert = _CONVERT.format(path, path.with_suffix(".safetensors"))
        raise ValueError(
            f"{path} is a pickle, and reading one can run code; if you trust it, turn it into safetensors, where its "
            f'classes can be imported: python -c "{convert}"'
        )
    if path.suffix != ".safetensors":
        raise ValueError(f"{path} must be a .safetensors file")
    if kind is not None and kind not in _ARRAYS:
        raise ValueError(f"kind={kind!r} must be one of: {', '.join(_ARRAYS)}")
    with open_arrays(path) as stored:
        found, prefix = _recognised(path, stored.shapes, kind, prefix)
        names = [name.rstrip("?") for name in _ARRAYS[found]]
        own = {name: stored.read(prefix + name) for name in names if prefix + name in stored.shapes}
    for name, array in own.items():
        own[name] = array.astype(np.float64)
        with np.errstate(over="ignore"):
            finite = np.isfinite(own[name].astype(np.float32)).all()
        if not finite:
            raise ValueError(f"{path}: {prefix}{name} must be finite in float32; it holds NaN, infinity or more")
    try:
        head, params = _MADE[found](own, n_labels)
        if order is not None:
            head, params = _reordered(head, params, np.asarray(order))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return head, {name: jnp.asarray(value, jnp.float32) for name, value in params.items()}


def _recognised(
    path: Path, shapes: Mapping[str, tuple[int, ...]], kind: str | None, prefix: str | None
) -> tuple[str, str]:
    """The kind and the prefix of the one layer that the file holds."""
    asked = prefix if not prefix or prefix.endswith(".") else f"{prefix}."
    for name in [kind] if kind else _ARRAYS:
        first, arrays = next(iter(_ARRAYS[name])), _ARRAYS[name]
        prefixes = [stored.removesuffix(first) for stored in shapes if f".{stored}".endswith(f".{first}")]
        fitting = [before for before in prefixes if asked in (None, before) and _has(shapes, before, arrays)]
        if len(fitting) == 1:
            return name, fitting[0]
        if fitting:
            shown = ", ".join(repr(before) for before in fitting[:5])
            raise ValueError(f"{path} holds {len(fitting)} layers of kind {name!r}; choose one by prefix=: {shown}")
    wanted = "; ".join(f"{name}: {', '.join(arrays)}" for name, arrays in _ARRAYS.items() if kind in (None, name))
    raise ValueError(
        f"{path} holds no layer of the paper's code{'' if prefix is None else f' at {prefix!r}'}: expected, after a "
        f"prefix, {wanted}; it has {', '.join(sorted(shapes)[:8]) or 'no array'}"
    )


def _has(shapes: Mapping[str, tuple[int, ...]], before: str, arrays: Mapping[str, int]) -> bool:
    return all(
        len(shapes.get(before + name.rstrip("?"), [None] * axes * name.endswith("?"))) == axes
        for name, axes in arrays.items()
    )


def _dft(own: Arrays, n_labels: int | None) -> tuple[Head, Arrays]:
    kernel, bias, slack = own["proj.weight"].T, own["proj.bias"], own.get("Ws.weight")
    columns = 0 if slack is None else slack.shape[1]
    if slack is None and n_labels is None:
        raise ValueError("the weights of a DFT layer without slack do not tell how many labels it has; give n_labels=")
    labels = _agreed(n_labels, n_labels if slack is None else len(slack))
    pairs, odd = divmod(len(bias) - columns - 1, 2)
    if odd or pairs < 1 or kernel.shape[1] != len(bias):
        raise ValueError(
            f"proj.weight {kernel.T.shape} and proj.bias {bias.shape} must have 2k + 1 + slack rows, slack {columns}"
        )
    head = DFTHead(labels, pairs, feature_dim=len(kernel), slack=columns, n_fft=labels)
    gain = math.sqrt(labels)
    params = {"projection_kernel": kernel / gain, "projection_bias": bias / gain}
    return head, params if slack is None else params | {"slack": slack * gain}


def _bottleneck(own: Arrays, n_labels: int | None) -> tuple[Head, Arrays]:
    kernel, bias, weight = own["mlp.0.weight"].T, own["mlp.0.bias"], own["mlp.1.weight"]
    if not kernel.shape[1] == len(bias) == weight.shape[1]:
        raise ValueError(
            f"mlp.0.weight {kernel.T.shape}, mlp.0.bias {bias.shape} and mlp.1.weight {weight.shape} must share their "
            "dim: (dim, feature_dim), (dim,) and (n_labels, dim)"
        )
    head = BottleneckHead(_agreed(n_labels, len(weight)), len(bias), feature_dim=len(kernel))
    return head, {"projection_kernel": kernel, "projection_bias": bias, "weight": weight}


def _sigmoid(own: Arrays, n_labels: int | None) -> tuple[Head, Arrays]:
    weight, bias = own["weight"], own.get("bias", np.zeros(len(own["weight"])))
    if len(bias) != len(weight):
        raise ValueError(f"weight {weight.shape} and bias {bias.shape} must have one row for each label")
    head = SigmoidHead(_agreed(n_labels, len(weight)), feature_dim=weight.shape[1])
    return head, {"weight": weight, "bias": bias}


_MADE = {"dft": _dft, "bottleneck": _bottleneck, "sigmoid": _sigmoid}


def _agreed(given: int | None, held: int | None) -> int:
    if given is not None and given != held:
        raise ValueError(f"the layer has {held} labels; n_labels={given} was given")
    assert held is not None
    return held


def _reordered(head: Head, params: Arrays, order: np.ndarray) -> tuple[Head, Arrays]:
    """The head whose logit of the label order[i] is the layer's i-th output."""
    if order.shape != (head.n_labels,) or not np.array_equal(np.sort(order), np.arange(head.n_labels)):
        raise ValueError(
            f"order must hold each label 0..{head.n_labels - 1} once, that of each output; given {len(order)} values"
        )
    outputs = np.argsort(order)
    own = {name: value[outputs] if name in head.per_label else value for name, value in params.items()}
    if isinstance(head, DFTHead):
        head = DFTHead(**head.arguments | {"order": outputs.tolist()})
    return head, own
