"""JSON that others may have written, cut short or damaged: what it holds, or one line about what is wrong with it."""

import json
import reprlib
from pathlib import Path
from typing import Any

DEEPEST = 64  # lists and objects inside each other; nothing that this package writes comes near


def parsed(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
      ValueError: it is no JSON, or lists and objects lie more than `DEEPEST` deep inside each other.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(f"lists and objects lie more than {DEEPEST} deep inside each other") from None
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [own for outer in level for own in _inside(outer)]
        if not level:
            return value
    raise ValueError(f"lists and objects lie more than {DEEPEST} deep inside each other")


def read_object(path: Path) -> dict[str, Any]:
    """The object of a JSON file.

    Raises:
      OSError: the file cannot be read.
      ValueError: it is no JSON, or no object; the message names the file.
    """
    try:
        return _object(parsed(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON as it was written, damaged or truncated: {error}") from error


def read_objects(path: Path) -> list[dict[str, Any]]:
    """The objects of a file with one on each line. A last line without a line break is one that a kill cut short.

    Raises:
      OSError: the file cannot be read.
      ValueError: a line is no JSON, or no object; the message names the file and the line.
    """
    *whole, _ = path.read_bytes().split(b"\n")
    objects = []
    for number, line in enumerate(whole, 1):
        try:
            objects.append(_object(parsed(line)))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: not a JSON object, damaged or truncated: {error}") from error
    return objects


def _inside(value: Any) -> list[Any]:
    """What is directly inside a list or an object."""
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, {{...}}; given {reprlib.repr(value)}")
    return value
