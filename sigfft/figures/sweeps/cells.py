"""A sweep in tables: a row a head, means with their ranges and the number of runs; in Markdown and in LaTeX."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sigfft.figures.sweeps.runs import Head, Mean, Race, Sweep

METRICS = ("P@1", "P@5", "F1@5", "PSP@5")
UNKNOWN = "–"
_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_LATEX |= {c: f"\\{c}" for c in "&%$#_{}"} | {"–": "--", "<": r"$<$", ">": r"$>$"}


class Table(NamedTuple):
    """Cells as text, without the marks of a format."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(sweep: Sweep, metrics: Sequence[str] = METRICS) -> list[Table]:
    """A table for each data set.

    A column of which no run of the data set has a number is left out. A cell is a mean, with its range over seeds in
    brackets where it has one; the number of its runs, where it is of fewer than the row's; "–" where it is not known.
    """
    return [_of_data(sweep, data, metrics) for data in sweep.data_sets]


def markdown(table: Table) -> str:
    """The table in Markdown, its caption as a paragraph before it; numbers are flush right."""
    lines: list[Sequence[str]] = [table.header, ["---", *["---:"] * (len(table.header) - 1)], *table.rows]
    escaped = ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines]
    return "\n".join([table.caption, "", *escaped, ""])


def latex(table: Table) -> str:
    """The table in LaTeX, for the package booktabs."""
    lines = [" & ".join(map(_escaped, cells)) + r" \\" for cells in (table.header, *table.rows)]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{_escaped(table.caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _of_data(sweep: Sweep, data: str, metrics: Sequence[str]) -> Table:
    heads = sweep.of(data)

    def column(name: str, told: Callable[[float], str]) -> list[str]:
        return [_cell(head, name, told) for head in heads]

    cells = {
        "head parameters": column("head_parameters", _whole),
        "runs": [f"{len(head.runs)}" + (f" ({head.failed} failed)" if head.failed else "") for head in heads],
        **{metric: column(f"test {metric}", "{:.3f}".format) for metric in metrics},
        "argmaxable, z": column("argmaxable_z", share_told),
        "argmaxable, features": column("argmaxable_features", share_told),
        "best step": column("best_step", _whole),
    }
    for start, name in (("prior", "bottleneck"), ("random", "bottleneck, paper's start")):
        for unit in ("steps", "seconds"):
            cells[f"{unit} to {name}"] = [_race(sweep.race(head, unit, start)) for head in heads]
    kept = {name: column for name, column in cells.items() if set(column) != {UNKNOWN}}
    caption = (
        f"{data}: test scores of each head at the learning rate that dev chose. Mean over runs, a seed each, with the "
        "lowest and highest in brackets. Steps and seconds are those to the best dev score of the bottleneck of the "
        "same d and seed, over the bottleneck's own (geometric mean): below 1 is sooner."
    )
    if any(head.edged for head in heads):
        caption += " An asterisk: the chosen rate is the smallest or the largest of those that were tried."
    rows = zip((head.name + ("*" if head.edged else "") for head in heads), *kept.values(), strict=True)
    return Table(caption, ("head", *kept), tuple(rows))


def _cell(head: Head, column: str, told: Callable[[float], str]) -> str:
    mean = head.mean(column)
    if mean is None:
        return UNKNOWN
    fewer = f", {mean.runs} of {len(head.runs)} runs" if mean.runs < len(head.runs) else ""
    return _ranged(mean, told) + fewer


def _ranged(mean: Mean, told: Callable[[float], str]) -> str:
    middle, low, high = map(told, mean[:3])
    return middle if low == high else f"{middle} ({low}–{high})"


def _race(race: Race | None) -> str:
    if race is None:
        return UNKNOWN
    if race.ratio is None:
        return f"never, {race.runs} runs" if race.runs != 1 else "never, 1 run"
    fewer = f", {race.ratio.runs} of {race.runs} runs" if race.ratio.runs < race.runs else ""
    return _ranged(race.ratio, "{:.2f}".format) + fewer


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def share_told(share: float) -> str:
    """A share in percent, which is 0 % or 100 % only where it is exactly that."""
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    percent = 100 * share
    told = math.floor(10 * percent + 1e-9) / 10 if percent > 50 else math.ceil(10 * percent - 1e-9) / 10
    return f"{told:.1f} %"


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
