"""The log of a run: what it holds, and that it never ends one."""

import json
import resource
import sys

import pytest
from tensorboardX.event_file_writer import EventsWriter

from sigfft.training import events
from sigfft.training.log import RunLog, forget_after, read_log
from sigfft.training.workdir import Workdir


def test_a_log_file_has_no_bar_and_a_terminal_has_one(tmp_path, capsys, monkeypatch):
    for shown in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda shown=shown: shown)
        log = RunLog(Workdir(tmp_path), "dft", 0, 4)
        log.progress(2, loss="0.5")
        log.close()
        assert ("2/4" in capsys.readouterr().err) == shown


@pytest.fixture
def full_disk():
    """Until it is called, no file can grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def steps_of(workdir):
    return [event.step for event in events.read_events(workdir.events("dft")) if event.HasField("summary")]


def test_a_full_disk_is_said_once_and_nothing_is_lost(tmp_path, caplog, full_disk):
    workdir = Workdir(tmp_path)
    log = RunLog(workdir, "dft", 0, 100)
    for step in range(1, 31):  # tensorboardX's queue of ten would block here
        log.write(step, {"loss": 1.0 / step, "dev P@1": 0.5})
    assert read_log(workdir) == steps_of(workdir) == []
    full_disk()
    log.write(31, {"loss": 0.0})
    log.close()
    (warning,) = (record.getMessage() for record in caplog.records)
    assert warning.startswith("the log cannot be written (")
    assert warning.endswith("metrics.jsonl'); training goes on, and writes it when it can")
    assert [line["step"] for line in read_log(workdir)] == steps_of(workdir) == [*range(1, 32)]
    tags = {value.tag for event in events.read_events(workdir.events("dft")) for value in event.summary.value}
    assert tags == {"loss", "dev_P_at_1"}


def test_a_log_that_stays_full_ends_nothing(tmp_path, caplog, full_disk):
    log = RunLog(Workdir(tmp_path), "dft", 0, 100)
    log.write(1, {"loss": 1.0})
    log.close()
    assert len(caplog.records) == 1


def test_steps_that_are_taken_again_are_logged_once(tmp_path):
    workdir = Workdir(tmp_path)
    for first, last in ((0, 9), (6, 12)):
        forget_after(workdir, "dft", first)
        log = RunLog(workdir, "dft", first, 12)
        for step in range(first + 1, last + 1):
            log.write(step, {"loss": 1.0})
        log.close()
    (path, *_) = workdir.events("dft").iterdir()
    assert [line["step"] for line in read_log(workdir)] == steps_of(workdir) == [*range(1, 13)]
    whole = path.read_bytes()
    path.write_bytes(whole + events.scalar_record(7, {"loss": 1.0})[:25])  # killed in the middle of a record
    forget_after(workdir, "dft", 12)
    assert path.read_bytes() == whole
    forget_after(workdir, "dft", 11)
    assert [line["step"] for line in read_log(workdir)] == steps_of(workdir) == [*range(1, 12)]


def test_another_heads_lines_stay(tmp_path):
    workdir = Workdir(tmp_path)
    lines = [{"head": head, "step": step} for head in ("a", "b") for step in (1, 2)]
    workdir.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"head": "b", "st')
    forget_after(workdir, "a", 1)
    assert read_log(workdir) == [lines[0], *lines[2:]]
    assert workdir.metrics.read_text().endswith('{"head": "b", "step": 2}\n')


def test_events_are_byte_for_byte_what_tensorboardx_writes(tmp_path):
    log = RunLog(Workdir(tmp_path), "dft", 0, 4)
    log.write(3, {"loss": 0.5})
    log.close()
    (own,) = (tmp_path / "events").rglob("*tfevents*")
    version, event = events.read_events(own.parent)
    writer = EventsWriter(str(tmp_path / "theirs"))
    writer.write_event(event)
    writer.close()
    (theirs,) = tmp_path.glob("theirs*")
    begin = 16 + version.ByteSize()  # it holds the time
    assert version.file_version == "brain.Event:2"
    assert own.read_bytes()[begin:] == theirs.read_bytes()[begin:]
