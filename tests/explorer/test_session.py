"""What the explorer answers, without any page."""

import itertools
import math

import numpy as np
import pytest
from explorer.small_layers import BIAS, CIRCLE, NAMES, head_and_params

import sigfft
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.neighbours import one_flip_away
from sigfft.argmaxability.proofs.certificate import Certificate
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.argmaxability.stages import Problem, decide
from sigfft.argmaxability.theory.sampling import clopper_pearson
from sigfft.explorer import Session
from sigfft.explorer import session as module


@pytest.fixture(scope="module")
def session():
    return Session(CIRCLE, BIAS, names=NAMES)


def one(events):
    (event,) = events
    return event


def ids(pairs):
    return [label for label, _ in pairs]


def test_verdicts_are_those_of_check(session):
    sets = [list(labels) for k in range(7) for labels in itertools.combinations(range(6), k)]
    report = sigfft.check(CIRCLE, sets, BIAS)
    for labels, status in zip(sets, report.status, strict=True):
        event = one(session.verdict(labels, "threshold"))
        assert (event["status"], ids(event["labels"])) == (status, labels)
        assert event["margin"][0] <= event["margin"][1]
    assert one(session.verdict([1], "argmax"))["status"] == "argmaxable"
    assert one(session.verdict([0, 3], "top_k"))["status"] == "unargmaxable"


@pytest.mark.parametrize(
    ("labels", "rule", "said"),
    [
        ([6], "threshold", "6"),
        ([1, 1], "threshold", "repeated"),
        ([0, 1], "argmax", "top_k"),
        ([0], "nonsense", "rule"),
    ],
)
def test_what_is_no_set_is_refused(session, labels, rule, said):
    with pytest.raises(ValueError, match=said):
        list(session.verdict(labels, rule))


def test_a_conflict_is_told_and_then_all_sets_one_label_away(session):
    events = list(session.details([0, 1, 2, 4], "threshold"))
    conflict = [event for event in events if event["kind"] == "conflict"]
    assert [event["final"] for event in conflict] == [False, True]
    core = sigfft.explain(CIRCLE, [0, 1, 2, 4], BIAS)
    assert (ids(conflict[-1]["on"]), ids(conflict[-1]["off"])) == (list(core.on), list(core.off))
    near = [event for event in events if event["kind"] == "near"]
    assert [sorted(event["labels"]) for event in near] == [[0, 1, 2]]
    assert near[0]["removed"] == [(4, "salt lake")]
    assert events[-1] == {"kind": "near_end", "all": True}


def test_labels_that_a_conflict_can_spare_are_left_out():
    weight, bias = np.array([[1.0], [-1.0], [0.0], [2.0]]), np.array([-1.0, 0.5, -1.0, 1.0])
    session = Session(weight, bias)
    cancels = Certificate((1, 2, 3), (2.0, 2.0, 1.0))  # though label 2 alone is impossible: its logit is -1
    session._verdict = lambda *asked: Verdict("unargmaxable", (-1.0, 0.0), "lp", certificate=cancels)
    events = [event for event in session.details([0, 1, 2, 3], "threshold") if event["kind"] == "conflict"]
    assert [(ids(event["on"]), event["off"]) for event in events] == [([1, 2, 3], []), ([2], [])]


def test_one_flip_away_leaves_out_no_set():
    rng = np.random.default_rng(3)
    weight, bias = rng.standard_normal((9, 3)), rng.standard_normal(9)
    problem = Problem.of(Layer.of(weight, bias))
    seen = 0
    for wanted in map(frozenset, list(itertools.combinations(range(9), 3))[::5]):
        explained = sigfft.explain(weight, sorted(wanted), bias)
        if explained.verdict.status != "unargmaxable":
            continue
        flipped = [sorted(wanted ^ {label}) for label in range(9)]
        status = sigfft.check(weight, flipped, bias).status
        expected = {tuple(labels) for labels, s in zip(flipped, status, strict=True) if s == "argmaxable"}
        found = [near.labels for some in one_flip_away(problem, wanted, explained.on + explained.off) for near in some]
        assert len(found) == len(set(found))
        assert set(found) == expected
        seen += len(found)
    assert seen > 5


def test_where_no_single_label_helps_the_nearest_set_is_approached(session):
    events = list(session.details([0, 2, 4], "threshold"))  # every second one
    flips = [event["flips"] for event in events if event["kind"] == "near"]
    assert flips == sorted(flips, reverse=True)
    assert (flips[-1], events[-1]) == (2, {"kind": "near_end", "all": False, "minimal": True})
    events = list(session.details([0, 3], "top_k"))  # a swap is two flips
    assert events[-1] == {"kind": "near_end", "all": False, "minimal": True}
    assert [event["flips"] for event in events if event["kind"] == "near"][-1] == 2


def test_out_of_time_is_said(session, monkeypatch):
    def slow(problem, padded, probes=0, time_limit=math.inf):
        if time_limit > 1:
            return decide(problem, padded, probes, time_limit)
        return [Verdict("undecided", (-0.5, 0.25), "lp", reason=f"the time limit of {time_limit:g} s was reached")]

    monkeypatch.setattr(module, "decide", slow)
    event = one(session.verdict([0, 1], "threshold", seconds=0.5))
    assert (event["status"], event["margin"]) == ("undecided", [-0.5, 0.25])
    assert event["reason"] == "the time limit of 0.5 s was reached"
    assert list(session.details([0, 3], "threshold", seconds=0.5)) == []  # no proof was found in this time
    assert one(session.verdict([0, 1], "threshold"))["status"] == "argmaxable"  # not remembered as undecided
    monkeypatch.setattr(module, "_NEAR_SECONDS", 0.0)
    assert list(session.details([0, 3], "top_k"))[-1] == {"kind": "near_end", "all": False, "minimal": False}
    assert list(session.details([0, 1, 2, 4], "threshold"))[-1] == {"kind": "near_end", "all": False}


@pytest.mark.parametrize(
    "text", ["0,1\n0,3\n\n0,1\n", "[0,1]\n[3,0]\n[]\n[1,0]\n", "4 9 6\n0,1 1:1\n0,3 1:1\n 1:1\n0,1 2:1\n"]
)
def test_many_sets_come_with_verdicts_and_counts(session, text):
    events = list(session.sets(text, "threshold"))
    rows = {tuple(row["labels"]): row for event in events for row in event["rows"]}
    assert {labels: (row["status"], row["times"]) for labels, row in rows.items()} == {
        (0, 1): ("argmaxable", 2),
        (0, 3): ("unargmaxable", 1),
        (): ("argmaxable", 1),
    }
    assert rows[0, 3]["shown"] == [(0, "sea"), (3, NAMES[3])]
    assert events[-1]["done"] == events[-1]["total"] == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2\nfish\n", "given sets, line 2.*fish"),
        ("9\n", "9"),
        ("", "1 to 200,000"),
        ("1 1 7\n0 1:1\n", "7 labels.*has 6"),
    ],
)
def test_text_that_holds_no_sets_is_refused(session, text, said):
    with pytest.raises(ValueError, match=said):
        list(session.sets(text, "threshold"))


def test_shares_are_exact_where_all_sets_are_few(session):
    *_, last = session.share(3, 1000, "threshold")
    assert (last["done"], last["total"], last["exact"]) == (20, 20, True)
    assert last["low"] == last["high"] == 6 / 20
    first, *_ = session.share(3, 1000, "threshold")
    assert first["low"] is None  # the first ones in order are no sample
    assert [last["exact"] for last in (list(session.share(3, count, "threshold"))[-1] for count in (20, 19))] == [1, 0]
    assert one(session.share(6, 5, "threshold"))["total"] == 1  # of all labels there is one set


def test_sampled_shares_have_an_interval(monkeypatch):
    rng = np.random.default_rng(0)
    weight, bias = rng.standard_normal((40, 6)), np.full(40, -1.0)
    drawn = []
    monkeypatch.setattr(
        module, "decide", lambda problem, sets, **limit: drawn.extend(sets) or decide(problem, sets, **limit)
    )
    events = list(Session(weight, bias).share(2, 60, "threshold"))
    assert [event["done"] for event in events[:3]] == [1, 3, 7]
    last = events[-1]
    assert not last["exact"]
    assert last["argmaxable"] == (sigfft.check(weight, np.array(drawn), bias).status == "argmaxable").sum() > 0
    assert (last["low"], last["high"]) == clopper_pearson(last["argmaxable"], 60, 0.95)
    assert len({tuple(sorted(labels)) for labels in np.array(drawn).tolist()}) > 50  # of 780: no batch is drawn again
    with pytest.raises(ValueError, match="1 to 40 labels here; given 41"):
        list(Session(weight).share(41, 5, "threshold"))
    with pytest.raises(ValueError, match="random sets; given 0"):
        list(Session(weight).share(2, 0, "threshold"))


def test_a_head_has_four_truths():
    head, params = head_and_params()
    session = Session.of_head(head, params, domain="nonnegative")
    assert session.about()["head"]
    for labels in ([3, 11], [0, 4, 8, 12, 16], []):
        padded = np.array([labels + [20] * (32 - len(labels))], np.int32)  # as the session has them: compiled once
        report = sigfft.check_head(head, params, padded, domain="nonnegative")
        events = [event for event in session.details(labels, "threshold") if event["kind"] == "truths"]
        assert events[0]["truths"]["deployed"] is None
        told = events[-1]["truths"]
        assert told["ideal"] == report.ideal[0]
        assert told["stored"] == report.stored[0]
        assert told["features"] == report.features[0]
        assert told["deployed"] == report.deployed[0]


def test_a_head_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(module, "_LARGEST", 100)
    with pytest.raises(ValueError, match="20 labels × 16 is too large to be explored"):
        Session.of_head(*head_and_params())


def test_labels_are_found_by_name_and_id(session):
    assert session.find("lake")["found"] == [(1, "lake"), (4, "salt lake")]
    assert session.find(" LAKE  salt ")["found"] == [(4, "salt lake")]
    assert session.find("3")["found"] == [(3, NAMES[3])]
    assert session.find("1")["found"] == [(1, "lake"), (2, NAMES[2])]  # the id, then a name that has it
    cased = Session(CIRCLE[:2], names=["Salt Lake", "Große Straße"])
    assert [ids(cased.find(text)["found"]) for text in ("lake", "Lake", "STRASSE")] == [[0], [0], [1]]
    assert session.find("whale") == {"kind": "found", "found": [], "total": 0}
    nameless = Session(np.eye(200)[:, :3] + 1e-3)
    everything = nameless.find("")
    assert (len(everything["found"]), everything["total"], everything["found"][7]) == (50, 200, (7, ""))
    assert [label for label, _ in nameless.find("19")["found"]] == [19, *range(190, 200), 119]
