import threading

import pytest

from sigfft.training import watchdog
from sigfft.training.watchdog import step_watch


@pytest.fixture
def ended(monkeypatch):
    """Set, to the status, where the process would end."""
    statuses = []
    done = threading.Event()
    monkeypatch.setattr(watchdog.os, "_exit", lambda status: (statuses.append(status), done.set()))
    return statuses, done


def test_a_step_that_takes_too_long_ends_the_run_with_its_stack_and_a_line(ended, capfd, monkeypatch):
    statuses, done = ended
    told = []
    monkeypatch.setattr(watchdog, "tell_failure", told.append)

    def stalled():
        assert done.wait(10)

    with step_watch(0.05)(17):
        stalled()
    assert statuses == [2]
    assert told == ["step 17 took longer than optim.step_timeout=0.05 s"]
    lines = capfd.readouterr().err.splitlines()
    assert any("test_watchdog.py" in line and "in stalled" in line for line in lines)
    assert lines[-1].startswith(
        "sigfft train: step 17 took longer than optim.step_timeout=0.05 s; its stacks are above"
    )


def test_a_step_in_time_and_no_limit_end_nothing(ended):
    statuses, done = ended
    for seconds in (0.1, 0.0, 1e300):
        with step_watch(seconds)(1):
            pass
    assert not done.wait(0.2)
    assert not statuses
