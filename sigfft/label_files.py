"""Read label sets from a file: comma-separated lines, JSON lines, or the XMC format, each also gzipped."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path


def load_label_sets(path: str | Path) -> tuple[list[list[int]], int | None]:
    """The label sets of a file in order, and the number of labels where the file says it (XMC).

    text: one set a line, `3,17,20`; an empty line is the empty set. JSON lines (.jsonl): a list a line. XMC: first
    line `points features labels`, then `3,17,20 f:v f:v ...` a line, with a space first where there are no labels.

    Raises:
      ValueError: a line that is none of these, or that repeats an id, with its number; or a file with fewer points
        than it announces.
    """
    path = Path(path)
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    parse = _json_set if plain.suffix in (".jsonl", ".json") else _text_set
    sets: list[list[int]] = []
    header = None
    for number, line in enumerate(_lines(path), 1):
        if number == 1 and parse is _text_set and _is_header(line):
            header = [int(word) for word in line.split()]
            continue
        try:
            ids = parse(line.split(" ")[0] if header else line)
            if len(set(ids)) < len(ids):
                repeated = next(i for i in ids if ids.count(i) > 1)
                raise ValueError(f"label id {repeated} is repeated; a set holds each id once")
            sets.append(ids)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    if header is None:
        return sets, None
    if len(sets) != header[0]:
        raise ValueError(f"{path} announces {header[0]} points and holds {len(sets)}: truncated, or a wrong first line")
    return sets, header[2]


def _lines(path: Path) -> Iterator[str]:
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
            for line in file:
                yield line.rstrip("\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is damaged or truncated: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text: {error}") from error


def _is_header(line: str) -> bool:
    words = line.split()
    return len(words) == 3 and all(word.isdecimal() for word in words)


def _text_set(line: str) -> list[int]:
    words = [word.strip() for word in line.split(",")] if line.strip() else []
    if not all(word.isascii() and word.isdecimal() for word in words):
        raise ValueError(f"expected label ids separated by commas; given {line[:60]!r}")
    return [int(word) for word in words]


def _json_set(line: str) -> list[int]:
    try:
        ids = json.loads(line)
    except json.JSONDecodeError:
        ids = None
    if not isinstance(ids, list) or not all(type(i) is int for i in ids):
        raise ValueError(f"expected a JSON list of label ids; given {line[:60]!r}")
    return ids
