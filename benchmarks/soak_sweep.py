"""A tiny sweep that is killed at drawn moments, and must end with the tables of one that nothing disturbed.

    python benchmarks/soak_sweep.py --kills 10            # about 2 minutes on 2 cores

`sigfft sweep` of three heads of 60 labels, 20 steps each: two rates and six seeds, one rate so large that its runs
fail; in two processes. All of them are ended by SIGKILL together, at a drawn moment after a drawn number of further
lines of the logs, or the one that started them alone, whose workers must then end by themselves; then the same command
goes on. *differ*: cells of the two tables, columns of seconds left out, that are not those of the calm sweep, character
by character. *left*: files below the sweep's folder, names of checkpoints and events apart, that the calm one has not.
"""

import argparse
import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from results import explained, table, write_section
from soak_runs import FLAGS

LISTS = ["--families=bottleneck,bottleneck_random,dft_spread", "--dims=4", "--seeds=0,1,2,3,4,5", "--rates=1,1e30"]
OWN = ["--config.encoder.dim=64", "--config.optim.steps=20", "--config.eval.every=5", "--config.eval.patience=3"]
HANG = 300.0  # seconds


def command(folder: Path) -> list[str]:
    where = [f"--workdir={folder / 'sweep'}", f"--config.data.cache_dir={folder / 'cache'}", "--processes=2"]
    return [sys.executable, "-m", "sigfft", "sweep", "--config=demo", *FLAGS, *OWN, *LISTS, *where]


def started(folder: Path, compiled: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(compiled),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "MPLBACKEND": "agg",
    }
    folder.mkdir(exist_ok=True)
    with (folder / "said").open("ab") as said:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": said}
        return subprocess.Popen(command(folder), env=environment, start_new_session=True, **quiet)


def lines(folder: Path) -> int:
    """Lines of all logs so far."""
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("sweep/*/metrics.jsonl"))


def members(group: int) -> list[int]:
    """The processes of a group that are alive."""
    found = subprocess.run(["ps", "-o", "pid=,stat=", "-g", str(group)], capture_output=True, text=True, check=False)
    rows = [line.split() for line in found.stdout.splitlines()]
    return [int(pid) for pid, state in rows if not state.startswith("Z")]


def killed(
    folder: Path, compiled: Path, number: int, random: np.random.Generator, longest: float
) -> list[object] | None:
    """What one kill came to; None where the sweep ended before it."""
    before, further, delay = lines(folder), int(random.integers(0, 12)), float(random.uniform(0, longest))
    alone = number % 3 == 2
    with started(folder, compiled) as process:
        while lines(folder) < before + further:
            if process.poll() is not None:
                return None
            time.sleep(0.01)
        time.sleep(delay if further else 10 * delay)  # without a line to wait for: while it starts
        if process.poll() is not None:
            return None
        seen = lines(folder)
        if alone:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        begun = time.monotonic()
        while members(process.pid):
            if time.monotonic() - begun > HANG:
                sys.exit(f"soak_sweep: workers outlive their parent by {HANG:g} s")
            time.sleep(0.1)
    return [number + 1, "the first process" if alone else "all processes", seen - before, time.monotonic() - begun]


def cells(folder: Path) -> dict[tuple[str, int, str], str]:
    """The cells of both tables by file, row and column, without times."""
    found = {}
    for path in sorted(folder.glob("sweep/*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for i, row in enumerate(csv.DictReader(file)):
                found |= {(path.name, i, name): cell for name, cell in row.items() if "seconds" not in name}
    return found


def files(folder: Path) -> set[str]:
    names = (path.relative_to(folder) for path in folder.glob("sweep/**/*"))
    return {str(name) for name in names if not {"checkpoints", "events"} & set(name.parts)}


def main() -> None:
    """Kill, go on, compare, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    random = np.random.default_rng(args.seed)
    with tempfile.TemporaryDirectory() as root:
        calm, disturbed, compiled = (Path(root) / name for name in ("calm", "disturbed", "compiled"))
        begun = time.monotonic()
        with started(calm, compiled) as process:
            if process.wait():
                sys.exit(f"soak_sweep: the sweep that nothing disturbs ends with {process.returncode}")
        # Far from all of the calm sweep's time: that has compilation in it, which is not done again.
        longest = (time.monotonic() - begun) / (10 * args.kills)
        rows = []
        for number in range(args.kills):
            row = killed(disturbed, compiled, number, random, longest)
            if row is None:
                sys.exit(f"soak_sweep: the sweep ended after {number} of {args.kills} kills; ask for fewer")
            rows.append([*row[:3], f"{row[3]:.1f} s"])
            print(*rows[-1], sep=", ", flush=True)
        with started(disturbed, compiled) as process:
            if code := process.wait():
                print((disturbed / "said").read_text(encoding="utf-8")[-3000:])
        expected, found = cells(calm), cells(disturbed)
        differ = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
        left = sorted(files(disturbed) - files(calm))
    print(*differ[:20], *left, sep="\n")
    text = table(["kill", "of", "further lines of logs", "until all had ended"], rows)
    text += (
        f"\n\n{len(rows)} kills, then the sweep ended with status {code}; "
        f"of {len(expected):,} cells {len(differ)} differ; files left: {len(left)}."
    )
    write_section("A sweep that is killed", explained(__doc__), text)
    print(text)


if __name__ == "__main__":
    main()
