"""What commands read: layers, projections and label sets that fit each other. Imports come with a call."""

import argparse
import json
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

    return load_weights(args.weights, args.tensor, args.bias, args.transposed, **known)


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
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        try:
            n_labels = json.loads(next((line for line in lines if not line.isspace()), "")).get("n_labels")
        except (ValueError, AttributeError):
            return None
    return n_labels if isinstance(n_labels, int) else None


def domain_in(text: str) -> Any:
    """A domain as `sigfft.plan` takes it, which says what is wrong with it."""
    bounds = text.split(",")
    try:
        return tuple(map(float, bounds)) if len(bounds) > 1 else text
    except ValueError:
        return text


def in_flags(message: str) -> str:
    """A library's message, with the arguments that it names as the flags that set them."""
    flag = re.compile(r"(?<=\s)(tensor|bias|transposed)=(?:True)?(?=(['\"])?)")
    return flag.sub(lambda found: f"--{found[1]}{' ' if found[2] else ''}", message)
