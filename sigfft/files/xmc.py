"""The text format of the Extreme Classification repository, parsed strictly.

The first line is `points features labels`. Every other line is one point, `l1,l2,... f:v f:v ...`, ids from 0.
A point may have no labels (its line then starts with a space), no features, or neither. Files may be gzipped.

Lines may end in CRLF: the carriage return is dropped. Points may list their ids in any order: they are sorted.
Whatever else departs from the format is refused with the file and the line number; nothing is guessed or repaired.
"""

import dataclasses
import io
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int, Int32

from sigfft.files.lines import BROKEN_GZIP, limited_lines, opened

_NUMBER = rb"[-+]?+(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][-+]?+\d++)?+"
_FEATURE = re.compile(rb"\d++:" + _NUMBER)
_POINT = re.compile(rb"(?:\d++(?:,\d++)*+)?+(?: ++(?:" + _FEATURE.pattern + rb")?+)*+\r?\n?")
_HEADER = re.compile(rb"(\d{1,18}) +(\d{1,18}) +(\d{1,18}) *\r?\n?")
_GZIP_MAGIC = b"\x1f\x8b"
BLOCK_BYTES = 1 << 24  # of text parsed at a time


@dataclasses.dataclass(frozen=True)
class Header:
    """What the first line of a file promises."""

    points: int
    features: int
    labels: int


@dataclasses.dataclass(frozen=True)
class XmcData:
    """Points of one file, features and labels as compressed sparse rows with ascending ids.

    Point i has the labels `label_ids[label_indptr[i]:label_indptr[i + 1]]`, and likewise its features.
    """

    n_features: int
    n_labels: int
    label_indptr: Int[np.ndarray, " points_plus_1"]
    label_ids: Int32[np.ndarray, " active_labels"]
    feature_indptr: Int[np.ndarray, " points_plus_1"]
    feature_ids: Int32[np.ndarray, " nonzeros"]
    feature_values: Float32[np.ndarray, " nonzeros"]

    def __len__(self) -> int:
        return len(self.label_indptr) - 1


def is_header(line: bytes) -> bool:
    """Whether a first line is that of this format: three integers."""
    return _HEADER.fullmatch(line) is not None


def read_header(path: Path | str) -> Header:
    """The promises of a file's first line, without reading the rest.

    Raises:
      ValueError: the file is empty, or its first line is not `points features labels`.
    """
    with _open(Path(path)) as file:
        return _header(_first_line(file, Path(path)), Path(path))


def parse(path: Path | str, *, block_bytes: int = BLOCK_BYTES) -> XmcData:
    """One file, plain or gzipped; `block_bytes` as in `stream`.

    Raises:
      ValueError: in one line with the file and line number: no header, a header that lies about the points, features
        or labels, an id that is out of range or repeated, a value that is not a finite float32 number, a line longer
        than `lines.LONGEST_LINE`, or a gzip stream that ends early.
    """
    parts = list(stream(path, block_bytes=block_bytes))
    return XmcData(
        n_features=parts[0].n_features,
        n_labels=parts[0].n_labels,
        label_indptr=_indptr([np.diff(part.label_indptr) for part in parts]),
        label_ids=np.concatenate([part.label_ids for part in parts]),
        feature_indptr=_indptr([np.diff(part.feature_indptr) for part in parts]),
        feature_ids=np.concatenate([part.feature_ids for part in parts]),
        feature_values=np.concatenate([part.feature_values for part in parts]),
    )


def stream(path: Path | str, *, block_bytes: int = BLOCK_BYTES, labelled: bool = True) -> Iterator[XmcData]:
    """The points of one file in order, those of `block_bytes` of text at a time.

    Labels are not looked at where `labelled` is False: there may be none, nor a space in their place, nor any that the
    header promises; the points have none then.

    Raises:
      ValueError: as `parse`, where the fault is reached.
    """
    path = Path(path)
    with _open(path) as file:
        header = _header(_first_line(file, path), path, optional=() if labelled else ("labels",))
        yield from _points(file, header, path, block_bytes, keep=_whole if labelled else _unlabelled)


def stream_labels(file: io.BufferedIOBase, first_line: bytes, path: Path) -> Iterator[XmcData]:
    """The points of an open file whose first line has been read, without their features, which are not looked at.

    A header may then promise no features, and no points.

    Raises:
      ValueError: as `parse`, where the fault is reached.
    """
    header = _header(first_line, path, optional=("points", "features"))
    return _points(file, header, path, BLOCK_BYTES, keep=lambda line: line.partition(b" ")[0])


def _whole(line: bytes) -> bytes:
    return line


def _unlabelled(line: bytes) -> bytes:
    first, _, rest = line.partition(b" ")
    return b" " + (line if b":" in first else rest)


def _open(path: Path) -> io.BufferedIOBase:
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP_MAGIC
    return opened(path, zipped)


def _first_line(file: io.BufferedIOBase, path: Path) -> bytes:
    return next(_blocks(file, path, 1, first_line=1), [b""])[0]


def _points(
    file: io.BufferedIOBase, header: Header, path: Path, block_bytes: int, keep: Callable[[bytes], bytes]
) -> Iterator[XmcData]:
    """The points, of whose lines `keep` leaves what is to be parsed."""
    points = 0
    for lines in _blocks(file, path, block_bytes, first_line=2):
        if points + len(lines) > header.points:
            raise _fault(path, header.points + 2, f"the header promises {header.points} points; here is another")
        yield _parse_block(list(map(keep, lines)), header, path, first_line=points + 2)
        points += len(lines)
    if points < header.points:
        raise _fault(path, points + 1, f"the file ends after {points} points; the header promises {header.points}")


def _blocks(file: io.BufferedIOBase, path: Path, limit: int, first_line: int) -> Iterator[list[bytes]]:
    """The lines of a file in lists of about `limit` bytes: large files never lie in memory as text."""
    held: list[bytes] = []
    size = 0
    try:
        for line in limited_lines(file, path, first_line):
            held.append(line)
            size += len(line)
            if size >= limit:
                yield held
                first_line += len(held)
                held, size = [], 0
    except BROKEN_GZIP as error:
        # The block in hand is lost as a whole, so the stream breaks at its first line or later.
        raise _fault(path, first_line, f"the gzip stream breaks off after here ({error}); fetch it again") from error
    if held:
        yield held


def _header(line: bytes, path: Path, optional: Collection[str] = ()) -> Header:
    """The header in `line`; what is not `optional` must be at least 1."""
    if not line:
        raise _fault(path, 1, "the file is empty; expected the header `points features labels`")
    match = _HEADER.fullmatch(line)
    if match is None:
        raise _fault(path, 1, f"expected the header `points features labels`, three integers; given {_show(line)}")
    header = Header(*map(int, match.groups()))
    for name, count in dataclasses.asdict(header).items():
        fewest = 0 if name in optional else 1
        if not fewest <= count < 2**31:
            raise _fault(path, 1, f"the header promises {count} {name}; expected {fewest} to 2**31 - 1")
    return header


def _parse_block(lines: list[bytes], header: Header, path: Path, first_line: int) -> XmcData:
    for offset, line in enumerate(lines):
        if _POINT.fullmatch(line) is None:
            raise _fault(path, first_line + offset, _complaint(line))
    fields = [line.partition(b" ") for line in lines]
    labels = b" ".join([field[0] for field in fields]).replace(b",", b" ")
    features = b" ".join([field[2] for field in fields]).replace(b":", b" ")
    label_counts = np.array([field[0].count(b",") + bool(field[0].strip()) for field in fields])
    feature_counts = np.array([field[2].count(b":") for field in fields])
    pairs = _numbers(features).reshape(-1, 2)
    label_ids, _ = _ids(_numbers(labels), label_counts, header.labels, "label", path, first_line)
    feature_ids, order = _ids(pairs[:, 0], feature_counts, header.features, "feature", path, first_line)
    with np.errstate(over="ignore"):
        values = pairs[:, 1].astype(np.float32)
    if not np.isfinite(values).all():
        first = int(np.argmin(np.isfinite(values)))
        line_number = first_line + _row_of(first, feature_counts)
        raise _fault(path, line_number, f"value {pairs[first, 1]:g} of feature {pairs[first, 0]:.0f} exceeds float32")
    return XmcData(
        n_features=header.features,
        n_labels=header.labels,
        label_indptr=_indptr([label_counts]),
        label_ids=label_ids,
        feature_indptr=_indptr([feature_counts]),
        feature_ids=feature_ids,
        feature_values=values[order],
    )


def _numbers(text: bytes) -> Float[np.ndarray, " numbers"]:
    # NumPy warns of a text without numbers; `_POINT` has seen to it that there is nothing else between them.
    return np.fromstring(text, sep=" ") if text.strip() else np.zeros(0)


def _ids(
    given: Float[np.ndarray, " ids"], counts: Int[np.ndarray, " points"], n_ids: int, kind: str, path: Path, line: int
) -> tuple[Int32[np.ndarray, " ids"], Int[np.ndarray, " ids"] | slice]:
    """Checked ids, ascending within each point, and the order that sorts them."""
    if (given >= n_ids).any():
        first = int(np.argmax(given >= n_ids))
        raise _fault(
            path,
            line + _row_of(first, counts),
            f"{kind} id {given[first]:.0f} is out of range: the header promises {n_ids} {kind}s, 0 .. {n_ids - 1}",
        )
    keys = np.repeat(np.arange(len(counts)), counts) * n_ids + given.astype(np.int64)
    order: Int[np.ndarray, " ids"] | slice = slice(None)
    if not (np.diff(keys) > 0).all():
        order = np.argsort(keys, kind="stable")
        repeated = np.diff(keys[order]) == 0
        if repeated.any():
            row, label = divmod(int(keys[order][np.argmax(repeated)]), n_ids)
            raise _fault(path, line + row, f"{kind} id {label} is repeated; a point lists each id once")
    return given[order].astype(np.int32), order


def _complaint(line: bytes) -> str:
    """Why a line is not a point: names the first token that does not fit."""
    labels, _, features = line.rstrip(b"\r\n").partition(b" ")
    for token in labels.split(b",") if labels else []:
        if not token.isdigit():
            hint = "; a point without labels starts with a space" if b":" in token else ""
            return f"label {_show(token)} is not an id, an integer from 0{hint}"
    for token in features.split(b" "):
        if token and _FEATURE.fullmatch(token) is None:
            return f"feature {_show(token)} is not `id:value` with an id from 0 and a finite decimal number"
    return f"{_show(line)} is not a point: `l1,l2,... f:v f:v ...`"


def _show(token: bytes) -> str:
    text = token.decode("latin-1")
    return ascii(text if len(text) <= 40 else text[:37] + "...")


def _row_of(position: int, counts: Int[np.ndarray, " points"]) -> int:
    return int(np.searchsorted(np.cumsum(counts), position, side="right"))


def _indptr(counts: list[Int[np.ndarray, " _points"]]) -> Int[np.ndarray, " points_plus_1"]:
    return np.concatenate([[0], np.cumsum(np.concatenate(counts))])


def _fault(path: Path, line: int, complaint: str) -> ValueError:
    return ValueError(f"{path}:{line}: {complaint}")
