"""Lines of a file, plain or gzipped, none so long that it fills the memory."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

LONGEST_LINE = 1 << 26  # bytes, 64 MiB: a set of six million labels. A small .gz may hold a line of a terabyte
BROKEN_GZIP = (EOFError, gzip.BadGzipFile, zlib.error)  # what reading raises where the stream ends early or is damaged


def opened(path: Path, zipped: bool) -> io.BufferedIOBase:
    """The file's bytes, unzipped where it is zipped."""
    return gzip.open(path, "rb") if zipped else path.open("rb")


def limited_lines(file: io.BufferedIOBase, path: Path, number: int = 1) -> Iterator[bytes]:
    """The lines of an open file from here on, of which the first is line `number`.

    Raises:
      ValueError: a line is longer than `LONGEST_LINE`; the message names the file and the line.
    """
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise ValueError(f"{path}, line {number}: longer than {LONGEST_LINE >> 20} MiB, the most that is read")
        yield line
        number += 1
