"""The command `sigfft train`: one run of a config, by this process or by several. Imports come with a call."""

import argparse
import sys
from typing import Any

from sigfft import answers

_OF_PROCESSES = (
    *("coordinator", "num_processes", "process_id"),
    *("local_device_ids", "heartbeat_timeout", "start_timeout"),
)


def options(add: Any) -> None:
    """The flags of the command; all others are values of the config."""
    add(
        "--config",
        default="",
        help="auto, demo, npy, xmc, bioasq, mimic3, openimages or a .py file; --config.KEY=VALUE sets a value in it",
    )
    add("--workdir", help="folder of the run (default: a new one below runs/)")
    add("--tune", type=int, metavar="N", help="try N choices of rates, dropout and steps on the dev split before")
    add(
        "--resume",
        nargs="?",
        const="always",
        default="auto",
        help="of a run in --workdir: auto, never or always (default: %(default)s)",
    )
    add(
        "--distributed", action="store_true", help="one process of several, found by SLURM, Open MPI, Kubernetes or TPU"
    )
    add("--coordinator", metavar="HOST:PORT", help="one process of several: a free port on the host of process 0")
    add("--num_processes", type=int, metavar="N", help="how many there are")
    add("--process_id", type=int, metavar="I", help="which one this is, from 0")
    add(
        "--local_device_ids",
        type=_ids,
        metavar="I,J",
        help="the devices of this host that are its own (default: found)",
    )
    add("--heartbeat_timeout", type=float, metavar="S", help="seconds until a machine counts as down (default: 20)")
    add("--start_timeout", type=float, metavar="S", help="seconds in which all must have come (default: 300)")


def run(args: argparse.Namespace) -> int:
    """Runs, and says where; of several processes the first one speaks."""
    from sigfft.training import CONTENTS, Cluster, is_first_process, launch
    from sigfft.training.preemption import Preempted, command_to_go_on

    given = {name: getattr(args, name) for name in _OF_PROCESSES if getattr(args, name) is not None}
    if given and not args.distributed and args.coordinator is None:
        raise ValueError(f"--{next(iter(given))} is for several processes; give --coordinator or --distributed too")
    distributed = Cluster(**given) if given or args.distributed else False
    ways = {"resume": args.resume, "distributed": distributed, "show": not args.json}
    try:
        tune = [] if args.tune is None else [f"--config.tune.trials={args.tune}"]
        workdir, report = launch(args.config, [*args.overrides, *tune], args.workdir, **ways)
    except Preempted as ended:
        print(f"sigfft train: {ended}; go on with: {command_to_go_on(args.given, ended.workdir)}", file=sys.stderr)
        return ended.code
    if is_first_process():
        answers.say(args, f"\n{workdir}: {', '.join(CONTENTS)}", {"workdir": str(workdir), **report})
    return 0


def _ids(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))
