"""How long the checker takes for hard label sets: a line of the table for each case.

Layers whose rows are alike, dependent or huge, and margins near rounding (`benchmarks/hard_sets.py`); float64, but for
DFT heads. s a set: wall clock of `check` in one process, on all sets of the line and with what it needs of the layer;
slowest s: the set that took the most. Exact witnesses: inputs that no float64 numbers can stand for. Every verdict is
verified from the saved file; verify s is for all sets of the line. After 60 s a set is left undecided.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hard_sets import Case, cases

import sigfft
from sigfft.argmaxability.proofs.witness import ExactWitness

HEADER = (
    *("family", "n", "D", "sets", "argmaxable", "unargmaxable", "undecided"),
    *("s a set", "slowest s", "exact witnesses", "verify s"),
)
LIMIT = 60.0  # seconds after which a set is left undecided, so that the table ends


@dataclass
class Row:
    """One line of the table.

    Attributes:
      cells: as the table shows them.
      failures: what a set of it took too long for, or was left undecided by; with the set, to do it again.
    """

    cells: list[str]
    failures: list[str]


def rows(count: int) -> Iterator[Row]:
    """The table's lines, with about `count` label sets of each kind."""
    return map(measure, cases(count))


def measure(case: Case) -> Row:
    """Check and verify all sets of a case, in one process."""
    statuses: Counter[str] = Counter()
    seconds = verifying = slowest = 0.0
    exact, failures = 0, []
    for layer in case.layers:
        begun = time.perf_counter()
        report = sigfft.check(
            *(layer.weight, layer.sets, layer.bias, case.rule),
            **{"domain": case.domain, "projection": layer.projection, "time_limit": LIMIT, "on_error": "raise"},
        )
        seconds += time.perf_counter() - begun
        statuses.update(report.status.tolist())
        slowest = max(slowest, float(report.seconds.max()))
        exact += sum(isinstance(witness, ExactWitness) for witness in report.witness)
        with tempfile.TemporaryDirectory() as folder:
            report.save(Path(folder) / "verdicts.jsonl")
            begun = time.perf_counter()
            sigfft.verify(
                Path(folder) / "verdicts.jsonl", layer.weight, layer.bias, layer.sets, projection=layer.projection
            )
            verifying += time.perf_counter() - begun
        for labels, verdict in zip(layer.sets, report.verdicts, strict=True):
            wrong = case.status is not None and verdict.status not in (case.status, "undecided")
            if verdict.status == "undecided" or verdict.seconds > case.wanted or wrong:
                about = f"{verdict.status}, {verdict.seconds:.1f} s of {case.wanted:g}"
                failures.append(f"{case.family}, {report.layer.n_labels} x {report.layer.dim}: {about}: {labels}")
    sizes = (report.layer.n_labels, report.layer.dim, statuses.total())
    counts = [statuses[status] for status in ("argmaxable", "unargmaxable", "undecided")]
    cells = [case.family, *(f"{size:,}" for size in (*sizes, *counts))]
    times = [f"{seconds / statuses.total():.3f}", f"{slowest:.2f}"]
    return Row([*cells, *times, str(exact), f"{verifying:.2f}"], failures)
