"""The command `sigfft export`: a run's model as a file that a server reloads. Imports come with a call."""

import argparse
from pathlib import Path
from typing import Any

from sigfft import answers, inputs


def options(add: Any) -> None:
    """The flags of the command."""
    add("--workdir", required=True, type=Path, help="folder of a finished run of train.py")
    add("--out", required=True, type=Path, help="file to write, for sigfft.serving.load")
    add("--head", help="name of the head in the run's table (default: the last)")
    add("--names", type=Path, help="the labels' names, one a line")
    add("--top", type=int, default=10, help="labels of an example at most (default: %(default)s)")
    add(
        "--threshold",
        type=inputs.threshold_in,
        help="predict labels of a larger probability, or dev (default: what the run chose on dev, or else 0.5)",
    )
    add("--max-features", type=int, help="of a sparse example at most (default: as in training)")
    add("--platforms", nargs="+", help="of cpu, cuda, rocm, tpu (default: the one in use)")


def run(args: argparse.Namespace) -> int:
    """Exports, and says how large the file is."""
    from sigfft.files.names import read_names
    from sigfft.metrics import logit_of
    from sigfft.training import export_run

    threshold = args.threshold
    if isinstance(threshold, float):
        threshold = float(logit_of(threshold))
    names = None if args.names is None else read_names(args.names)
    wanted = {"top": args.top, "threshold": threshold, "names": names}
    wanted |= {"head": args.head, "max_features": args.max_features, "platforms": args.platforms}
    export_run(args.workdir, args.out, **wanted)
    size = args.out.stat().st_size
    answers.say(args, f"{args.out}: {size / 1e6:.1f} MB", {"out": str(args.out), "bytes": size})
    return 0
