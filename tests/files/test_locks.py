import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from sigfft.files import locks
from sigfft.files.locks import HeldError, Holder, exclusive

HOLD = """
import sys, time
from pathlib import Path
import locks  # alone: the package would take seconds to import
with locks.exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "lock"


@pytest.fixture
def other(lock):
    """A process that holds the lock."""
    module = Path(locks.__file__)  # alone: it takes a tenth of the time that all of the package takes
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (module.parent, module.parents[2])))}
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_one_holds_it_and_leaves_nothing(lock):
    with exclusive(lock) as in_doubt:
        assert in_doubt is None
        assert json.loads(lock.read_text()) == {"host": socket.gethostname(), "pid": os.getpid()}
        with pytest.raises(HeldError, match=rf"held by process {os.getpid()} on "), exclusive(lock):
            pass
        assert lock.exists()
    assert not lock.exists()


def test_another_process_is_named_until_it_is_killed(lock, other):
    with pytest.raises(HeldError) as error, exclusive(lock):
        pass
    assert error.value.holder == (socket.gethostname(), other.pid)
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert lock.exists()
    with exclusive(lock) as in_doubt:
        assert in_doubt is None
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert not lock.exists()


def test_who_waits_says_so_and_comes_after(lock, other, caplog):
    def waited():
        other.kill()
        other.wait()

    with ThreadPool(1) as threads:
        begun = threads.apply_async(lambda: [time.sleep(0.2), waited()])
        with exclusive(lock, wait=True) as in_doubt:
            assert in_doubt is None
        begun.get()
    assert f"waiting for process {other.pid} on " in caplog.text


def test_a_process_of_another_host_is_in_doubt_and_its_file_stays(lock):
    lock.write_text('{"host": "elsewhere", "pid": 7}')
    with exclusive(lock) as in_doubt:
        assert in_doubt == Holder("elsewhere", 7)
    assert json.loads(lock.read_text()) == {"host": "elsewhere", "pid": 7}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": "here"}', '{"host": "", "pid": 1e999}', "[" * 100_000])
def test_what_a_process_was_killed_in_the_middle_of_is_nobodys(lock, content):
    lock.write_text(content)
    with exclusive(lock) as in_doubt:
        assert in_doubt is None


@pytest.mark.parametrize("alive", [True, False])
def test_without_locks_in_the_file_system_the_process_decides(lock, alive, monkeypatch):
    def no_locks(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    monkeypatch.setattr("sigfft.files.locks._is_alive", lambda pid: alive and pid == 7)
    lock.write_text(json.dumps({"host": socket.gethostname(), "pid": 7}))
    with exclusive(lock) as in_doubt:
        assert (in_doubt is None) != alive


def test_of_many_that_find_a_stale_one_exactly_one_takes_it_at_a_time(lock):
    """Threads that each count up a file, as processes would: an update would be lost if two were inside at once."""
    counter = lock.with_name("counter")
    counter.write_text("0")
    lock.write_text(json.dumps({"host": socket.gethostname(), "pid": 1}))

    def count(_):
        done = 0
        while done < 20:
            try:
                with exclusive(lock):
                    value = int(counter.read_text())
                    time.sleep(0.0002)
                    counter.write_text(str(value + 1))
                    done += 1
            except HeldError:
                time.sleep(0.0005)

    with ThreadPool(4) as threads:
        threads.map(count, range(4))
    assert int(counter.read_text()) == 80


def test_it_is_held_on_a_full_disk_too(lock):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with exclusive(lock) as in_doubt:
            assert in_doubt is None
            with pytest.raises(HeldError, match="held by another process"), exclusive(lock):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not lock.exists()
