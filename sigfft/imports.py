"""The command `sigfft import`: a layer that the paper's PyTorch code trained, as a head's file."""

import argparse
from pathlib import Path
from typing import Any

from sigfft import answers


def options(add: Any) -> None:
    """The flags of the command."""
    add("--weights", required=True, type=Path, help=".safetensors of the layer, or of a model with one")
    add("--out", required=True, type=Path, help=".safetensors to write; sigfft.load_head reads it")
    add("--kind", help="dft, bottleneck or sigmoid (default: as the file says)")
    add("--prefix", help="what the layer's names begin with, such as output_layer (default: the only one)")
    add("--labels", type=int, help="number of labels, of a DFT layer without slack")
    add("--order", type=Path, help="the label of each output, an id a line (default: their order)")


def run(args: argparse.Namespace) -> int:
    """Writes the head, and says what it is."""
    from sigfft.files import check_writable
    from sigfft.heads import save_head
    from sigfft.heads.published import load_published

    if not args.out.parent.is_dir() or args.out.suffix != ".safetensors":
        raise ValueError(f"--out {args.out} must be a .safetensors file in a folder that exists")
    check_writable(args.out, args.weights, args.order)
    order = None if args.order is None else ids_in(args.order)
    chosen = {"prefix": args.prefix, "n_labels": args.labels, "order": order}
    head, params = load_published(args.weights, args.kind, **chosen)
    save_head(args.out, head, params)
    text = (
        f"{args.out}: {head.name}, {head.n_labels} labels, {head.feature_dim} features, {head.n_parameters():,} numbers"
    )
    answers.say(args, text, {"out": str(args.out), "kind": head.kind, "head": head.arguments})
    return 0


def ids_in(path: Path) -> list[int]:
    """The label ids of a file, one a line. Raises ValueError where something else is in it."""
    lines = path.read_text(encoding="utf-8").split()
    for number, line in enumerate(lines, 1):
        if not line.isdecimal():
            raise ValueError(f"{path} must hold a label id a line; given {line!r:.40} at {number}")
    return [int(line) for line in lines]
