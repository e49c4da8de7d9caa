"""Label sets in a file: comma-separated lines, JSON lines, or the XMC format, each also gzipped."""

import gzip
import io
import itertools
import json
import zlib
from pathlib import Path

from sigfft.files import xmc


def load_label_sets(path: str | Path) -> tuple[list[list[int]], int | None]:
    """The label sets of a file in order, and the number of labels where the file says it (XMC).

    text: one set a line, `3,17,20`; an empty line is the empty set. JSON lines (.jsonl): a list a line. XMC: first
    line `points features labels`, then `3,17,20 f:v f:v ...` a line, with a space first where there are no labels;
    features are not looked at, and ids come back in ascending order.

    Raises:
      ValueError: a line that is none of these, or that repeats an id, with its number; or, of XMC, an id that is out
        of range, or another number of points than the file announces.
    """
    path = Path(path)
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    parse = _json_set if plain.suffix in (".jsonl", ".json") else _text_set
    sets: list[list[int]] = []
    # Opened once, since a pipe cannot be read twice: the XMC parser goes on where the first line ends.
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        try:
            first = file.readline()
            if parse is _text_set and xmc.is_header(first):
                return _xmc_sets(file, first, path)
            lines = itertools.chain([first] if first else [], file)
            for number, line in enumerate(lines, 1):
                try:
                    sets.append(_distinct(parse(line.decode().rstrip("\r\n"))))
                except UnicodeDecodeError as error:
                    raise ValueError(f"{path}, line {number}: not text: {error}") from error
                except ValueError as error:
                    raise ValueError(f"{path}, line {number}: {error}") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} is damaged or truncated: {error}") from error
    return sets, None


def _xmc_sets(file: io.BufferedIOBase, first_line: bytes, path: Path) -> tuple[list[list[int]], int]:
    sets: list[list[int]] = []
    for part in xmc.stream_labels(file, first_line, path):
        ids = part.label_ids.tolist()
        sets.extend(ids[start:end] for start, end in itertools.pairwise(part.label_indptr.tolist()))
    return sets, int(first_line.split()[2])


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


def _distinct(ids: list[int]) -> list[int]:
    if len(set(ids)) < len(ids):
        repeated = next(i for i in ids if ids.count(i) > 1)
        raise ValueError(f"label id {repeated} is repeated; a set holds each id once")
    return ids
