"""The runs of a sweep, read from its two tables and gathered by head: the seeds of one data set, family and d."""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sigfft.files.tables import Faults, Row, read_rows

# Names of families in figures and tables, in their order; those of others are shown as they are, after these.
FAMILIES = {
    "sigmoid": "full rank",
    "bottleneck": "bottleneck",
    "bottleneck_random": "bottleneck, the paper's start",
    "dft_slack": "DFT + slack",
    "dft_spread": "DFT + spread",
    "dft_spread_slack": "DFT + spread + slack",
    "dft_embedding": "DFT + spread + embedding",
    "dft_embedding_slack": "DFT + embedding + slack",
    "dft_slack_embedding": "DFT + slack, started as an embedding",
    "dft_spread_priors": "DFT + spread + priors",
    "dft_embedding_priors": "DFT + spread + embedding + priors",
    "bottleneck_priors": "bottleneck, each label's own prior",
}
COLUMNS = ("run", "data", "family", "d", "head_parameters", "seed", "chosen")  # without which there is nothing to draw
# By the start of the bottleneck that is raced against: its family, and what the race's columns end with
RACES = {"prior": ("bottleneck", "to_bottleneck"), "random": ("bottleneck_random", "to_random_bottleneck")}


class NothingMeasured(ValueError):
    """No run of a sweep has the numbers that a figure shows."""


class Mean(NamedTuple):
    """The mean of a number over runs, its range, and how many runs it is of."""

    mean: float
    low: float
    high: float
    runs: int


class Race(NamedTuple):
    """How soon a head's runs reach the best dev score of the bottlenecks of their seeds."""

    ratio: Mean | None  # of steps or seconds to the bottleneck's own, geometric mean; None: no run gets there
    runs: int  # with a bottleneck to race against; `ratio.runs` of them get there


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """One row of a sweep's table, and the evaluations of that run."""

    row: Row
    place: Path  # the file of the row
    curve: Sequence[Row] = dataclasses.field(default=(), repr=False)

    def value(self, column: str) -> float | None:
        """The number in a column; None where the cell is empty or there is no such column."""
        return number(self.row, column, self.place)

    @property
    def finished(self) -> bool:
        """Whether it has a score of the test split: a run that failed has none."""
        return any(cell for column, cell in self.row.values.items() if column.startswith("test "))


@dataclasses.dataclass(frozen=True, eq=False)
class Head:
    """The runs of one head on one data set, a seed each, at the learning rate that dev chose."""

    data: str
    family: str
    d: int | None  # None: of a family that has no size
    runs: tuple[Run, ...]  # those that finished, by seed
    failed: int = 0  # further runs, which have no score

    @property
    def name(self) -> str:
        return family_name(self.family) + ("" if self.d is None else f", d = {self.d}")

    @property
    def edged(self) -> bool:
        """Whether the sweep notes that its rate is not between two others: a wider list might do better."""
        return any(run.row.values.get("note") for run in self.runs)

    def mean(self, column: str) -> Mean | None:
        """Mean and range of a column over the runs that have it; None if none does."""
        return mean_of(run.value(column) for run in self.runs)


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Heads in the order of data sets, families and d."""

    heads: tuple[Head, ...]

    @property
    def data_sets(self) -> list[str]:
        return list(dict.fromkeys(head.data for head in self.heads))

    @property
    def families(self) -> list[str]:
        return sorted({head.family for head in self.heads}, key=family_order)

    def of(self, data: str, family: str | None = None) -> list[Head]:
        """The heads of a data set, or those of one family on it."""
        return [head for head in self.heads if head.data == data and family in (None, head.family)]

    def race(self, head: Head, unit: str, start: str) -> Race | None:
        """A head's steps or seconds to the best dev score of the bottleneck of its d, over the bottleneck's own.

        Ratios are within a seed. None: the head has no d, or no seed has a bottleneck of it.

        Args:
          head: a head of this sweep.
          unit: "steps" or "seconds".
          start: of the bottleneck: "prior", ours, or "random", the paper's.
        """
        family, ending = RACES[start]
        own = {"steps": "best_step", "seconds": "seconds_to_best"}[unit]
        goals = {
            run.row.values["seed"]: run.value(f"{unit}_{ending}") or run.value(own)
            for other in self.of(head.data, family)
            if other.d == head.d
            for run in other.runs
        }
        if head.d is None:
            return None
        raced = [(run, goal) for run in head.runs if (goal := goals.get(run.row.values["seed"]))]
        return race_of((run.value(f"{unit}_{ending}"), goal) for run, goal in raced)


def read_sweep(paths: Sequence[str | Path]) -> Sweep:
    """The runs of one or more tables NAME.csv, with their evaluations from NAME_curves.csv where that is there.

    Only runs whose rate dev chose are kept. Where two tables are of one data set, their names tell them apart.

    Raises:
      ValueError: a table that is no such CSV, lacks a column, or has a cell that is no number where one is expected;
        two runs of one head and seed; no run that was chosen.
    """
    tables = {Path(path): _rows(Path(path), COLUMNS) for path in paths}
    homes = Counter(data for rows in tables.values() for data in {row.values["data"] for row in rows})
    gathered: dict[tuple[str, str, int | None], list[Run]] = {}
    for path, rows in tables.items():
        curves = _curves(path.with_name(f"{path.stem}_curves.csv"))
        for row in rows:
            if number(row, "chosen", path) != 1:
                continue
            data = row.values["data"] + (f" ({path.stem})" if homes[row.values["data"]] > 1 else "")
            d = number(row, "d", path)
            key = data, row.values["family"], None if d is None else int(d)
            gathered.setdefault(key, []).append(Run(row, path, curves.get(row.values["run"], [])))
    if not gathered:
        raise ValueError(f"no run of {', '.join(map(str, tables))} has chosen = 1; sweep until dev has chosen rates")
    heads = [_head(*key, runs) for key, runs in gathered.items()]
    places = list(dict.fromkeys(data for data, _, _ in gathered))
    return Sweep(tuple(sorted(heads, key=lambda h: (places.index(h.data), family_order(h.family), h.d or 0))))


def number(row: Row, column: str, place: Path) -> float | None:
    """The number in a row's column; None where the cell is empty or there is no such column.

    Raises:
      ValueError: the cell holds something else; it names the file and line.
    """
    cell = row.values.get(column, "")
    if cell == "":
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{place}:{row.line}: {column!r} must be a number, or empty; given {cell!r:.40}")
    return value


def mean_of(values: Iterable[float | None]) -> Mean | None:
    """Mean and range of the values that are there; None if none is."""
    known = [value for value in values if value is not None]
    return Mean(math.fsum(known) / len(known), min(known), max(known), len(known)) if known else None


def race_of(pairs: Iterable[tuple[float | None, float]]) -> Race | None:
    """The race of what runs took, None where they do not get there, and what the bottlenecks did; None without runs."""
    pairs = list(pairs)
    logs = mean_of(math.log(taken / goal) for taken, goal in pairs if taken)
    ratio = logs and Mean(math.exp(logs.mean), math.exp(logs.low), math.exp(logs.high), logs.runs)
    return Race(ratio, len(pairs)) if pairs else None


def family_name(family: str) -> str:
    """A family's name in figures and tables."""
    return FAMILIES.get(family, family.replace("_", " "))


def family_order(family: str) -> tuple[int, str]:
    """Sorts families as `FAMILIES` has them, others after these by name."""
    return (list(FAMILIES).index(family) if family in FAMILIES else len(FAMILIES)), family


def _head(data: str, family: str, d: int | None, runs: list[Run]) -> Head:
    runs.sort(key=lambda run: run.value("seed") or 0)
    seeds = Counter(run.row.values["seed"] for run in runs)
    for run in runs:
        if seeds[seed := run.row.values["seed"]] > 1:
            raise ValueError(
                f"{run.place}:{run.row.line}: {seeds[seed]} chosen runs of {family}, d = {d}, on {data} have seed "
                f"{seed}; expected one a seed: was a table given twice?"
            )
    finished = tuple(run for run in runs if run.finished)
    return Head(data, family, d, finished, len(runs) - len(finished))


def _curves(path: Path) -> Mapping[str, list[Row]]:
    """The evaluations of each run; none where there is no such file."""
    curves: dict[str, list[Row]] = {}
    for row in _rows(path, ("run", "step")) if path.exists() else ():
        curves.setdefault(row.values["run"], []).append(row)
    return curves


def _rows(path: Path, columns: Sequence[str]) -> list[Row]:
    rows = list(read_rows(path, Faults()))
    if not rows:
        raise ValueError(f"{path} has no row; expected the table of a sweep")
    if missing := [column for column in columns if column not in rows[0].values]:
        raise ValueError(f"{path} has no column {', '.join(missing)}; expected the table of a sweep")
    return rows
