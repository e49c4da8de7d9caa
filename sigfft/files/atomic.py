"""Files that appear whole or not at all."""

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no room on the disk, in the quota, in a file


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A name beside `path`, of the same suffix, to write to: it replaces `path` where the block ends.

    If the block raises, what it wrote is removed and `path` is as it was: readers never see a part. A link stays, and
    the file that it names is replaced. A device or a pipe is written to itself.

    Raises:
      OSError: nothing can be written there, or the disk is full; it names `path`.
    """
    path = Path(path)
    with naming_full_disk(path):
        if _is_special(path):
            yield path
            return
        path = path.resolve()
        part = _new_part(path)
        try:
            yield part
            if path.exists():
                shutil.copymode(path, part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def naming_full_disk(path: str | os.PathLike) -> Iterator[None]:
    """Where the block finds no room to write, its error says what was being written, and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        advice = f"{os.strerror(error.errno)}; free some space or write elsewhere, then run it again"
        raise OSError(error.errno, advice, str(path)) from error


def check_writable(path: str | os.PathLike, *read: Path | None) -> None:
    """Raises the OSError that `replacing` would, before the work rather than after it.

    Args:
      path: to be written.
      read: files that the work reads; None stands for none.

    Raises:
      ValueError: `path` is one of those, under this or another name.
    """
    path = Path(path)
    if _is_special(path):
        return
    if path.exists() and any(own is not None and own.exists() and path.samefile(own) for own in read):
        raise ValueError(f"{path} is read here, and would be lost; give another name to write to")
    _new_part(path.resolve()).unlink()


def _is_special(path: Path) -> bool:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return path.exists() and not path.is_file()


def _new_part(path: Path) -> Path:
    part = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        part.touch(exist_ok=False)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    return part


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file, UTF-8, whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def parts(path: Path) -> list[Path]:
    """What killed processes left of `replacing(path)`, or what others write there now; "*" in its name is any text."""
    return list(path.parent.glob(f".{path.stem}-{'[0-9a-f]' * 8}{path.suffix}"))


def remove_parts(path: Path) -> None:
    """Removes the `parts` of a path, where no other process can be writing it."""
    for part in parts(path):
        part.unlink(missing_ok=True)
