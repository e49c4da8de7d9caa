"""A tiny training run that is killed, stopped, starved of disk and damaged, and must always end as if it had not been.

    python benchmarks/soak.py                    # about 40 minutes on 2 cores
    python benchmarks/soak.py --kills 30 --terms 10 --full 10 --damaged 1000 --seed 0

`sigfft train` of two heads of 60 labels, 30 steps each. Every disturbed run is started again by the same command and
compared with one that nothing disturbed: report.json and metrics.jsonl but for times, verdicts, parameters of the best
checkpoints, steps of the events, and no file left behind. *equal* counts those that are the same to the bit.

SIGKILL: at a drawn moment of each phase, a third of them around the writing of a checkpoint. SIGTERM: after a drawn
step; *lost*: steps that were logged and not saved, at most; *code*: of the exit. Full disk: the file system that holds
run and records is filled at a drawn moment of each phase; *hung*: still there after 120 s; *one line*: of those that
failed, how many said in one line which file. Then the space is freed. It takes root, for a small tmpfs. Damaged: one
file of a finished run's checkpoints has a bit flipped, or a range of zeros, or is cut, longer or missing, and the model
is loaded; *refused*, *harmless*: the parameters are right, *silently wrong*: they are others.
"""

import argparse
import contextlib
import os
import random as python_random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from results import explained, table, write_section
from soak_runs import Place, differing, ended, marks, wait_for

PHASES = ["checkpoint", "preparation", "steps", "checkpoint", "evaluation", "check", "checkpoint", "report", "steps"]
HANG = 120.0  # seconds after which a run on a full disk counts as hung
DAMAGES = ("bit", "zeros", "cut", "longer", "missing")


def killed(place: Place, phase: str, random: np.random.Generator, how: int) -> tuple[int | None, str] | None:
    """Starts a run and sends a signal in a phase: exit code and last line; None: it ended before."""
    mark, delay = marks(place, random)[phase]
    with place.started() as process:
        if not wait_for(process, mark, delay):
            return None
        process.send_signal(how)
        return ended(process, HANG)


def went_on(place: Place, expected: dict) -> list[str]:
    """Goes on with a run, and says in what it differs from the expected."""
    code, line = place.finish()
    return [f"exit {code}: {line}"] if code else differing(place.content(), expected)


def disturb(n: int, how: int, phases: list[str], root: Path, expected: dict, seed: int) -> Iterator[dict]:
    """So many runs, each disturbed once by a signal and then finished, with what became of each."""
    for i in range(n):
        phase, random = phases[i % len(phases)], np.random.default_rng([seed, how, i])
        place, outcome = Place(root / "disturbed", root / "compiled"), None
        while outcome is None:  # drawn again where the run was faster
            shutil.rmtree(place.folder, ignore_errors=True)
            outcome = killed(place, phase, random, how)
        head, step = place.last_logged() if place.lines() else ("", 0)
        lost = max(0, step - place.last_saved(head)) if head else 0
        result = {"phase": phase, "code": outcome[0], "lost": lost, "differs": went_on(place, expected)}
        print(signal.Signals(how).name, i, result, flush=True)
        yield result


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 64 MB."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all the room."""
    path = folder / "ballast"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 20, 1):  # megabytes, and then what is left
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return path


def fill_disks(n: int, root: Path, expected: dict, seed: int) -> Iterator[dict]:
    """So many runs whose disk is full at some moment, and free again when they are started again."""
    for i in range(n):
        phase, random = PHASES[i % len(PHASES)], np.random.default_rng([seed, 0, i])
        with small_disk(root / "small") as disk:
            place, ready = Place(disk / "soak", root / "compiled"), False
            while not ready:
                shutil.rmtree(place.folder, ignore_errors=True)
                mark, delay = marks(place, random)[phase]
                with place.started() as process:
                    ready = wait_for(process, mark, delay)
                    if ready:
                        ballast = fill(disk)
                        code, line = ended(process, HANG)
            ballast.unlink()
            one_line = line.startswith("sigfft train: ") and str(disk) in line
            result = {"phase": phase, "code": code, "one line": one_line, "line": line}
            result["differs"] = went_on(place, expected)
        print("full", i, result, flush=True)
        yield result


def damage(path: Path, kind: str, random: python_random.Random) -> None:
    """One damage of a file; a file without content can only be longer or missing."""
    content = bytearray(path.read_bytes())
    if kind == "missing":
        path.unlink()
        return
    start = random.randrange(len(content)) if content else 0
    if kind == "longer" or not content:
        content += random.randbytes(1 + random.randrange(20))
    elif kind == "bit":
        content[start] ^= 1 << random.randrange(8)
    elif kind == "zeros":
        content[start : start + 16] = bytes(len(content[start : start + 16]))
    else:
        del content[start:]
    path.write_bytes(content)


def damaged(n: int, place: Place, expected: dict, seed: int) -> dict[str, int]:
    """How loading a model goes with so many damages, one at a time."""
    from soak_runs import _leaves

    from sigfft.training import load_model

    names = [head["name"] for head in expected["report"]["heads"]]
    files = [path for path in sorted((place.run / "checkpoints").rglob("*")) if path.is_file()]
    counts, random = dict.fromkeys(("refused", "harmless", "silently wrong"), 0), python_random.Random(seed)
    for i in range(n):
        path, kind = random.choice(files), DAMAGES[i % len(DAMAGES)]
        before = path.read_bytes()
        damage(path, kind, random)
        outcome = "harmless"
        for name, right in zip(names, expected["parameters"], strict=True):
            try:
                if _leaves(load_model(place.run, name)[1]) != right:
                    outcome = "silently wrong"
                    print("silently wrong:", kind, path.relative_to(place.run), flush=True)
            except ValueError:
                outcome = "refused" if outcome == "harmless" else outcome
        counts[outcome] += 1
        path.write_bytes(before)
    return counts


def main() -> None:
    """Disturb the runs, print what became of each, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in {"kills": 30, "terms": 10, "full": 10, "damaged": 1000, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    if args.full and (os.name != "posix" or os.geteuid() != 0):
        print("soak: a full disk takes root, to mount a small tmpfs; give --full 0", file=sys.stderr)
        sys.exit(2)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        calm = Place(root / "calm", root / "compiled")
        if calm.finish()[0] != 0 or Place(root / "again", root / "compiled").finish()[0] != 0:
            sys.exit("soak: the run that nothing disturbs fails")
        expected = calm.content()
        if found := differing(Place(root / "again", root / "compiled").content(), expected):
            sys.exit(f"soak: two runs that nothing disturbs differ in {', '.join(found)}")
        rows = [
            *_rows("SIGKILL", list(disturb(args.kills, signal.SIGKILL, PHASES, root, expected, args.seed))),
            *_rows("SIGTERM", list(disturb(args.terms, signal.SIGTERM, ["steps"], root, expected, args.seed))),
            *_rows("full disk", list(fill_disks(args.full, root, expected, args.seed))),
        ]
        text = table(["disturbed by", "phase", "runs", "equal", "codes", "lost", "hung", "one line"], rows)
        if args.damaged:
            counts = damaged(args.damaged, calm, expected, args.seed)
            print(counts, flush=True)
            text += "\n\n" + table(["damages", *counts], [[args.damaged, *counts.values()]])
    write_section("Runs that are disturbed", explained(__doc__), text)
    print(text)


def _rows(name: str, results: list[dict]) -> list[list]:
    rows = []
    for phase in dict.fromkeys(result["phase"] for result in results):
        own = [result for result in results if result["phase"] == phase]
        codes = ", ".join(sorted({str(result["code"]) for result in own}))
        failed = [result for result in own if result["code"] and "one line" in result]
        lines = f"{sum(result['one line'] for result in failed)} of {len(failed)}" if name == "full disk" else ""
        lost = max(result.get("lost", 0) for result in own) if name == "SIGTERM" else ""
        equal = sum(not result["differs"] for result in own)
        rows.append([name, phase, len(own), equal, codes, lost, sum(r["code"] is None for r in own), lines])
    return rows


if __name__ == "__main__":
    main()
