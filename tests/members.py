"""Processes that run `sigfft train`, forked from one that has imported it: an import takes longer than what they do."""

import multiprocessing
import os
import socket
import sys
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["sigfft.cli", "sigfft.training"])


def start(output: Path, devices: int, *arguments: str) -> multiprocessing.Process:
    """One process; what it says goes to a file."""
    process = _CONTEXT.Process(target=_train, args=(str(output), devices, arguments), daemon=True)
    process.start()
    return process


def start_all(folder: Path, count: int, devices: int, *arguments: str, last: tuple[str, ...] = ()):
    """The processes of one run, the last with further arguments; they speak to 0.txt, 1.txt, ... of the folder."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        place = [f"--coordinator=localhost:{free.getsockname()[1]}", f"--num_processes={count}"]
    folder.mkdir(exist_ok=True)
    further = [()] * (count - 1) + [last]
    return [
        start(folder / f"{i}.txt", devices, *arguments, *place, f"--process_id={i}", *own)
        for i, own in enumerate(further)
    ]


def statuses(processes, timeout: float = 60) -> list[int]:
    """Exit statuses of all; a process that does not end is killed."""
    for process in processes:
        process.join(timeout)
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


def _train(output: str, devices: int, arguments: tuple[str, ...]) -> None:
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    target = os.open(output, os.O_WRONLY | os.O_CREAT)
    os.dup2(target, 1)
    os.dup2(target, 2)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
    from sigfft.cli import main

    sys.exit(main(["train", *arguments]))
