"""A tiny training run that is killed, stopped, starved of disk and damaged, and must always end as if it had not been.

    python benchmarks/soak.py --jobs 2           # about 15 minutes on 2 cores
    python benchmarks/soak.py --kills 30 --terms 10 --full 10 --damaged 1000 --seed 0 --jobs 1

`sigfft train` of two heads of 60 labels, 30 steps each. Every disturbed run is started again by the same command and
compared with one that nothing disturbed: report.json, metrics.jsonl and verdicts but for times, parameters of the best
checkpoints, figures, steps of the events, and names of all files. *equal* counts those that are the same to the bit.

SIGKILL: at a drawn moment of each phase, a third of them around the writing of a checkpoint; *half written*: how many
left one. SIGTERM: after a drawn step; *lost*: steps that were logged and not saved, at most. *code*: of the exit. Full
disk: the file system that holds run and records is filled at a drawn moment of each phase; *hung*: still there after
120 s; *one line*: of those that failed, how many said in one line which file. Then the space is freed. It takes root,
for a small tmpfs.

Damages: one file of a finished run's checkpoints has a bit flipped, or a range of zeros, or is cut, longer or missing.
Then the model is loaded, and the run gone on with: *right*: it is what was saved last, *older taken*: it is what was
saved before that.
"""

import argparse
import collections
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from results import explained, table, write_section
from soak_damages import OUTCOMES, damaged
from soak_runs import Place, differing, ended, marks, wait_for

PHASES = ["checkpoint", "preparation", "steps", "checkpoint", "evaluation", "check", "checkpoint", "report", "steps"]
HANG = 120.0  # seconds after which a run on a full disk counts as hung


def disturbed_by(how: int, i: int, phase: str, root: Path, expected: dict, seed: int) -> dict[str, Any]:
    """A run that gets a signal in a phase and is then finished: what became of it."""
    place, random = Place(root / f"disturbed-{how}-{i}", root / "compiled"), np.random.default_rng([seed, how, i])

    def disturb(process: subprocess.Popen[str]) -> dict[str, Any]:
        process.send_signal(how)
        code, line = ended(process, HANG)
        head, step = place.last_logged() if place.lines() else ("", 0)
        lost = max(0, step - place.last_saved(head)) if head else 0
        return {"code": code, "line": line, "lost": lost, "half written": place.is_writing()}

    outcome = _disturbed(place, phase, random, disturb, expected)
    shutil.rmtree(place.folder)
    return {"how": signal.Signals(how).name, "phase": phase, "number": i} | outcome


def filled(i: int, phase: str, root: Path, expected: dict, seed: int) -> dict[str, Any]:
    """A run whose disk is full from a moment of a phase on, and then free again to finish it: what became of it."""
    with small_disk(root / f"small-{i}") as disk:

        def disturb(process: subprocess.Popen[str]) -> dict[str, Any]:
            ballast = fill(disk)
            code, line = ended(process, HANG)
            ballast.unlink()
            said = line.startswith("sigfft train: ") and str(disk) in line
            return {"code": code, "line": line, "one line": said}

        place, random = Place(disk / "soak", root / "compiled"), np.random.default_rng([seed, 0, i])
        outcome = _disturbed(place, phase, random, disturb, expected)
    return {"how": "full disk", "phase": phase, "number": i} | outcome


def _disturbed(
    place: Place,
    phase: str,
    random: np.random.Generator,
    disturb: Callable[[subprocess.Popen[str]], dict[str, Any]],
    expected: dict,
) -> dict[str, Any]:
    """Starts runs until one comes to be disturbed in the phase, and finishes that one."""
    outcome = None
    while outcome is None:  # drawn again where the run was faster
        shutil.rmtree(place.folder, ignore_errors=True)
        mark, delay = marks(place, random)[phase]
        with place.started() as process:
            if wait_for(process, mark, delay):
                outcome = disturb(process)
    code, line = place.finish()
    outcome["differs"] = [f"exit {code}: {line}"] if code else differing(place.content(), expected)
    return outcome


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
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1):  # megabytes, and then what is left
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return path


def main() -> None:
    """Disturb the runs, print what became of each, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in {"kills": 30, "terms": 10, "full": 10, "damaged": 1000, "seed": 0, "jobs": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    if args.full and (os.name != "posix" or os.geteuid() != 0):
        print("soak: a full disk takes root, to mount a small tmpfs; give --full 0", file=sys.stderr)
        sys.exit(2)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        calm, again = (Place(root / name, root / "compiled") for name in ("calm", "again"))
        for place in (calm, again, again):  # the last one goes on with a finished run
            if (end := place.finish())[0] != 0:
                sys.exit(f"soak: the run that nothing disturbs fails: {end}")
        expected = calm.content()
        if found := differing(again.content(), expected):
            sys.exit(f"soak: two runs that nothing disturbs differ in {', '.join(found)}")
        kills, terms, fulls = map(range, (args.kills, args.terms, args.full))
        ends = [delayed(disturbed_by)(signal.SIGKILL, i, _phase(i), root, expected, args.seed) for i in kills]
        ends += [delayed(disturbed_by)(signal.SIGTERM, i, "steps", root, expected, args.seed) for i in terms]
        ends += [delayed(filled)(i, _phase(i), root, expected, args.seed) for i in fulls]
        results = []
        for result in Parallel(args.jobs, return_as="generator_unordered")(ends):
            results.append(result)
            print(result, flush=True)
        text = table(
            ["disturbed by", "phase", "runs", "equal", "codes", "half written", "lost", "hung", "one line"],
            [row for how in ("SIGKILL", "SIGTERM", "full disk") for row in _rows(how, results)],
        )
        if args.damaged:
            text += f"\n\n{_damages(args, calm, expected)}"
    write_section("Runs that are disturbed", explained(__doc__), text)
    print(text)


def _phase(i: int) -> str:
    return PHASES[i % len(PHASES)]


def _rows(how: str, results: list[dict[str, Any]]) -> list[list[Any]]:
    rows = []
    for phase in dict.fromkeys(PHASES):
        own = [result for result in results if (result["how"], result["phase"]) == (how, phase)]
        if not own:
            continue
        codes = ", ".join(sorted({str(result["code"]) for result in own}))
        half, lost, lines = "", "", ""
        if how == "full disk":
            failed = [result for result in own if result["code"]]
            lines = f"{sum(result['one line'] for result in failed)} of {len(failed)}"
        else:
            half = sum(result["half written"] for result in own)
            lost = max(result["lost"] for result in own) if how == "SIGTERM" else ""
        equal, hung = (sum(not result["differs"] for result in own), sum(result["code"] is None for result in own))
        rows.append([how, phase, len(own), equal, codes, half, lost, hung, lines])
    return rows


def _damages(args: argparse.Namespace, calm: Place, expected: dict) -> str:
    heads = [head["name"] for head in expected["report"]["heads"]]
    edges = np.linspace(0, args.damaged, args.jobs + 1).astype(int).tolist()
    parts = [delayed(damaged)(*edges[i : i + 2], calm.run, heads, args.seed) for i in range(args.jobs)]
    counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for part in Parallel(args.jobs)(parts):
        for reader, own in part.items():
            counts[reader].update(own)
    rows = [[reader, own.total(), *(own[outcome] for outcome in OUTCOMES)] for reader, own in counts.items()]
    return table(["read by", "damages", *OUTCOMES], rows)


if __name__ == "__main__":
    main()
