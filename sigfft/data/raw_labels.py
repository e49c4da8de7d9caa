"""Labels as tables hold them, and the ids that they become."""

import ast
import io
import itertools
import json
import re
import tokenize
from collections.abc import Collection, Iterable
from typing import Any

from sigfft.data.columns import Columns
from sigfft.files.names import NameFiles
from sigfft.files.tables import Row

Label = int | str
Cell = list[Label] | str  # labels; or one string of them, whose delimiter is not known yet
_DELIMITERS = "|;,"
_TOUCHING = re.compile(r"""['"]\s*[A-Za-z]{0,2}['"]""")
_SWITCHES = {0: False, 1: True, "0": False, "1": True, None: False, "": False}


def cell_of(row: Row, columns: Columns) -> Cell:
    """The labels of a row as they stand there; those of columns of 0 and 1 are the names of the columns.

    Raises:
      ValueError: a column is missing, or holds something else than labels.
    """
    for name in columns.labels:
        if name not in row.values:
            raise ValueError(f"there is no column {name}; the columns are {', '.join(row.values)}")
    if len(columns.labels) > 1:
        return [name for name in columns.labels if _switch(name, row.values[name])]
    cell = row.values[columns.labels[0]]
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return []
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        cell = _list_in(cell)
    if isinstance(cell, str):
        return cell
    labels = [cell] if type(cell) is int else cell
    if not isinstance(labels, list):
        raise ValueError(f"expected a list of labels, or labels in one string; given {cell!r:.60}")
    for label in labels:
        if type(label) not in (int, str) or label == "" or (type(label) is int and label < 0):
            raise ValueError(f"labels must be names, or ids from 0; given {label!r:.60}")
    return labels


def delimiter_of(cells: Iterable[Cell]) -> str:
    """What stands between labels in strings: the first of | ; , that one of them has, or nothing."""
    strings = [cell for cell in cells if isinstance(cell, str)]
    return next((mark for mark in _DELIMITERS if any(mark in cell for cell in strings)), "")


def labels_in(cell: Cell, delimiter: str, numbers: bool = False) -> list[Label]:
    """The labels of a cell; `numbers`: those of strings are ids."""
    if not isinstance(cell, str):
        return cell
    only_digits = re.fullmatch(r"[\d\s]+", cell) is not None
    parts = cell.split(delimiter) if delimiter else cell.split() if only_digits else [cell]
    labels = [part.strip() for part in parts if part.strip()]
    return [int(label) for label in labels] if numbers else list(labels)


def hold_numbers(cells: Iterable[Cell], delimiter: str) -> bool:
    """Whether all strings hold ids alone, in digits."""
    labels = (label for cell in cells if isinstance(cell, str) for label in labels_in(cell, delimiter))
    return all(re.fullmatch(r"\d{1,18}", str(label)) for label in labels)


def vocabulary(
    known: Collection[Label], columns: Columns, names: NameFiles, binding: bool
) -> tuple[dict[Label, int], tuple[str, ...] | None]:
    """Ids by label, and names to show; None if these would be the ids themselves.

    Where files say which labels there are, these are all of them, in their order: a line of labels.txt is a label, or
    what a label that is an id is called. Otherwise labels are those of the table, ids ascending, names by the alphabet.

    Args:
      known: the labels of the table, all of one type.
      columns: of the table.
      names: the files.
      binding: whether the files must list all labels of the table; if not, and they do not, they are about other data.
    """
    if len(columns.labels) > 1:
        return {name: i for i, name in enumerate(columns.labels)}, names.of(columns.labels)
    listed = [own for own in _listed(all(type(label) is int for label in known), names) if own]
    fitting = next((own for own in listed if own.keys() >= set(known)), listed[0] if listed and binding else None)
    if fitting is not None:
        return fitting, names.in_order(len(fitting))
    ordered = sorted(known)
    keys = names.by_key or {}
    if binding and names.certain and keys:
        ordered = [label for label in ordered if str(label) in keys]
    covered = all(str(label) in keys for label in ordered)
    shown = tuple(keys[str(label)] if covered else str(label) for label in ordered)
    ids = {label: i for i, label in enumerate(ordered)}
    return ids, None if shown == tuple(map(str, range(len(shown)))) else shown


def _listed(by_id: bool, names: NameFiles) -> Iterable[dict[Label, int]]:
    """What lists of names make of labels."""
    for keys in (names.keys, names.shown):
        if not keys:
            continue
        numbered = keys is names.keys and all(re.fullmatch(r"\d{1,18}", key) for key in keys)
        if by_id and not numbered:
            yield {i: i for i in range(len(keys))}
        elif len(set(keys)) == len(keys):  # of two labels with one name, a name tells neither
            yield {int(key) if by_id else key: i for i, key in enumerate(keys)}


def _switch(name: str, value: Any) -> bool:
    if isinstance(value, list | dict) or value not in _SWITCHES:
        raise ValueError(f"expected 0 or 1 in {name}; given {value!r:.60}")
    return _SWITCHES[value]


def _list_in(cell: str) -> Any:
    """A list as JSON writes it, or as Python does, and so pandas in CSV."""
    try:
        return json.loads(cell)
    except ValueError:
        try:
            _check_commas(cell)
            return ast.literal_eval(cell.strip())
        except (ValueError, SyntaxError, TypeError, tokenize.TokenError, MemoryError, RecursionError) as error:
            raise ValueError(f"expected a list of labels, with commas between them; given {cell:.60}") from error


def _check_commas(cell: str) -> None:
    """Raises SyntaxError for strings without a comma between, as NumPy prints arrays: Python takes them for one."""
    if not _TOUCHING.search(cell):  # which is the faster look
        return
    kinds = [
        token.type
        for token in tokenize.generate_tokens(io.StringIO(cell.strip()).readline)
        if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT)
    ]
    if any(pair == (tokenize.STRING, tokenize.STRING) for pair in itertools.pairwise(kinds)):
        raise SyntaxError("two strings without a comma between them")


def type_fault(labels: Iterable[Label], wanted: type) -> str:
    """What is wrong with labels of another type than others have; "": nothing."""
    bad = next((label for label in labels if type(label) is not wanted), None)
    if bad is None:
        return ""
    kind, others = ("a name", "ids") if wanted is int else ("an id", "names")
    return f"label {bad!r} is {kind}, but others are {others}; give all labels as one of them"
