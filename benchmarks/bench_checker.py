"""Speed of the argmaxability checker against one full linear program for each label set.

    python benchmarks/bench_checker.py                                              # 3 minutes on 2 cores
    python benchmarks/bench_checker.py --weights LAYER --label-sets test.txt --large # 6 minutes
    python benchmarks/bench_checker.py --only growth                                # 2 minutes; draws checker.png
    python benchmarks/bench_checker.py --only million                               # a quarter of an hour
    python benchmarks/bench_checker.py --only hard                                  # an hour; --sets 4: 10 minutes

Half of the sets are reachable by construction (the only ten labels that some activation puts on), half are ten random
labels, which at d = 201 are reachable too. ms: wall clock for each set, the checker in 2 processes and `verify` and
the LP in one. Every verdict is proved, and `verify` proves each again from the saved file. The full LP is SciPy's
HiGHS on all rows, the paper's program with another solver than its Gurobi; it is timed on two sets, or six at d = 51,
between the batches of the checker. The growing LP, on the same sets, is the fairer peer: HiGHS on few rows, to which
violated ones are added (`benchmarks/growing_lp.py`), in floating point and without a proof as well. LAYER is any
trained layer that `sigfft check` reads, a file or the folder of a run; in the table, the output layer of a bottleneck
with d = 200 that was trained on tate.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import hard_rows
import numpy as np
from growing_lp import solve_system
from hard_layers import generated
from matplotlib.figure import Figure
from results import RESULTS, explained, table, write_section

from sigfft import figures
from sigfft.argmaxability import Report, check, verify
from sigfft.argmaxability.epsilon import chebyshev
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.search.system import System
from sigfft.argmaxability.theory.sampling import every_set
from sigfft.figures import Panel
from sigfft.files.label_sets import load_label_sets
from sigfft.trained import load_weights

CARDINALITY = 10
HEADER = (
    *("setting", "n", "d", "sets", "argmaxable", "unargmaxable", "undecided"),
    *("check ms", "verify ms", "LP ms", "LP / check", "growing LP ms", "growing LP / check"),
)
ABOUT = {
    "growth": "As above, on generated layers, one size at a time.",
    "million": "As above: a million different sets of three labels of a generated layer.",
    "hard": explained(hard_rows.__doc__),
}
TITLES = {
    "speed": "Checker",
    "growth": "Checker: growth",
    "million": "Checker: a million sets",
    "hard": "Checker: hard sets",
}


@dataclass
class Row:
    """One line of the table; times in milliseconds of wall clock for each set."""

    name: str
    n_labels: int
    dim: int
    sets: int
    argmaxable: int
    unargmaxable: int
    undecided: int
    check_ms: float
    verify_ms: float
    peers_ms: tuple[float, float] | None  # the full LP, and the growing one

    def cells(self) -> list[str]:
        """As the table shows it."""
        whole = [f"{x:,}" for x in (self.n_labels, self.dim, self.sets, *self.counts())]
        peers = ["–"] * 4
        if self.peers_ms is not None:
            peers = [f"{x:,.0f}" for ms in self.peers_ms for x in (ms, ms / self.check_ms)]
        return [self.name, *whole, f"{self.check_ms:.2f}", f"{self.verify_ms:.2f}", *peers]

    def counts(self) -> tuple[int, int, int]:
        """Sets of each status."""
        return self.argmaxable, self.unargmaxable, self.undecided


def reachable_sets(weight: np.ndarray, bias: np.ndarray | None, count: int, k: int, seed: int) -> list[list[int]]:
    """The first k labels that come on along random directions from an activation at which all labels are off.

    Empty where no activation turns all labels off: then no set is known to be reachable beforehand.
    """
    base = check(weight, [[]], bias).witness[0]
    if base is None:
        return []
    rng = np.random.default_rng(seed)
    level = -(weight @ base + (0 if bias is None else bias))
    rates = (rng.standard_normal((count, weight.shape[1])) @ weight.T.astype(np.float64)) / level
    return np.sort(np.argpartition(-rates, k - 1, axis=1)[:, :k], axis=1).tolist()


def random_sets(n_labels: int, count: int, k: int, seed: int) -> list[list[int]]:
    """Sets of k labels drawn uniformly."""
    rng = np.random.default_rng(seed)
    return [np.sort(rng.choice(n_labels, k, replace=False)).tolist() for _ in range(count)]


def timed(function, *args, **options):
    """The result of a call, and its seconds of wall clock."""
    begun = time.perf_counter()
    result = function(*args, **options)
    return result, time.perf_counter() - begun


def compare(name: str, weight, bias, sets: list[list[int]], lp_sets: int, n_jobs: int, parts: int = 2) -> Row:
    """Check and verify all sets in a few parts, with the LPs of some of the sets in between."""
    check(weight, sets[:n_jobs], bias, n_jobs=n_jobs, batch_size=1)  # start the processes
    picked = [sets[i] for i in np.linspace(0, len(sets) - 1, lp_sets).astype(int)]
    seconds = {"check": 0.0, "verify": 0.0, "lp": 0.0, "growing": 0.0}
    layer = Layer.of(weight, bias)
    system = System.of(layer)
    counts = dict.fromkeys(("argmaxable", "unargmaxable", "undecided"), 0)
    for part in range(parts):
        chosen = sets[part::parts]
        report, spent = timed(check, weight, chosen, bias, n_jobs=n_jobs, batch_size=-(-len(chosen) // (4 * n_jobs)))
        seconds["check"] += spent
        seconds["verify"] += verified(report, weight, bias)
        for status, number in list(report.counts().items())[1:]:
            counts[status] += number
        for labels in picked[part::parts]:
            seconds["lp"] += timed(chebyshev, weight, labels, bias)[1]
            seconds["growing"] += timed(solve_system, system, layer.pad([labels]))[1]
    check_ms, verify_ms = 1e3 * seconds["check"] / len(sets), 1e3 * seconds["verify"] / len(sets)
    peers = (1e3 * seconds["lp"] / lp_sets, 1e3 * seconds["growing"] / lp_sets) if lp_sets else None
    return Row(name, *weight.shape, len(sets), *counts.values(), check_ms, verify_ms, peers)


def verified(report: Report, weight, bias) -> float:
    """Seconds that `verify` takes on the saved report; it raises on the first proof that does not hold."""
    undecided = report.margin[report.status == "undecided", 1]
    if len(undecided) and undecided.max() >= 1e-9:
        raise AssertionError(f"a set of margin up to {undecided.max():.1e} was left undecided")
    with tempfile.TemporaryDirectory() as folder:
        report.save(Path(folder) / "verdicts.jsonl")
        return timed(verify, Path(folder) / "verdicts.jsonl", weight, bias)[1]


def mixed(weight, bias, count: int, seed: int = 1) -> list[list[int]]:
    """Half reachable sets, where such are known, and random ones, alternating."""
    reachable = reachable_sets(weight, bias, count // 2, CARDINALITY, seed)
    drawn = random_sets(len(weight), count - len(reachable), CARDINALITY, seed + 1)
    pairs = zip_longest(reachable, drawn)
    return [labels for pair in pairs for labels in pair if labels is not None]


def speed(args: argparse.Namespace) -> Iterator[Row]:
    """Generated and given layers against the full LP; and a large layer, for which that LP is out of reach."""
    for dim, lp_sets in ((51, 6), (201, 2)):
        weight = generated(8921, dim)
        yield compare("generated", weight, None, mixed(weight, None, args.sets), lp_sets, args.n_jobs)
    if args.weights:
        weight, bias = load_weights(args.weights)
        yield compare("trained, k = 10", weight, bias, mixed(weight, bias, args.sets), 2, args.n_jobs)
        if args.label_sets:
            given = [s for s in load_label_sets(args.label_sets)[0] if s][: 4 * args.sets]
            yield compare("trained, given sets", weight, bias, given, 2, args.n_jobs)
    if args.large:
        weight = generated(100_000, 101)
        yield compare("generated", weight, None, mixed(weight, None, 32), 0, args.n_jobs)


def growth(args: argparse.Namespace) -> Iterator[Row]:
    """One size at a time changes."""
    shapes = [(n, 51, 128) for n in (2000, 4000, 8000, 16000, 32000)]
    shapes += [(8000, d, 64) for d in (13, 26, 101, 201, 401)] + [(8000, 51, m) for m in (16, 64, 256, 1024)]
    for n_labels, dim, count in shapes:
        weight = generated(n_labels, dim)
        yield compare("generated", weight, None, mixed(weight, None, count), 0, args.n_jobs)


def million(args: argparse.Namespace) -> Iterator[Row]:
    """A million sets of three labels of a small layer."""
    weight = generated(200, 11)
    drawn = np.random.default_rng(0).permutation(math.comb(200, 3))[:1_000_000]
    yield compare("generated", weight, None, every_set(200, 3)[drawn].tolist(), 0, args.n_jobs, parts=1)


def figure(measured: list[Row]) -> Figure:
    """Time for each set against n, d and the number of sets."""
    by_labels = [(r.n_labels, r.check_ms) for r in measured if (r.dim, r.sets) == (51, 128)]
    by_dim = [(r.dim, r.check_ms) for r in measured if (r.n_labels, r.sets) == (8000, 64)]
    by_sets = [(r.sets, r.check_ms) for r in measured if (r.n_labels, r.dim) == (8000, 51)]
    unit = "ms for each set, proof included"
    panels = [
        Panel("growth with n (d = 51, 128 sets)", "n, labels", unit, {"check": by_labels}),
        Panel("growth with d (n = 8,000, 64 sets)", "d, dimensions", unit, {"check": by_dim}),
        Panel("more sets at once (n = 8,000, d = 51)", "number of label sets", unit, {"check": by_sets}),
    ]
    return figures.lines(panels, sharey=True)


def write_hard(count: int) -> None:
    """Print the table of hard sets as it grows, with the sets that were undecided or slow, and write it."""
    print(*hard_rows.HEADER, sep="\t")
    cells = []
    for row in hard_rows.rows(count):
        cells.append(row.cells)
        print("\t".join(row.cells), *row.failures, sep="\n  ", flush=True)
    write_section(TITLES["hard"], ABOUT["hard"], table(hard_rows.HEADER, cells))


def main() -> None:
    """Print the table as it grows; write it, and the figure of growth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=TITLES, default="speed", help="what to measure (default: %(default)s)")
    parser.add_argument("--sets", type=int, help="label sets of each setting (default: 256; of each hard family: 40)")
    parser.add_argument("--n-jobs", type=int, default=2, help="processes of the checker (default: %(default)s)")
    parser.add_argument("--weights", help="a trained layer, as `sigfft check` reads it: a file, or the folder of a run")
    parser.add_argument("--label-sets", help="label sets to check on those weights, as `sigfft check` reads them")
    parser.add_argument("--large", action="store_true", help="also n = 100,000, d = 101")
    args = parser.parse_args()
    if args.only == "hard":
        write_hard(args.sets or 40)
        return
    args.sets = args.sets or 256
    print(*HEADER, sep="\t")
    measured = []
    for row in {"speed": speed, "growth": growth, "million": million}[args.only](args):
        measured.append(row)
        print(*row.cells(), sep="\t", flush=True)
    text = table(HEADER, [row.cells() for row in measured])
    if args.only == "growth":
        figures.save(figure(measured), RESULTS.with_name("checker.png"))
        text += "\n\n![Time for each label set against n, d and the number of sets](checker.png)"
    write_section(TITLES[args.only], ABOUT.get(args.only, explained(__doc__)), text)


if __name__ == "__main__":
    main()
