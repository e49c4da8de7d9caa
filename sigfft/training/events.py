"""Events for TensorBoard, as records: tensorboardX's messages without its writer, whose thread a full disk ends."""

import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import masked_crc32c

from sigfft.files.appended import keep_only

_FRAME = 16  # bytes of a record beside its event: its length and a checksum before it, another checksum after it


def new_file(folder: Path) -> Path:
    """Where a process that starts now writes its events: TensorBoard reads the files of a folder in order of time."""
    return folder / f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"


def first_records(step: int) -> bytes:
    """What a file begins with whose events come after a step; a TensorBoard that shows later ones forgets them."""
    version = Event(wall_time=time.time(), step=step, file_version="brain.Event:2")
    start = Event(wall_time=time.time(), step=step + 1, session_log=SessionLog(status=SessionLog.START))
    return _record(version) + (_record(start) if step else b"")


def scalar_record(step: int, scalars: Mapping[str, float]) -> bytes:
    """One event with scalars by name, of which TensorBoard takes neither "@" nor spaces."""
    named = {name.replace("@", "_at_").replace(" ", "_"): value for name, value in scalars.items()}
    values = [Summary.Value(tag=name, simple_value=value) for name, value in named.items()]
    return _record(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))


def drop_after(folder: Path, step: int) -> None:
    """Removes the events of a folder after a step, and half a record that a killed process left."""
    for path in folder.glob("*tfevents*"):
        keep_only(path, b"".join(record for event, record in _records(path.read_bytes()) if event.step <= step))


def read_events(folder: Path) -> list[Event]:
    """The events of a folder, in order of its files."""
    return [event for path in sorted(folder.glob("*tfevents*")) for event, _ in _records(path.read_bytes())]


def _record(event: Event) -> bytes:
    content = event.SerializeToString()
    length = struct.pack("<Q", len(content))
    checksums = (struct.pack("<I", masked_crc32c(part)) for part in (length, content))
    return length + next(checksums) + content + next(checksums)


def _records(content: bytes) -> Iterator[tuple[Event, bytes]]:
    """The events of a file with their records, up to the first that is not whole."""
    start = 0
    while start + _FRAME <= len(content):
        (length,) = struct.unpack_from("<Q", content, start)
        record = content[start : start + _FRAME + length]
        if len(record) < _FRAME + length:
            return
        try:
            yield Event.FromString(record[12:-4]), record
        except DecodeError:
            return
        start += len(record)
