"""Verdicts and the file format of them: JSON lines, one for each label set, with one reader and one writer."""

import contextlib
import gzip
import io
import json
import os
import reprlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
from jaxtyping import Int

from sigfft import labels
from sigfft.argmaxability.layer import Digest
from sigfft.argmaxability.proofs.certificate import Certificate
from sigfft.argmaxability.proofs.witness import ExactWitness, Witness
from sigfft.files import replacing
from sigfft.files.documents import parsed
from sigfft.files.lines import BROKEN_GZIP, opened

STATUSES = ("argmaxable", "unargmaxable", "undecided")
_LAYER = {"rule": (str,), "n_labels": (int,), "dim": (int,), "weight": (dict,), "bias": (dict, type(None))}
_FED = {
    "domain": (str, list),
    "projection": (dict, type(None)),
}  # left out where it is "any", and none
_PLAIN = Digest("", 0, 0, {}, None)


@dataclass(frozen=True)
class Verdict:
    """What is known of one label set. A status other than "undecided" has been proved exactly."""

    status: str
    margin: tuple[float, float]
    method: str  # the stage that decided
    witness: Witness | None = None
    certificate: Certificate | None = None
    seconds: float = 0.0
    reason: str = ""  # why it is undecided


class Line(NamedTuple):
    """One line of a file: the verdict on a label set of a layer.

    `sets` is the number of lines of the whole file, so that a reader sees whether some are missing; None: unknown.
    """

    labels: list[int]
    verdict: Verdict
    layer: Digest
    sets: int | None = None

    def to_json(self) -> str:
        """The line's text; floats are written so that they read back to the same bits."""
        proof = self.verdict.certificate
        record = {
            "labels": list(self.labels),
            "status": self.verdict.status,
            "margin": list(self.verdict.margin),
            "method": self.verdict.method,
            "witness": _plain(self.verdict.witness),
            "certificate": None if proof is None else {"labels": proof.labels, "multipliers": proof.multipliers},
            "seconds": self.verdict.seconds,
            "reason": self.verdict.reason,
        }
        whole = {} if self.sets is None else {"sets": self.sets}
        layer = asdict(self.layer)
        fed = {name for name in _FED if getattr(self.layer, name) == getattr(_PLAIN, name)}  # as ever, and so left out
        layer = {name: value for name, value in layer.items() if name not in fed}
        return json.dumps(record | layer | whole, allow_nan=False)


def read_line(text: str) -> Line:
    """The inverse of `Line.to_json`. What a line claims is proved elsewhere.

    Fields that only tell how a verdict was found may be missing.

    Raises:
      ValueError: it is not a JSON object, or a field is missing or has another form; the message names it.
    """
    try:
        record = parsed(text)
    except ValueError as error:
        raise ValueError(f"not a JSON object; the file may be truncated ({error})") from None
    if not isinstance(record, dict):
        raise ValueError(f"not a JSON object: {reprlib.repr(record)}")
    ids = _list(record, "labels", int)
    status = _field(record, "status")
    if status not in STATUSES:
        raise ValueError(f"status must be one of {', '.join(STATUSES)}; given {reprlib.repr(status)}")
    margin = _list(record, "margin", int, float)
    if len(margin) != 2:
        raise ValueError(f"margin must be a lower and an upper bound; given {reprlib.repr(margin)}")
    fed = {name: types for name, types in _FED.items() if name in record}
    layer = Digest(**{name: _field(record, name, *types) for name, types in (_LAYER | fed).items()})
    witness = _witness(record)
    if witness is not None and len(witness) != layer.dim:
        raise ValueError(f"witness must have dim = {layer.dim} numbers; it has {len(witness)}")
    proof, certificate = _field(record, "certificate", dict, type(None)), None
    if proof is not None:
        multipliers = map(float, _list(proof, "multipliers", int, float))
        certificate = Certificate(tuple(_list(proof, "labels", int)), tuple(multipliers))
    found = {"method": "", "seconds": 0.0, "reason": ""} | record
    sets = _field(record, "sets", int) if "sets" in record else None
    if sets is not None and sets < 1:
        raise ValueError(f"sets must be the number of lines of the file; given {sets}")
    seconds = _field(found, "seconds", int, float)
    _list({"seconds": [seconds]}, "seconds", int, float)  # no larger than floats are
    verdict = Verdict(
        status,
        (float(margin[0]), float(margin[1])),
        _field(found, "method", str),
        witness,
        certificate,
        float(seconds),
        _field(found, "reason", str),
    )
    return Line(ids, verdict, layer, sets)


class VerificationError(ValueError):
    """A file of verdicts holds a claim that is false, unproved, damaged, or about other weights; it names the line."""


def read_lines(
    path: str | os.PathLike, check: Callable[[Line], None] = lambda line: None
) -> Iterator[tuple[int, Line]]:
    """The lines of a file with their numbers, from 1. Blank lines, and a byte order mark, are passed over.

    Args:
      path: the file; gzipped where its suffix is .gz.
      check: raises ValueError for a line that is not wanted.

    Raises:
      VerificationError: at the first line that `read_line` or `check` refuses; at the end, if there was no line, or
        some of those that the file should have are missing; where a gzip stream breaks off.
    """
    declared = Counter[int | None]()  # how many lines there are of each value of `sets`
    with _text(Path(path)) as file:
        for number, text in enumerate(file, 1):
            if text.isspace():
                continue
            try:
                line = read_line(text)
                check(line)
            except ValueError as error:
                raise VerificationError(f"{path}, line {number}: {error}") from error
            declared[line.sets] += 1
            yield number, line
    if not declared:
        raise VerificationError(f"{path} holds no verdict; expected one JSON object per line, as Report.save writes")
    for sets, count in declared.items():  # whole files may follow each other in one
        if sets is not None and count % sets:
            raise VerificationError(
                f"{path} lacks lines: {count} are of a report of {sets} sets; the file may be truncated"
            )


@contextlib.contextmanager
def _text(path: Path) -> Iterator[io.TextIOWrapper]:
    raw = opened(path, zipped=path.suffix == ".gz")
    with io.TextIOWrapper(cast(IO[bytes], raw), encoding="utf-8-sig", errors="replace") as file:
        try:
            yield file
        except BROKEN_GZIP as error:
            raise VerificationError(f"{path}: the gzip stream is damaged or breaks off ({error})") from error


def write(
    path: str | os.PathLike, padded: Int[np.ndarray, "sets width"], verdicts: Sequence[Verdict], layer: Digest
) -> None:
    """Write a file of the verdicts on these label sets: whole, or not at all; gzipped where its suffix is .gz."""
    sets = labels.unpack(padded, layer.n_labels)
    with contextlib.ExitStack() as stack:
        part = stack.enter_context(replacing(path))
        file: IO[bytes] = stack.enter_context(part.open("wb"))
        if Path(path).suffix == ".gz":  # without name and time, so that equal verdicts are equal bytes
            zipped = gzip.GzipFile("", "wb", fileobj=file, mtime=0)
            file = cast(IO[bytes], stack.enter_context(zipped))
        for ids, verdict in zip(sets, verdicts, strict=True):
            file.write(f"{Line(ids, verdict, layer, len(verdicts)).to_json()}\n".encode())


def _plain(witness: Witness | None) -> Any:
    """A witness as JSON: a list of floats; or whole numbers in hexadecimal, which have no limit of length."""
    if isinstance(witness, ExactWitness):
        return {"numerators": [hex(v) for v in witness.numerators], "denominator": hex(witness.denominator)}
    return None if witness is None else witness.tolist()


def _witness(record: dict) -> Witness | None:
    given = _field(record, "witness", list, dict, type(None))
    if given is None:
        return None
    if isinstance(given, list):
        return np.array(_list(record, "witness", int, float), np.float64)
    try:
        numerators = tuple(int(value, 16) for value in _list(given, "numerators", str))
        return ExactWitness(numerators, int(_field(given, "denominator", str), 16))
    except ValueError as error:
        raise ValueError(f"an exact witness holds numerators and a denominator in hexadecimal: {error}") from None


def _field(record: dict, name: str, *types: type) -> Any:
    """A field of a record, of one of the types where any is given; a bool is no int."""
    if name not in record:
        raise ValueError(f"has no {name!r}")
    if types and type(record[name]) not in types:
        expected = " or ".join("null" if kind is type(None) else kind.__name__ for kind in types)
        raise ValueError(f"{name} must be {expected}; given {reprlib.repr(record[name])}")
    return record[name]


def _list(record: dict, name: str, *types: type) -> list:
    values = _field(record, name, list)
    for value in values:
        if type(value) not in types or (float in types and abs(value) > sys.float_info.max):
            raise ValueError(
                f"{name} must be a list of {' or '.join(t.__name__ for t in types)}; given {reprlib.repr(value)}"
            )
    return values
