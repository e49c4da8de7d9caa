"""Locks between processes that end with the process that holds them, however it ends."""

import contextlib
import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from sigfft.files.documents import parsed

_LOG = logging.getLogger(__name__)


class Holder(NamedTuple):
    """The process that holds a lock, as it wrote into the lock's file."""

    host: str
    pid: int

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" if self.pid else "another process"


class HeldError(RuntimeError):
    """Another process holds the lock; `holder` says which."""

    def __init__(self, path: Path, holder: Holder):
        super().__init__(f"{path} is held by {holder}")
        self.holder = holder


@contextlib.contextmanager
def exclusive(path: Path, wait: bool = False) -> Iterator[Holder | None]:
    """Holds the lock of a file while the block lasts; the file is made, with its folder, and removed at the end.

    What counts is the kernel's lock on the file, which ends with its process, and not that the file is there: what a
    killed process left, or one before a reboot, is taken over. Of another host's process a file system that several
    share may not tell, so that a file that it left is in doubt.

    Args:
      path: the file.
      wait: wait, with a line in the log, for a process that holds the lock.

    Yields:
      None; or the holder in doubt. The lock is then not taken, and its file left as it is.

    Raises:
      HeldError: another process holds the lock, and `wait` is False.
    """
    with _open_locked(path, wait) as (file, certain):
        holder = _holder(file)
        here = socket.gethostname()
        if holder is not None and (holder.host != here or (not certain and _is_alive(holder.pid))):
            yield holder
            return
        try:
            file.truncate(0)
            with contextlib.suppress(OSError):  # on a full disk: it is held all the same, though none can read by whom
                os.write(file.fileno(), json.dumps(Holder(here, os.getpid())._asdict()).encode())
            yield None
        finally:
            path.unlink(missing_ok=True)  # while it is locked: who waited for it finds another file there, or none


@contextlib.contextmanager
def _open_locked(path: Path, wait: bool) -> Iterator[tuple[IO[str], bool]]:
    """The file, opened and locked, and whether its file system has locks: if not, only what it holds can tell."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("a+", encoding="utf-8")
        except FileNotFoundError:  # its folder was removed, by a process that found nothing to do there
            continue
        with file:
            certain = _lock(file, path, wait)
            if _is_at(file, path):
                yield file, certain
                return


def _lock(file: IO[str], path: Path, wait: bool) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(file, patience=1.0) or Holder("", 0)
        if not wait:
            raise HeldError(path, holder) from None
        _LOG.warning("waiting for %s, which holds %s", holder, path)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        return False
    return True


def _holder(file: IO[str], patience: float = 0.0) -> Holder | None:
    """Who wrote into the file, waiting so many seconds for one that has only opened it; None: nobody."""
    end = time.monotonic() + patience
    while True:
        file.seek(0)
        try:
            content = parsed(file.read())
            return Holder(str(content["host"]), int(content["pid"]))
        except (ValueError, TypeError, KeyError, OverflowError):
            if time.monotonic() >= end:
                return None
        time.sleep(0.02)


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether a file that is open is still the one of this name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # the second: no process can have this number
        return False
    except PermissionError:
        pass
    return True
