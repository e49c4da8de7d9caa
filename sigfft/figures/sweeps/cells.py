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
    """Two tables for each data set: scores of heads, then what they can output and how soon they learn.

    A column of which no run of the data set has a number is left out, and a table of which no column is left. A cell is
    a mean, with its range over seeds in brackets where it has one; the number of its runs, where it is of fewer than
    the row's; "–" where it is not known.
    """
    return [table for data in sweep.data_sets for table in _of_data(sweep, data, metrics)]


def markdown(table: Table) -> str:
    """The table in Markdown, its caption as a paragraph before it; numbers are flush right."""
    lines: list[Sequence[str]] = [table.header, ["---", *["---:"] * (len(table.header) - 1)], *table.rows]
    escaped = ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines]
    return "\n".join([table.caption, "", *escaped, ""])


def latex(table: Table) -> str:
    """The table in LaTeX, for the packages booktabs and graphicx, and no wider than the text."""
    broken = [_escaped(name).replace(", ", r",\\").replace(" to ", r" to\\") for name in table.header]
    header = [rf"\shortstack{{{name}}}" for name in broken]
    lines = [" & ".join(cells) + r" \\" for cells in (header, *(map(_escaped, row) for row in table.rows))]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{_escaped(table.caption)}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def _of_data(sweep: Sweep, data: str, metrics: Sequence[str]) -> list[Table]:
    heads = sweep.of(data)

    def column(name: str, show: Callable[[float], str]) -> list[str]:
        return [told(head, name, show) for head in heads]

    sizes = {"head parameters": column("head_parameters", _whole)}
    scores = {metric: column(f"test {metric}", "{:.3f}".format) for metric in metrics}
    course = {
        "argmaxable, z": column("argmaxable_z", share_told),
        "argmaxable, features": column("argmaxable_features", share_told),
    }
    for start, name in (("prior", "bottleneck"), ("random", "bottleneck, paper's start")):
        for unit in ("steps", "seconds"):
            course[f"{unit} to {name}"] = [race_told(sweep.race(head, unit, start)) for head in heads]
    means = "Mean over runs, a seed each, with the lowest and highest in brackets."
    if any(head.edged for head in heads):
        means += " An asterisk: the chosen rate is the smallest or the largest of those that were tried."
    captions = (
        f"{data}: test scores of each head at the learning rate that dev chose. {means}",
        f"{data}: shares of test label sets that each head can output; and steps and seconds to the best dev score of "
        "the bottleneck of the same d and seed, over the bottleneck's own (geometric mean): below 1 is sooner. "
        f"{means}",
    )
    names = [head.name + ("*" if head.edged else "") for head in heads]
    runs = {"runs": [f"{len(head.runs)}" + (f" ({head.failed} failed)" if head.failed else "") for head in heads]}
    found = []
    for caption, own in zip(captions, (scores | {"best step": column("best_step", _whole)}, course), strict=True):
        known = {name: cells for name, cells in own.items() if set(cells) != {UNKNOWN}}
        if known:
            shown = runs | known if own is course else sizes | runs | known
            found.append(Table(caption, ("head", *shown), tuple(zip(names, *shown.values(), strict=True))))
    return found


def told(head: Head | None, column: str, show: Callable[[float], str]) -> str:
    """A cell: the mean of a head's column, with its range, and with the number of runs where some lack it."""
    mean = None if head is None else head.mean(column)
    if head is None or mean is None:
        return UNKNOWN
    fewer = f", {mean.runs} of {len(head.runs)} runs" if mean.runs < len(head.runs) else ""
    return _ranged(mean, show) + fewer


def race_told(race: Race | None) -> str:
    """A cell: the ratio with its range, how many runs get there where not all do, or that none does."""
    if race is None:
        return UNKNOWN
    if race.ratio is None:
        return f"never, {race.runs} runs" if race.runs != 1 else "never, 1 run"
    fewer = f", {race.ratio.runs} of {race.runs} runs" if race.ratio.runs < race.runs else ""
    return _ranged(race.ratio, "{:.2f}".format) + fewer


def _ranged(mean: Mean, show: Callable[[float], str]) -> str:
    middle, low, high = map(show, mean[:3])
    return middle if low == high else f"{middle} ({low}–{high})"


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
