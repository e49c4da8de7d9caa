"""What commands read: layers, projections and label sets that fit each other. Imports come with a call."""

import argparse
import re
from pathlib import Path
from typing import Any


def read_layer_and_sets(args: argparse.Namespace, path: Path | None) -> tuple[Any, Any, Any]:
    """The weight and bias that --weights names, and the padded label sets of a file; none without a file."""
    from sigfft import labels
    from sigfft.files.label_sets import load_label_sets

    sets, n_labels = ([], None) if path is None else load_label_sets(path)
    largest = max((max(ids) for ids in sets if ids), default=-1)
    weight, bias = read_layer(args, n_labels=n_labels, largest_label=largest)
    same_labels(path, n_labels, args.weights, len(weight))
    return weight, bias, labels.pad(sets, len(weight))


def read_layer(args: argparse.Namespace, **known: Any) -> tuple[Any, Any]:
    from sigfft.trained import load_weights

    weight, bias = load_weights(args.weights, args.tensor, args.bias, args.transposed, **known)
    if getattr(args, "threshold", None) is None:
        return weight, bias
    return weight, _bias_at(args, len(weight), bias)


def _bias_at(args: argparse.Namespace, n_labels: int, bias: Any) -> Any:
    """The bias of the layer whose rule logits > 0 is the rule logits > thresholds of this one."""
    import numpy as np

    from sigfft.metrics import logit_of, rule_bias

    if isinstance(args.threshold, float):
        levels = np.asarray(logit_of(args.threshold))
    elif args.weights.is_dir():
        from sigfft.training.thresholds import asked_threshold

        levels = asked_threshold(args.weights, args.tensor, args.threshold)
    else:
        raise ValueError(f"threshold=dev is what a run chose, and {args.weights} is a file: give a probability")
    return rule_bias(np.broadcast_to(levels, (n_labels,)), bias).values


def read_projection(args: argparse.Namespace) -> Any:
    """The projection from features, where --features asks for them."""
    if not args.features:
        return None
    from sigfft.trained import load_trained_head

    head, params = load_trained_head(args.weights, args.tensor)
    return head.projection(params)


def same_labels(sets: Any, stated: int | None, other: Any, n_labels: int) -> None:
    if stated not in (None, n_labels):
        raise ValueError(f"{sets} is for {stated} labels, but {other} has {n_labels}")


def summary(weight: Any, bias: Any) -> str:
    n_labels, dim = weight.shape
    return f"{n_labels} labels, {dim} dimensions, {weight.dtype}, {'no bias' if bias is None else 'with a bias'}"


def read_names(args: argparse.Namespace, n_labels: int) -> Any:
    """The names of labels that --names or a run's folder has, or None."""
    from sigfft.argmaxability.display import checked_names
    from sigfft.trained import load_label_names

    source = args.names or (args.weights if args.weights.is_dir() else None)
    names = None if source is None else load_label_names(source)
    return None if names is None else checked_names(names, n_labels)


def stated_labels(path: Path) -> int | None:
    """The number of labels in the first verdict; None where it cannot be read, which `verify` reports better."""
    from sigfft.files.documents import parsed
    from sigfft.files.lines import BROKEN_GZIP, opened

    with opened(path, zipped=path.suffix == ".gz") as lines:
        try:
            first = next((line for line in lines if not line.isspace()), b"")
            n_labels = parsed(first.decode("utf-8-sig")).get("n_labels")
        except (ValueError, AttributeError, *BROKEN_GZIP):
            return None
    return n_labels if isinstance(n_labels, int) else None


def domain_in(text: str) -> Any:
    """A domain as `sigfft.plan` takes it, which says what is wrong with it."""
    bounds = text.split(",")
    try:
        return tuple(map(float, bounds)) if len(bounds) > 1 else text
    except ValueError:
        return text


def threshold_in(text: str) -> Any:
    """A probability, or "dev": what a run chose on its dev split."""
    try:
        return text if text == "dev" else float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no probability, such as 0.5, and not dev") from error


def layer_options(add: Any) -> None:
    """The flags that name a trained layer."""
    add("--weights", required=True, type=Path, help=".npy, .npz, .safetensors or a run's folder")
    add("--tensor", help="name of the weight in the file, or of the head in the run")
    add("--bias", help="name of the bias in the file; for .npy, the path of another; '': no bias")
    add("--transposed", action="store_true", help="the weight is stored (dim, n_labels)")


def domain_option(add: Any) -> None:
    add(
        "--domain",
        type=domain_in,
        default="any",
        help="of each input: any, nonnegative or LOW,HIGH (default: any)",
    )


def threshold_option(add: Any) -> None:
    """The flag that names the rule of a layer: what is checked then has the bias that the threshold amounts to."""
    add("--threshold", type=threshold_in, help="of the labels' probabilities, or dev, as the run chose (default: 0.5)")


def in_flags(message: str) -> str:
    """A library's message, with the arguments that it names as the flags that set them."""
    flag = re.compile(r"(?<=\s)(tensor|bias|transposed|threshold)=(?:True)?(?=(['\"])?)")
    return flag.sub(lambda found: f"--{found[1]}{' ' if found[2] else ''}", message)
