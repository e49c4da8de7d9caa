import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sigfft
from sigfft.argmaxability import Report, nearest, rules
from sigfft.argmaxability.rules import RULES, Rule
from sigfft.argmaxability.search import enumerate_sets
from sigfft.labels import pad

RNG = np.random.default_rng(0)
WEIGHT, BIAS = RNG.standard_normal((7, 2)), 0.3 * RNG.standard_normal(7)


@pytest.fixture
def pair(monkeypatch):
    """A rule of a user's own: the two largest logits."""
    monkeypatch.setitem(RULES, "pair", Rule("pair", free_level=True, cardinality=2))


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize("bias", [None, BIAS])
def test_a_new_rule_is_an_entry_of_the_table(bias, tmp_path):
    sets = [list(s) for s in itertools.combinations(range(7), 2)]
    report = sigfft.check(WEIGHT, sets, bias, "pair", on_error="raise", resume_dir=tmp_path / "batches")
    assert report.status.tolist() == sigfft.check(WEIGHT, sets, bias, "top_k").status.tolist()
    assert {"argmaxable", "unargmaxable"} == set(report.status)
    report.save(tmp_path / "verdicts.jsonl")
    assert Report.load(tmp_path / "verdicts.jsonl").layer.rule == "pair"
    counts = sigfft.verify(tmp_path / "verdicts.jsonl", WEIGHT, bias)
    assert counts["argmaxable"] == (report.status == "argmaxable").sum()
    unargmaxable = sets[int(np.argmax(report.status == "unargmaxable"))]
    assert len(nearest(WEIGHT, unargmaxable, bias, "pair").labels) == 2
    found, _ = enumerate_sets(WEIGHT, bias, "pair", n_directions=2000)
    reachable = {tuple(s) for s, status in zip(sets, report.status, strict=True) if status == "argmaxable"}
    assert set(map(tuple, found.tolist())) <= reachable
    with pytest.raises(ValueError, match="the pair rule has exactly 2 labels in each set; set 1 has 1"):
        sigfft.check(WEIGHT, [[0, 1], [2]], bias, "pair")


@pytest.mark.usefixtures("pair")
def test_a_new_rule_is_one_for_heads_too():
    head = sigfft.dft_head(30, 2, feature_dim=2, spread=6)
    report = sigfft.check_head(head, head.init(jax.random.key(0)), [[1, 2], [3, 17]], RULES["pair"])
    assert report.stored.tolist() == report.deployed.tolist() == ["argmaxable"] * 2


def test_a_level_of_zero_with_a_cardinality_is_a_rule_for_streamed_heads(monkeypatch):
    monkeypatch.setitem(RULES, "two above", Rule("two above", cardinality=2))
    head = sigfft.dft_head(30, 2, feature_dim=2, spread=6)
    params = head.init(jax.random.key(0))
    report = sigfft.check_head(head, params, [[1, 2], [3, 17]], RULES["two above"], held=10)
    assert report.layer.rule == "two above"
    assert report.stored.tolist() == ["argmaxable"] * 2
    with pytest.raises(ValueError, match="the two above rule has exactly 2 labels"):
        sigfft.check_head(head, params, [[1]], RULES["two above"], held=10)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_what_logits_yield_is_the_one_set_that_they_yield(rule):
    logits = np.random.default_rng(1).standard_normal((20, 6)).astype(np.float32)
    on = rule.yielded(logits, rule.cardinality or 3)
    padded = pad([np.flatnonzero(row).tolist() for row in on], 6, 6)
    assert np.asarray(rule.yields(jnp.asarray(logits), jnp.asarray(padded))).all()
    others = np.roll(padded, 1, axis=0)
    same = (others == padded).all(axis=1)
    assert np.asarray(rule.yields(jnp.asarray(logits), jnp.asarray(others))).tolist() == same.tolist()
    assert not same.all()


def test_equal_logits_are_told_apart_by_the_label_and_are_no_strict_yield():
    tied = np.array([[0.0, 2.0, 2.0, 1.0]], np.float32)
    assert RULES["argmax"].yielded(tied, 1).tolist() == [[False, True, False, False]]
    assert not RULES["threshold"].yielded(np.zeros((1, 2)), 0).any()
    for name, ids in (("argmax", [1]), ("threshold", [0, 1, 2, 3])):
        assert not RULES[name].yields(jnp.asarray(tied), jnp.asarray(pad([ids], 4)))[0]


def test_unknown_rules_are_named():
    with pytest.raises(ValueError, match="unknown rule 'most'; the rules are threshold, argmax, top_k"):
        rules.named("most")
    own = Rule("own", free_level=True)
    assert rules.named(own) is own
