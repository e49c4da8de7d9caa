"""The command `sigfft sweep`: heads at several sizes, learning rates and seeds. Imports come with a call."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sigfft import answers


def options(add: Any) -> None:
    """The flags of the command; all others are values of the config."""
    add("--config", default="", help="as of train; --config.KEY=VALUE sets a value in it")
    add("--workdir", type=Path, default=Path("runs/sweep"), help="folder of the sweep (default: %(default)s)")
    add(
        "--families",
        default="sigmoid,bottleneck,bottleneck_random,dft_slack,dft_spread,dft_spread_slack",
        help="of heads; also bottleneck_priors and dft_spread_priors, and, for features that are vectors, "
        "dft_embedding, dft_embedding_priors, dft_embedding_slack, dft_slack_embedding (default: %(default)s)",
    )
    add("--dims", default="", metavar="D,D", help="sizes of each family: of a bottleneck, or spread")
    add("--seeds", default="0,1,2", metavar="S,S", help="rates are tried with the first (default: %(default)s)")
    about = "factors on the rates that the config settles on for a head (default: %(default)s)"
    add("--rates", default="0.25,0.5,1,2,4", metavar="R,R", help=about)
    add("--processes", type=int, default=1, metavar="N", help="train so many runs side by side (default: 1)")
    add("--shard", default="0/1", metavar="I/N", help="train heads I, I + N, ... alone (default: %(default)s)")
    about = "table of the runs, gone on with if it is there; NAME_curves.csv has evaluations (default: sweep.csv)"
    add("--csv", type=Path, help=about)
    add("--retry-failed", action="store_true", help="try runs again that failed")
    add("--tables-only", action="store_true", help="write the tables of what --workdir holds, and train nothing")


def run(args: argparse.Namespace) -> int:
    """Trains what is left, writes the tables, and says what they hold."""
    from absl import logging

    from sigfft.training.config_files import config_or_default
    from sigfft.training.preemption import Preempted
    from sigfft.training.sweep import Grid, run_sweep, tables_of

    logging.set_verbosity(logging.WARNING)  # Orbax tells of every file at INFO
    try:
        if args.tables_only:
            tables = tables_of(args.workdir, args.csv)
        else:
            numbers = [_listed(args, "dims", int), _listed(args, "seeds", int), _listed(args, "rates", float)]
            grid = Grid(_listed(args, "families", str), *numbers)
            ways = {"processes": args.processes, "shard": _shard(args.shard), "csv": args.csv}
            config = config_or_default(args.config, args.overrides)
            tables = run_sweep(config, args.workdir, grid, **ways, retry=args.retry_failed)
    except Preempted as ended:
        print(f"sigfft sweep: {ended}; the same command goes on", file=sys.stderr)
        return ended.code
    lines = [*tables.notes]
    if tables.open_heads:
        lines.append(f"still to be trained: {', '.join(tables.open_heads)}")
    lines.append(f"{tables.path}: {tables.finished} runs that finished, {tables.failed} that failed")
    lines.append(f"{tables.curves}: {tables.evaluations} evaluations")
    content = tables._asdict() | {"path": str(tables.path), "curves": str(tables.curves)}
    answers.say(args, "\n".join(lines), content)
    return 0


def _listed(args: argparse.Namespace, name: str, kind: Callable[[str], Any]) -> list[Any]:
    """The values of a flag that commas separate."""
    given = getattr(args, name)
    try:
        return [kind(part) for part in given.split(",") if given]
    except ValueError:
        told = {int: "whole numbers", float: "numbers"}[kind]  # type: ignore[index]
        raise ValueError(f"--{name}={given} must be {told}, separated by commas") from None


def _shard(text: str) -> tuple[int, int]:
    try:
        index, count = map(int, text.split("/"))
    except ValueError:
        raise ValueError(f"--shard={text} must be I/N, such as 0/2") from None
    return index, count
