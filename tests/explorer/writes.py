"""What this process writes to disk, seen where Python opens files."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_WATCHED: list[list[str]] = []
_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _note(event: str, told: tuple) -> None:
    if event == "open" and _WATCHED and isinstance(told[2], int) and told[2] & _FOR_WRITING:
        path = os.fspath(told[0]) if isinstance(told[0], str | bytes | os.PathLike) else told[0]
        if not str(path).startswith("/dev/") and "__pycache__" not in str(path):  # Python's own
            _WATCHED[-1].append(str(path))


sys.addaudithook(_note)  # for good: Python knows no way to take one away


@contextmanager
def no_writes() -> Iterator[None]:
    """Raise an AssertionError where a file was opened for writing meanwhile, in any thread."""
    _WATCHED.append([])
    try:
        yield
    finally:
        written = _WATCHED.pop()
    assert written == []
