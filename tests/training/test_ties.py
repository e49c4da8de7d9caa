"""The ties between processes, here between threads: what each says before it would end."""

import contextlib
import queue
import socket
import threading
import time

import pytest

from sigfft.training import ties
from sigfft.training.ties import Ties


@pytest.fixture
def said(monkeypatch):
    """What is said before an end, which does not come."""
    monkeypatch.setattr(ties.os, "_exit", lambda status: None)
    return queue.Queue()


@pytest.fixture
def tied(said):
    """A function that gives the ties of all processes of a run, in order."""
    made = []

    def tie(count):
        members = [Ties(i, count, 5.0, lambda line, i=i: said.put((i, line))) for i in range(count)]
        made.extend(members)
        with ties.listen(0) as listener:
            address = ("localhost", listener.getsockname()[1])
            comers = [threading.Thread(target=ties.come, args=(other, address, 10)) for other in members[1:]]
            for comer in comers:
                comer.start()
            ties.gather(members[0], listener, 10, 1234)
            for comer in comers:
                comer.join()
        return members

    yield tie
    for member in made:
        member._over = True
    for member in made:
        cut(member)


def cut(member):
    for connection in member.peers.values():
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def lines(said, count):
    return dict(said.get(timeout=10) for _ in range(count))


def test_a_process_that_fails_ends_all_others_with_its_reason(said, tied):
    members = tied(3)
    members[1].fail("ValueError: no data")
    told = lines(said, 2)
    assert told.keys() == {0, 2}
    for line in told.values():
        assert line.startswith("process 1 of 3 (")
        assert line.endswith(") failed: ValueError: no data")
    assert said.empty()


@pytest.mark.parametrize("lost", [0, 2])
def test_a_process_that_is_lost_ends_all_others(said, tied, lost):
    members = tied(3)
    members[lost]._over = True  # it says nothing more
    cut(members[lost])
    told = lines(said, 2)
    assert told.keys() == {0, 1, 2} - {lost}
    for line in told.values():
        assert line.startswith(f"process {lost} of 3 (")
        assert line.endswith(") is gone without a word: it was killed, or its machine is down")


def test_all_leave_together_and_their_ends_are_no_loss(said, tied):
    members = tied(3)
    left = queue.Queue()
    for member in members[1:]:
        threading.Thread(target=lambda member=member: left.put(member.leave())).start()
    with pytest.raises(queue.Empty):
        left.get(timeout=0.2)  # the first has not come
    assert members[0].leave()
    assert [left.get(timeout=10) for _ in members[1:]] == [True, True]
    for member in members:
        cut(member)
    with pytest.raises(queue.Empty):
        said.get(timeout=0.2)


def test_one_that_leaves_alone_waits_no_longer_than_it_says(tied):
    members = tied(2)
    assert not members[0].leave(0.05)
    assert not members[1].leave(0.05)


def test_a_second_process_of_one_id_is_refused(said):
    """It comes first to a run that waits for one more, and the first process has another there already."""
    first, own = Ties(0, 3, 5.0, said.put), Ties(1, 3, 5.0, said.put)
    refused, (near, far) = queue.Queue(), socket.socketpair()
    first.peers[1], first.who[1] = near, "elsewhere, pid 7"
    with near, far, ties.listen(0) as listener:

        def ask():
            with pytest.raises(ValueError, match="given 1 of 3; process 1 is there already") as raised:
                ties.come(own, ("localhost", listener.getsockname()[1]), 10)
            refused.put(str(raised.value))

        threading.Thread(target=ask).start()
        with pytest.raises(ValueError, match=r"process 2 of 3 did not come within 1 s"):
            ties.gather(first, listener, 1, 1234)
    assert refused.get(timeout=10).endswith("process 1 is there already (elsewhere, pid 7)")


def test_who_does_not_come_is_named(said):
    first = Ties(0, 3, 5.0, said.put)
    with ties.listen(0) as listener:
        address = ("localhost", listener.getsockname()[1])
        for index, count, reason in ((1, 2, "given 1 of 2"), (3, 3, "given 3 of 3")):
            refused = queue.Queue()

            def ask(index=index, count=count, refused=refused):
                with pytest.raises(ValueError, match="this run has processes 0 to 2") as raised:
                    ties.come(Ties(index, count, 5.0, said.put), address, 10)
                refused.put(str(raised.value))

            threading.Thread(target=ask).start()
            with pytest.raises(ValueError, match=r"processes 1, 2 of 3 did not come within 1 s; start all of them"):
                ties.gather(first, listener, 1, 1234)
            assert reason in refused.get(timeout=10)
        with pytest.raises(ValueError, match=rf"cannot listen at port {address[1]} of this host \(Address already in"):
            ties.listen(address[1])
    with pytest.raises(ValueError, match=rf"process 0 does not answer at localhost:{address[1]} within 0\.3 s"):
        ties.come(Ties(1, 2, 5.0, said.put), address, 0.3)


def test_a_relay_passes_on_both_ways_and_stays_open_when_the_far_end_is_gone():
    with socket.create_server(("localhost", 0)) as far:
        host, port = ties.relayed(far.getsockname()[:2]).split(":")
        near = socket.create_connection((host, int(port)))
        end, _ = far.accept()
        near.sendall(b"there")
        assert end.recv(10) == b"there"
        end.sendall(b"back")
        assert near.recv(10) == b"back"
        end.close()
    for _ in range(3):  # what is sent there no longer arrives, and nobody here need know
        near.sendall(b"lost")
        time.sleep(0.05)
    near.settimeout(0.2)
    with near, pytest.raises(TimeoutError):
        near.recv(1)
