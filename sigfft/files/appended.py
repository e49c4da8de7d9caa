"""Files that grow by whole records, on disks that may be full."""

import os
from pathlib import Path

from sigfft.files.atomic import replacing


class AppendedFile:
    """A file that records are appended to, each at once and whole.

    A record that cannot be written, because the disk is full, is kept and written with the next one. The file is made
    by the first record.
    """

    def __init__(self, path: Path):
        self.path = path
        self._file: int | None = None
        self._kept = bytearray()

    def write(self, record: bytes) -> None:
        """Appends a record, after those that could not be written before.

        Raises:
          OSError: it cannot be written now. The file ends with the last record that could be.
        """
        self._kept += record
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        end = os.fstat(self._file).st_size
        left = bytes(self._kept)
        try:
            while left:  # of a disk that is almost full, one call takes a part
                left = left[os.write(self._file, left) :]
        except OSError as error:
            os.ftruncate(self._file, end)
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        self._kept.clear()

    def close(self) -> None:
        """Tries once more to write what was kept, and closes the file; errors as in `write`."""
        try:
            if self._kept:
                self.write(b"")
        finally:
            if self._file is not None:
                os.close(self._file)
                self._file = None


def keep_only(path: Path, kept: bytes) -> None:
    """Leaves `kept`, some of the records of a file, in it, whole or not at all; the beginning takes no room on disk."""
    content = path.read_bytes()
    if content == kept:
        return
    if content.startswith(kept):
        os.truncate(path, len(kept))
        return
    with replacing(path) as part:
        part.write_bytes(kept)
