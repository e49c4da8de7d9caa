"""No answer waits for one that is no longer wanted."""

import queue
import threading

import pytest
from explorer.small_layers import BIAS, CIRCLE
from explorer.writes import no_writes
from threadpoolctl import threadpool_info

from sigfft.argmaxability import progress
from sigfft.explorer import Session
from sigfft.explorer.desk import Desk
from sigfft.explorer.lanes import Lane

SOON = 20  # seconds: an answer that takes longer is missing


class Heard:
    """Events, as they arrive in other threads."""

    def __init__(self):
        self._events = queue.Queue()

    def __call__(self, event):
        self._events.put(event)

    def next(self):
        return self._events.get(timeout=SOON)

    def rest(self):
        events = []
        while (event := self.next())["kind"] != "end":
            events.append(event)
        return events


def endless(began=None):
    """Steps that stand for a search of hours: it tells its progress and has no result."""
    if began is not None:
        began.set()
    while True:
        progress._WATCH.get().shown = 0.0  # as if time had passed
        progress.works_on("something long")
        yield from ()


def test_a_new_job_stops_the_one_before_inside_its_search():
    lane, long, short, began = Lane(), Heard(), Heard(), threading.Event()
    lane.ask(lambda: endless(began), long)
    assert began.wait(SOON)
    lane.ask(lambda: iter([{"kind": "answer"}]), short)
    assert long.rest() == [{"kind": "stopped"}]
    assert short.rest() == [{"kind": "answer"}]
    assert lane.idle.wait(SOON)


def test_the_first_lane_goes_first():
    first, go_on, begun = Lane(), threading.Event(), threading.Event()

    def held():
        begun.set()
        go_on.wait(SOON)
        yield {"kind": "answer"}

    second, early, late = Lane(first=first), Heard(), Heard()
    first.ask(held, early)
    assert begun.wait(SOON)
    second.ask(lambda: iter([{"kind": "late"}]), late)
    with pytest.raises(queue.Empty):
        late._events.get(timeout=0.2)
    go_on.set()
    assert early.rest() == [{"kind": "answer"}]
    assert late.rest() == [{"kind": "late"}]


def test_a_job_that_waits_for_another_lane_can_be_stopped():
    first, begun, heard = Lane(), threading.Event(), Heard()
    running = first.ask(lambda: endless(begun), Heard())
    assert begun.wait(SOON)
    Lane(first=first).ask(lambda: iter([{"kind": "answer"}]), heard).stop()
    assert heard.rest() == [{"kind": "stopped"}]
    running.stop()


def test_errors_are_told_and_the_lane_goes_on(capsys):
    lane = Lane()

    def faulty(error):
        yield {"kind": "first"}
        raise error

    for error, said in ((ValueError("no such set"), "no such set"), (KeyError("oops"), "KeyError: 'oops'")):
        heard = Heard()
        lane.ask(lambda error=error: faulty(error), heard)
        assert heard.rest() == [{"kind": "first"}, {"kind": "error", "text": said}]
    assert "oops" in capsys.readouterr().err


def test_small_products_have_one_thread_while_a_lane_is_busy_alone():
    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    before = threads()
    for _ in range(2):  # the second lane as well, whose thread is another
        heard = Heard()
        lane = Lane()
        lane.ask(lambda: iter([{"kind": "threads", "threads": threads()}]), heard)
        assert set(heard.rest()[0]["threads"]) == {1}
        assert lane.idle.wait(SOON)
    assert threads() == before


@pytest.fixture(scope="module")
def desk():
    return Desk(Session(CIRCLE, BIAS))


def answers(desk, **request):
    heard = Heard()
    desk.ask(request, heard)
    return heard.rest()


@no_writes()
def test_the_desk_answers_each_request_and_writes_nothing(desk):
    assert answers(desk, do="about")[0]["n_labels"] == 6
    assert answers(desk, do="find", text="3")[0]["found"] == [(3, "")]
    assert answers(desk, do="verdict", labels=[0, 1], rule="threshold")[0]["status"] == "argmaxable"
    assert answers(desk, do="details", labels=[0, 3], rule="threshold")[-1]["kind"] == "near_end"
    assert answers(desk, do="sets", text="0,1", rule="threshold")[0]["total"] == 1
    assert answers(desk, do="share", cardinality=2, count=99, rule="threshold")[-1]["high"] == 6 / 15


@pytest.mark.parametrize(
    "request_",
    [
        {"do": "verdict", "labels": "0,1", "rule": "threshold"},
        {"do": "verdict", "labels": [0, True], "rule": "threshold"},
        {"do": "verdict", "labels": [0], "rule": 3},
        {"do": "verdict", "labels": [0], "rule": "threshold", "seconds": 1e9},
        {"do": "share", "cardinality": 2.5, "count": 3, "rule": "threshold"},
        {"do": "find"},
    ],
)
def test_a_request_of_other_types_is_refused(desk, request_):
    (event,) = answers(desk, **request_)
    assert event["kind"] == "error"
    assert "given" in event["text"]


def test_an_unknown_request_is_refused(desk):
    with pytest.raises(ValueError, match=r"about, find, .*given 'rm'"):
        desk.ask({"do": "rm"}, Heard())
