"""Label sets in a file: comma-separated lines, JSON lines, or the XMC format, each also gzipped."""

import io
import itertools
import json
import reprlib
from collections import Counter
from pathlib import Path

from sigfft.files import xmc
from sigfft.files.lines import BROKEN_GZIP, limited_lines, opened

_IDS = 2**31  # ids are int32
_OUTSIDE = "label id {} is not in 0 .. 2**31 - 1, the ids that there can be"


def load_label_sets(path: str | Path) -> tuple[list[list[int]], int | None]:
    """The label sets of a file in order, and the number of labels where the file says it (XMC).

    text: one set a line, `3,17,20`; an empty line is the empty set. JSON lines (.jsonl): a list a line. XMC: first
    line `points features labels`, then `3,17,20 f:v f:v ...` a line, with a space first where there are no labels;
    features are not looked at, and ids come back in ascending order.

    Raises:
      ValueError: a line that is none of these, that repeats an id, holds one from 2**31 on or is longer than
        `lines.LONGEST_LINE`, with its number; or, of XMC, an id that is out of range, or another number of points than
        the file announces.
    """
    path = Path(path)
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    with opened(path, zipped=path.suffix == ".gz") as file:
        return read_label_sets(file, path, as_json=plain.suffix in (".jsonl", ".json"))


def read_label_sets(file: io.BufferedIOBase, path: Path, as_json: bool) -> tuple[list[list[int]], int | None]:
    """`load_label_sets` of an open file, which is read once, as a pipe can be; errors name it by `path`."""
    parse = _json_set if as_json else _text_set
    sets: list[list[int]] = []
    try:
        lines = limited_lines(file, path)
        first = next(lines, b"")
        if parse is _text_set and xmc.is_header(first):
            return _xmc_sets(file, first, path)  # the XMC parser goes on where the first line ends
        for number, line in enumerate(itertools.chain([first] if first else [], lines), 1):
            try:
                sets.append(_checked(parse(line.decode().rstrip("\r\n"))))
            except UnicodeDecodeError as error:
                raise ValueError(f"{path}, line {number}: not text: {error}") from error
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from error
    except BROKEN_GZIP as error:
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
    try:
        return [int(word) for word in words]
    except ValueError:  # int() refuses thousands of digits
        raise ValueError(_OUTSIDE.format(max(words, key=len)[:20] + "...")) from None


def _json_set(line: str) -> list[int]:
    try:
        ids = json.loads(line)
    except (ValueError, RecursionError):
        ids = None
    if not isinstance(ids, list) or not all(type(i) is int for i in ids):
        raise ValueError(f"expected a JSON list of label ids; given {line[:60]!r}")
    return ids


def _checked(ids: list[int]) -> list[int]:
    if ids and not 0 <= min(ids) <= max(ids) < _IDS:
        outside = next(i for i in ids if not 0 <= i < _IDS)
        raise ValueError(_OUTSIDE.format(reprlib.repr(outside)))
    if len(set(ids)) < len(ids):
        (repeated, _), *_ = Counter(ids).most_common(1)
        raise ValueError(f"label id {repeated} is repeated; a set holds each id once")
    return ids
