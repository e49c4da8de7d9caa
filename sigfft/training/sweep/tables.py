"""The two tables of a sweep, from the folders of its runs alone: a row a run, and a row an evaluation on dev.

With them goes what the sweep is, NAME.json, so that another machine can go on with the tables alone.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sigfft.files import write_text
from sigfft.files.documents import read_object
from sigfft.training.sweep.folder import Rate, Sweep, SweptHead, SweptRun
from sigfft.training.sweep.measuring import CHECKED
from sigfft.training.sweep.records import RatesOpenError, Record, Row, cell, chosen_rate, is_finished, read_record

# Before the metrics of the dev and the test split, and after them
_FIRST = (
    *("run", "data", "family", "d", "head", "kind", "encoder", "start", "dim", "max_cardinality", "spread", "slack"),
    *("embedding", "feature_dim", "head_parameters", "parameters", "seed", "learning_rate", "head_learning_rate"),
    *("chosen", "steps", "best_step", "stopped", "seconds", "seconds_to_best", "steps_to_bottleneck"),
    *("seconds_to_bottleneck", "steps_to_random_bottleneck", "seconds_to_random_bottleneck"),
    *("dev_metric", "dev_score", "dev_loss"),
)
_LAST = (*CHECKED, "device", "jax", "flax", "numpy", "sigfft", "note", "error")
# Columns that other runs have a say in
OF_ALL_RUNS = {name for name in _FIRST if name.endswith("_bottleneck")} | {"chosen", "note", "error"}
_CURVE = ("run", "step", "seconds", "train_loss")
_BOTTLENECKS = {"bottleneck": "bottleneck", "bottleneck_random": "random_bottleneck"}  # a family, as in columns


class Tables(NamedTuple):
    """What was written: a table and its curves, the rows of both, lines for readers, and what is still to be run."""

    path: Path
    curves: Path
    finished: int
    failed: int
    evaluations: int
    notes: list[str]
    open_heads: list[str]


def curves_path(path: Path) -> Path:
    """The table of evaluations beside a table of runs."""
    return path.with_name(f"{path.stem}_curves{path.suffix}")


def settings_path(path: Path) -> Path:
    """What the sweep of a table of runs is, beside it; in a sweep's folder, that folder's own sweep.json."""
    return path.with_suffix(".json")


def is_in_folder(sweep: Sweep, path: Path) -> bool:
    """Whether a table of runs is the one of the sweep's own folder, whose sweep.json tells of it."""
    return settings_path(path).resolve() == sweep.file.resolve()


def write_tables(sweep: Sweep, path: Path) -> Tables:
    """Writes the rows of all runs that have ended, each file whole or not at all, the table of runs last.

    A cell that is not known is empty. Numbers have 6 significant digits, and lines end as RFC 4180 says.

    Args:
      sweep: whose runs are read.
      path: NAME.csv; evaluations go to NAME_curves.csv and what the sweep is to NAME.json beside it.

    Raises:
      ValueError: a run's folder is damaged.
      OSError: a table cannot be written.
    """
    records: dict[str, Record] = {}
    for head in sweep.heads:
        for run in sweep.runs(head):
            if is_finished(folder := sweep.workdir(run)):
                records[run.slug] = read_record(folder)
    rows, curves, notes, unknown = [], [], [], []
    choices = {}
    for head in sweep.heads:
        try:
            choices[head.name] = chosen_rate(sweep, head)
        except RatesOpenError:
            unknown.append(head.name)
    goals = _goals(sweep, choices, records)
    for head in sorted(sweep.heads, key=lambda head: (head.family, head.d or 0)):
        note = _note(head, choices[head.name]) if head.name in choices else ""
        if note:
            notes.append(f"{head.name}: {note}")
        for run in sorted(sweep.runs(head), key=lambda run: (run.seed, run.rate)):
            chosen = None if head.name not in choices else int(run.rate == choices[head.name])
            row = _row_of_run(sweep, run) | {"chosen": chosen, "note": note if chosen else ""}
            if run.slug in records:
                record = records[run.slug]
                row = record.row | row | _races(record, head, run.seed, goals)
                curves += [{"run": run.slug, **line} for line in record.curve]
            if (failure := sweep.failure(run)).exists():
                row["error"] = read_object(failure)["error"]
                notes.append(f"{run.slug} failed: {row['error']}")
            if run.slug in records or "error" in row:
                rows.append(row)
    if not is_in_folder(sweep, path):
        write_text(settings_path(path), sweep.elsewhere().to_json())
    _write(curves_path(path), [*_CURVE, *_metrics(curves, "dev ")], curves)
    _write(path, [*_FIRST, *_metrics(rows, "dev "), *_metrics(rows, "test "), *_LAST], rows)
    failed = sum("error" in row for row in rows)
    return Tables(path, curves_path(path), len(rows) - failed, failed, len(curves), notes, unknown)


def _row_of_run(sweep: Sweep, run: SweptRun) -> Row:
    """What is known of a run whether it finished or not."""
    return {
        "run": run.slug,
        "data": sweep.data_name,
        "family": run.head.family,
        "d": run.head.d,
        "kind": run.head.config.kind,
        "start": "random" if run.head.config.random_start else "prior",
        "seed": run.seed,
        "learning_rate": run.rate.learning_rate,
        "head_learning_rate": run.rate.head_learning_rate,
    }


def _goals(
    sweep: Sweep, choices: Mapping[str, Rate | None], records: Mapping[str, Record]
) -> dict[tuple[str, int | None, int], float]:
    """The best dev score of each bottleneck at its chosen rate, by its family, d and seed."""
    goals = {}
    for head in sweep.heads:
        rate = choices.get(head.name)
        if head.family not in _BOTTLENECKS or rate is None:
            continue
        for seed in sweep.seeds:
            if record := records.get(SweptRun(head, rate, seed).slug):
                goals[head.family, head.d, seed] = record.score(record.best)
    return goals


def _races(record: Record, head: SweptHead, seed: int, goals: Mapping[tuple[str, int | None, int], float]) -> Row:
    """When a run first reaches what the bottlenecks of its d and seed reach at best."""
    row: Row = {}
    for family, name in _BOTTLENECKS.items():
        goal = goals.get((family, head.d, seed))
        first = next((line for line in record.curve if goal is not None and record.score(line) >= goal), None)
        if first is not None:
            row |= {f"steps_to_{name}": first["step"], f"seconds_to_{name}": first["seconds"]}
    return row


def _note(head: SweptHead, rate: Rate | None) -> str:
    """Where a head's rate is one that a wider list might better."""
    factors = sorted(own.factor for own in head.rates)
    if rate is None:
        return "no rate finished"
    if rate.factor not in (factors[0], factors[-1]):
        return ""
    if len(factors) == 1:
        return f"{rate.factor:g} is the only rate that was tried"
    which, more = ("smallest", "smaller") if rate.factor == factors[0] else ("largest", "larger")
    return f"the chosen rate, {rate.factor:g}, is the {which} of those tried: a {more} one may score better"


def _metrics(rows: Iterable[Row], prefix: str) -> list[str]:
    """The columns of metrics, in the order in which runs have them."""
    return list(dict.fromkeys(name for row in rows for name in row if name.startswith(prefix)))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(columns)
    table.writerows([cell(row.get(column)) for column in columns] for row in rows)
    write_text(path, text.getvalue())
