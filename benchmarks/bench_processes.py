"""Runs by several processes: that they equal one, what they do when one is killed, and how they go on.

    python benchmarks/bench_processes.py        # about 10 minutes on 2 quiet cores

A DFT head and an encoder on 64 labels, 200 steps of 48 examples, CPU devices, collectives by gloo. Placements are
processes × devices of each; with label shards, each process splits its labels over so many of its devices.

Equal: the largest relative difference of a line of metrics.jsonl (losses, gradient norms and scores) or of report.json
(test scores) from those of one process with as many devices; and whether the verdict file of the checked test label
sets agrees in all but times. Killed: seconds from SIGKILL until the last of the others has ended, their exit statuses
and what the slowest said; then the same command again with --resume, against the undisturbed run.
"""

import argparse
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from results import explained, table, write_section

ROOT = Path(__file__).resolve().parents[1]
CONFIG = [
    *("--config.name=processes", "--config.baseline.kind=none", "--config.encoder.dim=32"),
    *("--config.encoder.dropout=0.0", "--config.head.spread=5", "--config.head.max_cardinality=5"),
    *("--config.data.synthetic.n_labels=64", "--config.data.synthetic.n_train=960", "--config.optim.batch_size=48"),
    *("--config.data.synthetic.n_dev=96", "--config.data.synthetic.n_test=192", "--config.optim.warmup_steps=20"),
    *("--config.data.synthetic.max_cardinality=5", "--config.data.synthetic.mean_cardinality=2"),
    *("--config.eval.every=50", "--config.eval.log_every=10"),
]
PLACEMENTS = [(2, 1, 1), (4, 1, 1), (2, 2, 2), (4, 2, 2)]  # processes, devices of each, label shards
KILLED = [(2, 0), (2, 1), (4, 0), (4, 2)]  # processes, which one


class Run:
    """The processes of one run, started together; their output is in files beside the run's folder."""

    def __init__(self, folder: Path, processes: int, devices: int, *further: str, cache: Path, flags: list[str]):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        environment = os.environ | {
            "JAX_PLATFORMS": "cpu",
            "MPLBACKEND": "agg",
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0",
        }
        command = [sys.executable, "train.py", *CONFIG, f"--workdir={folder}", f"--config.data.cache_dir={cache}"]
        command += [*flags, *further]
        self.folder, self.outputs, self.processes = folder, [], []
        for i in range(processes):
            place = [f"--coordinator=localhost:{port}", f"--num_processes={processes}", f"--process_id={i}"]
            self.outputs.append(folder.with_name(f"{folder.name}.{i}.txt"))
            with self.outputs[-1].open("w") as output:
                own = subprocess.Popen(
                    command + (place if processes > 1 else []),
                    cwd=ROOT,
                    env=environment,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            self.processes.append(own)

    def finish(self) -> "Run":
        """Waits for all, which must end well."""
        for process, output in zip(self.processes, self.outputs, strict=True):
            if process.wait(1200):
                raise RuntimeError(f"{self.folder.name} ended with {process.returncode}: {output.read_text()[-2000:]}")
        return self

    def kill_at(self, step: int, which: int) -> tuple[float, list[int], str]:
        """SIGKILL of one process after a step; seconds until the others ended, their statuses and the last's words."""
        while not any(line["step"] >= step for line in lines(self.folder)):
            time.sleep(0.05)
            if any(process.poll() is not None for process in self.processes):
                raise RuntimeError(f"{self.folder.name} ended before step {step}")
        self.processes[which].send_signal(signal.SIGKILL)
        begun = time.monotonic()
        others = [i for i in range(len(self.processes)) if i != which]
        statuses = [self.processes[i].wait(600) for i in others]
        seconds = time.monotonic() - begun
        words = [self.outputs[i].read_text().splitlines() for i in others]
        said = [[line for line in lines if line.startswith("sigfft train")] for lines in words]
        stack = any("Check failure stack trace" in line for lines in words for line in lines)
        if stack or any(len(lines) != 1 for lines in said):
            raise RuntimeError(f"{self.folder.name}: not one line each: {said}, stack of C++: {stack}")
        return seconds, statuses, said[-1][0]


def lines(folder: Path) -> list[dict]:
    """Of metrics.jsonl, but for times; those that are whole."""
    path = folder / "metrics.jsonl"
    whole = path.read_text().split("\n")[:-1] if path.exists() else []
    times = ("examples_per_second", "seconds")
    return [{name: v for name, v in json.loads(line).items() if name not in times} for line in whole]


def numbers(folder: Path) -> list[float]:
    """All that a run measured."""
    report = json.loads((folder / "report.json").read_text())
    values = [value for line in lines(folder) for value in line.values() if not isinstance(value, str)]
    return values + [value for head in report["heads"] for value in head["test"].values()]


def verdicts(folder: Path) -> list[list]:
    """The label sets that were checked, in order, with their statuses."""
    from sigfft.argmaxability.proofs.verdicts import read_lines

    files = sorted((folder / "verdicts").iterdir())
    return [[line.labels, line.verdict.status] for path in files for _, line in read_lines(path)]


def difference(one: Path, other: Path) -> float:
    """The largest relative difference of what two runs measured."""
    pairs = zip(numbers(one), numbers(other), strict=True)
    return max(abs(a - b) / max(abs(a), abs(b), 1e-300) for a, b in pairs)


def main() -> None:
    """Runs all, prints the tables and writes them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    steps = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        whole = functools.partial(Run, cache=folder / "cache", flags=[f"--config.optim.steps={steps}"])
        equality = table(
            ["processes × devices", "label shards", "largest difference", "verdicts"],
            [compared(folder, whole, *placement) for placement in PLACEMENTS],
        )
        survival = table(
            ["killed", "seconds", "statuses", "last words", "resumed: largest difference", "verdicts"],
            [survived(folder, whole, steps // 2, *place) for place in KILLED],
        )
    text = f"{equality}\n\n{survival}"
    print(text)
    write_section("Several processes", explained(__doc__), text)


def compared(folder: Path, whole: Callable[..., Run], processes: int, devices: int, shards: int) -> list[str]:
    """A row: several processes against one with as many devices."""
    one, many = folder / f"1-{processes * devices}-{shards}", folder / f"{processes}-{devices}-{shards}"
    for path, sizes in ((one, (1, processes * devices)), (many, (processes, devices))):
        if not path.exists():
            whole(path, *sizes, f"--config.optim.label_shards={shards}").finish()
    row = [f"{processes} × {devices}", str(shards), f"{difference(one, many):.1e}", told(one, many)]
    print(row, flush=True)
    return row


def survived(folder: Path, whole: Callable[..., Run], step: int, processes: int, which: int) -> list[str]:
    """A row: one process killed after a step, the others' ends, and the run that goes on."""
    path = folder / f"killed-{processes}-{which}"
    seconds, statuses, said = whole(path, processes, 1).kill_at(step, which)
    whole(path, processes, 1, "--resume").finish()
    undisturbed = folder / f"{processes}-1-1"
    row = [f"{which} of {processes}", f"{seconds:.1f}", ", ".join(map(str, statuses)), f"`{said}`"]
    row += [f"{difference(undisturbed, path):.1e}", told(undisturbed, path)]
    print(row, flush=True)
    return row


def told(one: Path, other: Path) -> str:
    """Whether two runs have the same verdicts, and how many."""
    return f"{len(verdicts(one))} {'equal' if verdicts(one) == verdicts(other) else 'DIFFER'}"


if __name__ == "__main__":
    main()
