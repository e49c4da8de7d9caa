"""Mutated inputs over all readers: none gives anything but the errors that are documented.

    python benchmarks/bench_fuzz.py --n 1000000 --seed 0

Each input is a small file of a reader after a few changes: bits and bytes flipped, cut, repeated or replaced by hostile
tokens; values of JSON replaced, removed or moved; archives packed again so that their checksums hold. Input i depends
on the seed and i alone: `--only i` reads that one again, and shows its traceback. read: what was read without an error.
refused: a ValueError or OSError, of which the command line prints one line of at most 300 characters. wrong: any other
exception, an answer that took more than 10 seconds, more than 4 GiB of new memory, or a false verdict that `verify`
let pass.
"""

import argparse
import collections
import concurrent.futures
import logging
import multiprocessing
import os
import random
import resource
import signal
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # each core has a process of its own

from fuzzed_readers import Reader, readers
from results import explained, table, write_section

from sigfft.answers import failure, one_line

BATCH = 500  # inputs that a process takes at a time
SECONDS, MEMORY = 10, 4 << 30
SHOWN = 20  # wrong inputs that are printed


class TooSlow(Exception):
    """An input took more than `SECONDS`."""


class Fuzzer:
    """The readers of one process, and the folder of their files."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")  # files of a disk would take most of the time
        self._folder = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        self.readers = readers(Path(self._folder.name))
        self.contents = {name: reader.path.read_bytes() for name, reader in self.readers.items()}
        self.names = list(self.readers)
        self.shares = [reader.share for reader in self.readers.values()]

    def input(self, seed: int, i: int) -> tuple[str, Reader, bytes]:
        """The reader of input i, and the content of its file."""
        generator = random.Random(f"{seed} {i}")
        name = generator.choices(self.names, self.shares)[0]
        return name, self.readers[name], self.readers[name].mutate(self.contents[name], generator)

    def outcome(self, seed: int, i: int, only: str | None = None, show: bool = False) -> tuple[str, str, str] | None:
        """The reader's name; "read", "refused" or "wrong"; and what was wrong. None: it is not of the reader `only`."""
        name, reader, content = self.input(seed, i)
        if only not in (None, name):
            return None
        reader.path.write_bytes(content)
        signal.alarm(SECONDS)
        try:
            reader.read()
        except (ValueError, OSError) as error:
            line = one_line(failure(error))
            good = 0 < len(line) <= 300 and "\n" not in line
            if show:
                print(name, content[:500], line, sep="\n")
            return name, "refused" if good else "wrong", line
        except BaseException as error:
            if show:
                print(name, content[:500], sep="\n")
                traceback.print_exc()
            return name, "wrong", f"{type(error).__name__}: {error}"[:200]
        finally:
            signal.alarm(0)
        return name, "read", ""


def _ring(*_: Any) -> None:
    raise TooSlow(f"more than {SECONDS} s")


_FUZZER: Fuzzer | None = None


def start() -> None:
    """Makes the readers of this process, and limits its memory."""
    global _FUZZER
    logging.disable()  # what readers warn of on their way is no outcome
    warnings.simplefilter("ignore")
    _FUZZER = Fuzzer()
    signal.signal(signal.SIGALRM, _ring)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY, resource.RLIM_INFINITY))


def batch(seed: int, only: str | None, first: int, last: int) -> tuple[collections.Counter[tuple[str, str]], list[str]]:
    """Counts of (reader, outcome) of the inputs first .. last - 1, and the wrong ones."""
    assert _FUZZER is not None
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    wrong = []
    for i in range(first, last):
        if (found := _FUZZER.outcome(seed, i, only)) is None:
            continue
        name, what, why = found
        counts[name, what] += 1
        if what == "wrong":
            wrong.append(f"input {i}, {name}: {why}")
    return counts, wrong


def main() -> None:
    """Fuzz, print, and write the section; exit with 1 if an input went wrong."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100_000, help="inputs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=cores, help="processes (default: one for each core)")
    parser.add_argument("--only", type=int, help="read this input alone, and show what comes of it")
    parser.add_argument("--reader", help="its inputs alone, of the same numbers; no section is written")
    args = parser.parse_args()
    if args.only is not None:
        start()
        assert _FUZZER is not None
        print(_FUZZER.outcome(args.seed, args.only, show=True))
        return
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    wrong: list[str] = []
    begun = time.perf_counter()
    context = multiprocessing.get_context("spawn")  # JAX's threads do not survive a fork
    with concurrent.futures.ProcessPoolExecutor(args.jobs, context, start) as pool:
        bounds = [(first, min(first + BATCH, args.n)) for first in range(0, args.n, BATCH)]
        tasks = [pool.submit(batch, args.seed, args.reader, *own) for own in bounds]
        for done, task in enumerate(tasks, 1):
            own, faults = task.result()
            counts += own
            wrong += faults
            for fault in faults[: max(0, SHOWN - len(wrong) + len(faults))]:
                print(fault, flush=True)
            if done % 100 == 0:
                print(f"{bounds[done - 1][1]:,} of {args.n:,}, {len(wrong)} wrong", flush=True)
    seconds = time.perf_counter() - begun
    names = sorted({name for name, _ in counts})
    rows = [[name, *(f"{counts[name, what]:,}" for what in ("read", "refused", "wrong"))] for name in names]
    rows.append(["all", *(f"{sum(counts[n, what] for n in names):,}" for what in ("read", "refused", "wrong"))])
    rate = f"{args.n:,} inputs in {seconds:,.0f} s, {args.n / seconds:,.0f} a second in {args.jobs} processes."
    text = f"{table(('reader', 'read', 'refused', 'wrong'), rows)}\n\n{rate}"
    print(text)
    if args.reader is None:
        write_section("Mutated inputs", explained(__doc__), text)
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
