"""Tables of a page: cells with a text and what they sort by."""

from collections.abc import Sequence
from typing import NamedTuple


class Bar(NamedTuple):
    """Shares of label sets by status, which add up to 1."""

    argmaxable: float
    undecided: float
    unargmaxable: float


class Cell(NamedTuple):
    """A cell: its text, what it sorts by (None: the text; beside numbers it comes last), and how it looks."""

    text: str
    value: float | None = None
    bar: Bar | None = None
    best: bool = False  # of its column
    looks: str = ""  # classes of a head's line, drawn before its name


class Table(NamedTuple):
    """A sortable table; the first column names the row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    numeric: bool = True  # columns behind the first are numbers


def number(value: float | int | None, form: str = ",") -> Cell:
    """A number, or a dash where there is none."""
    return Cell("–") if value is None else Cell(format(value, form), float(value))


def with_best(rows: Sequence[list[Cell]], columns: Sequence[int]) -> list[list[Cell]]:
    """The rows with the largest value of each of these columns marked, where there is something to compare."""
    for column in columns:
        values = [row[column].value for row in rows if row[column].value is not None]
        if len(values) > 1 and min(values) < max(values):
            for row in rows:
                row[column] = row[column]._replace(best=row[column].value == max(values))
    return list(rows)
