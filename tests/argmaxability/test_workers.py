import itertools

import joblib
import pytest

from sigfft.argmaxability.workers import in_order


@pytest.fixture
def pools(monkeypatch):
    """Pools that work here and now, last item first; an item "fatal" breaks its pool, "unlucky" only beside others."""
    made = []

    class Pool:
        def __init__(self, n_jobs, **_):
            self.items = []
            made.append((n_jobs, self.items))

        def __call__(self, tasks):
            while some := list(itertools.islice(tasks, 4)):
                for function, arguments, _ in reversed(some):
                    self.items.append(arguments[2])
                    if arguments[2] == "fatal" or (arguments[2] == "unlucky" and len(some) > 1):
                        raise RuntimeError("a worker was killed")
                    yield function(*arguments)

    monkeypatch.setattr(joblib, "Parallel", Pool)
    return made


def lost(item, error):
    return f"{item} is lost: {error}"


def test_results_are_in_order(pools):
    assert list(in_order(str.upper, list("abcdefghij"), lost, n_jobs=3)) == list("ABCDEFGHIJ")
    assert pools == [(3, list("dcbahgfeji"))]


def test_an_item_that_breaks_its_pool_alone_is_lost_and_no_other(pools):
    items = ["a", "fatal", "b", "c", "d", "unlucky", "e", "fatal", "f"]
    done = list(in_order(str.upper, items, lost, n_jobs=3))
    gone = "fatal is lost: a worker was killed"
    assert done == ["A", gone, "B", "C", "D", "UNLUCKY", "E", gone, "F"]
    assert [n_jobs for n_jobs, worked in pools] == [3, 2, 2, 3, 2, 2, 2, 2, 3]
    assert all(len(worked) == 1 for n_jobs, worked in pools if n_jobs == 2)


def test_an_error_is_passed_on_where_nothing_may_be_lost(pools):
    done = in_order(str.upper, ["a", "b", "c", "d", "fatal"], None, n_jobs=3)
    assert list(itertools.islice(done, 4)) == ["A", "B", "C", "D"]
    with pytest.raises(RuntimeError, match="a worker was killed"):
        next(done)


def test_where_every_pool_breaks_the_work_is_given_up(pools):
    assert set(in_order(str.upper, ["fatal"] * 300, lost, n_jobs=3)) == {"fatal is lost: a worker was killed"}
    assert len(pools) < 30


def test_pools_that_cannot_be_had_are_asked_for_once(monkeypatch):
    asked = []

    def none(self, tasks):
        asked.append(self)
        raise OSError("no processes")

    monkeypatch.setattr(joblib.Parallel, "__call__", none)
    assert list(in_order(str.upper, ["a", "b"], lost)) == ["a is lost: no processes", "b is lost: no processes"]
    assert len(asked) == 1
