"""Tables: JSON lines, or CSV with a header, plain or gzipped. A row is a dict; bad rows are named by their line."""

import csv
import dataclasses
import gzip
import itertools
import json
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv")  # of tables, each also with .gz
_GZIP_MAGIC = b"\x1f\x8b"
_LONGEST = 2**31 - 1  # characters of a cell: Python's own limit, 131072, is less than a long text has


class Row(NamedTuple):
    """A row, and the number of the line that it ends in."""

    line: int
    values: dict[str, Any]


@dataclasses.dataclass
class Faults:
    """What becomes of a bad row: an error, or one more that is skipped and counted."""

    skip: bool = False
    hint: str = ""  # of the error: what else can be done about it
    count: int = 0
    first: str = ""

    def add(self, path: Path | str, line: int, complaint: str) -> None:
        """Raises ValueError with the file and line, unless bad rows are skipped."""
        if not self.skip:
            raise ValueError(f"{path}:{line}: {complaint}{self.hint and f'; {self.hint}'}")
        self.count += 1
        self.first = self.first or f"{path}:{line}: {complaint}"


def is_table(path: Path) -> bool:
    """Whether a file's name says that it is a table."""
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix in SUFFIXES


def read_rows(path: Path, faults: Faults, only: str = "", known: Collection[str] = ()) -> Iterator[Row]:
    """The rows of a table in order.

    The name says the format: .jsonl, .ndjson, .csv or .tsv. Under another name the content does: lines that start with
    a brace are JSON, a first line with a column of `known` is the header of CSV, and otherwise, where there is `only`,
    each line is the value of that column.

    Args:
      path: the file.
      faults: where bad rows go: a line that is no JSON object or no text, or has more or fewer cells than the header.
      only: the column of bare lines; "": they are refused.
      known: columns by which a header is told from a bare line.

    Raises:
      ValueError: the file is none of these formats, damaged, or empty where it needs a header.
    """
    csv.field_size_limit(_LONGEST)
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP_MAGIC
    # Bytes that are no text come as surrogates, so that the row that holds them can be named.
    form = {"encoding": "utf-8-sig", "errors": "surrogateescape", "newline": ""}
    with gzip.open(path, "rt", **form) if zipped else path.open("r", **form) as file:  # type: ignore[call-overload]
        try:
            first = next(file, "")
            lines = itertools.chain([first] if first else [], file)
            yield from _reader(path, first, only, known)(lines, path, faults)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} is damaged or truncated: {error}") from error


def _reader(
    path: Path, first: str, only: str, known: Collection[str]
) -> Callable[[Iterator[str], Path, Faults], Iterator[Row]]:
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    if plain.suffix in (".csv", ".tsv"):
        return _csv_rows
    if plain.suffix in (".jsonl", ".ndjson") or first.lstrip()[:1] == "{":
        return _json_rows
    if set(known) & set(next(csv.reader([first], delimiter=_delimiter(path, first)), [])):
        return _csv_rows
    if not only:
        raise ValueError(f"{path}: expected JSON lines, or CSV with a header; given {first[:60]!r}")
    return lambda lines, path, faults: _bare_rows(lines, path, faults, only)


def _json_rows(lines: Iterator[str], path: Path, faults: Faults) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            values = json.loads(line)
        except ValueError as error:
            faults.add(path, number, f"not JSON: {error}" if _is_text(line) else "not UTF-8 text")
            continue
        if not isinstance(values, dict):
            faults.add(path, number, f"expected a JSON object a line; given {line.strip()[:60]!r}")
        elif not _is_text(line):
            faults.add(path, number, "not UTF-8 text")
        else:
            yield Row(number, values)


def _csv_rows(lines: Iterator[str], path: Path, faults: Faults) -> Iterator[Row]:
    first = next(lines, "")
    delimiter = _delimiter(path, first)
    reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        if not any(header) or len(set(header)) < len(header):
            raise ValueError(f"{path}:1: expected a header, with a name of its own for each column; given {header}")
        for cells in reader:
            if len(cells) == len(header) and all(map(_is_text, cells)):
                yield Row(reader.line_num, dict(zip(header, cells, strict=True)))
            elif cells:
                same = len(cells) == len(header)
                complaint = "not UTF-8 text" if same else f"{len(cells)} cells, the header has {len(header)}"
                faults.add(path, reader.line_num, complaint)
    except csv.Error as error:
        raise ValueError(f"{path}:{reader.line_num}: not CSV: {error}") from error


def _bare_rows(lines: Iterator[str], path: Path, faults: Faults, column: str) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if _is_text(line):
            yield Row(number, {column: line.rstrip("\r\n")})
        else:
            faults.add(path, number, "not UTF-8 text")


def _delimiter(path: Path, header: str) -> str:
    if ".tsv" in path.suffixes:
        return "\t"
    return max(",;\t", key=header.count)


def _is_text(line: str) -> bool:
    return not any("\udc80" <= character <= "\udcff" for character in line) if not line.isascii() else True
