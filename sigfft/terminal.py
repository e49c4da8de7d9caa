"""Tables in a terminal: blocks of columns where its lines are too short for all of them."""

import re
import shutil
import sys


def fitted(table: str) -> str:
    """A table whose lines fit the terminal, the first column repeated in each block; as it is where stdout is none.

    Columns stand in line, at least two blanks apart, as `Report.table` and the table of a run have them. One that is
    wider than the terminal by itself stays whole.
    """
    return in_blocks(table, shutil.get_terminal_size().columns) if sys.stdout.isatty() else table


def in_blocks(table: str, width: int) -> str:
    """The table with lines of at most `width` characters; a line of dashes becomes as long as its block."""
    lines = table.split("\n")
    widest = max(map(len, lines))
    if widest <= width:
        return table
    rows = [line.ljust(widest) for line in lines if set(line) != {"-"}]
    ink = "".join(" " if set(characters) == {" "} else "x" for characters in zip(*rows, strict=True))
    ends = [match.end() for match in re.finditer("x(?=  |$)", ink)]
    first, *others = map(slice, [0, *ends], ends)
    blocks: list[list[slice]] = []
    room = 0
    for column in others:
        if not blocks or column.stop - column.start > room:
            blocks.append([first])
            room = width - first.stop
        blocks[-1].append(column)
        room -= column.stop - column.start
    return "\n\n".join("\n".join(_part(line, block) for line in lines) for block in blocks)


def _part(line: str, block: list[slice]) -> str:
    size = sum(column.stop - column.start for column in block)
    return "-" * size if set(line) == {"-"} else "".join(line[column] for column in block).rstrip()
