"""The lines of a verdict file: what each must hold, and whether all are there. What they claim is proved elsewhere."""

import json
import reprlib
import sys
from collections import Counter
from typing import Any

STATUSES = ("argmaxable", "unargmaxable", "undecided")
_LAYER = (("rule", str), ("n_labels", int), ("dim", int), ("weight", dict), ("bias", dict, type(None)))


def parse(line: str) -> dict:
    """One line as a record whose fields have the form that is saved, but for those that only tell how it was found.

    Raises:
      ValueError: it is not a JSON object, or a field is missing or has another form; the message names it.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a JSON object; the file may be truncated ({error})") from None
    if not isinstance(record, dict):
        raise ValueError(f"not a JSON object: {reprlib.repr(record)}")
    _list(record, "labels", int)
    if field(record, "status") not in STATUSES:
        raise ValueError(f"status must be one of {', '.join(STATUSES)}; given {reprlib.repr(record['status'])}")
    if len(_list(record, "margin", int, float)) != 2:
        raise ValueError(f"margin must be a lower and an upper bound; given {reprlib.repr(record['margin'])}")
    if field(record, "witness") is not None:
        _list(record, "witness", int, float)
    certificate = field(record, "certificate", dict, type(None))
    if certificate is not None:
        _list(certificate, "labels", int)
        _list(certificate, "multipliers", int, float)
    for name, *types in _LAYER:
        field(record, name, *types)
    if "sets" in record and field(record, "sets", int) < 1:
        raise ValueError(f"sets must be the number of lines of the file; given {record['sets']}")
    return record


def field(record: dict, name: str, *types: type) -> Any:
    """A field of a record, of one of the types where any is given; a bool is no int.

    Raises:
      ValueError: it is missing, or has another type.
    """
    if name not in record:
        raise ValueError(f"has no {name!r}")
    if types and type(record[name]) not in types:
        expected = " or ".join("null" if kind is type(None) else kind.__name__ for kind in types)
        raise ValueError(f"{name} must be {expected}; given {reprlib.repr(record[name])}")
    return record[name]


def missing(declared: Counter) -> str:
    """What a file lacks, or "". Whole files may follow each other in one; lines without `sets` tell nothing.

    Args:
      declared: how many lines there are of each value of the field `sets`, the number of lines of a whole file.
    """
    if not declared:
        return "holds no verdict; expected one JSON object per line, as Report.save writes"
    for sets, count in declared.items():
        if sets is not None and count % sets:
            return f"lacks lines: {count} are of a report of {sets} sets; the file may be truncated"
    return ""


def _list(record: dict, name: str, *types: type) -> list:
    values = field(record, name, list)
    for value in values:
        if type(value) not in types or (float in types and abs(value) > sys.float_info.max):
            raise ValueError(
                f"{name} must be a list of {' or '.join(t.__name__ for t in types)}; given {reprlib.repr(value)}"
            )
    return values
