import itertools

import numpy as np
import pytest
from argmaxability.brute_force import argmaxable_sets
from argmaxability.claims import certificate_holds

from sigfft.argmaxability import check, explain, nearest
from sigfft.argmaxability.conflict import irreducible
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.certificate import Certificate

RNG = np.random.default_rng(0)
WEIGHT, BIAS = RNG.standard_normal((7, 3)), 0.5 * RNG.standard_normal(7)


def everything(rule, k):
    sizes = range(8) if rule == "threshold" else [k]
    return [list(s) for size in sizes for s in itertools.combinations(range(7), size)]


@pytest.mark.parametrize(("rule", "k"), [("threshold", 0), ("top_k", 3), ("argmax", 1)])
@pytest.mark.parametrize("bias", [None, BIAS])
def test_the_nearest_set_is_argmaxable_and_close_to_the_best_possible(rule, k, bias):
    sets = everything(rule, k)
    report = check(WEIGHT, sets, bias, rule)
    reachable = [set(s) for s, status in zip(sets, report.status, strict=True) if status == "argmaxable"]
    excess = []
    for labels in sets[:: max(1, len(sets) // 12)]:
        found = nearest(WEIGHT, labels, bias, rule)
        assert set(found.labels) in reachable
        assert set(labels) ^ set(found.labels) == set(found.added) | set(found.removed)
        assert found.flips == len(set(labels) ^ set(found.labels))
        excess.append(found.flips - min(len(set(labels) ^ s) for s in reachable))
    assert min(excess) == 0
    assert np.mean(excess) <= 1


def test_an_argmaxable_set_is_its_own_nearest():
    report = check(WEIGHT, everything("threshold", 0))
    labels = everything("threshold", 0)[int(np.argmax(report.status == "argmaxable"))]
    assert nearest(WEIGHT, labels).flips == 0
    explained = explain(WEIGHT, labels)
    assert (explained.on, explained.off) == ((), ())
    assert str(explained).startswith("the set is argmaxable; its margin is in ")


def random_layer(seed, biased):
    """Generic layers and degenerate ones, in turn."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        return rng.integers(-2, 3, (9, 3)).astype(float), rng.integers(-1, 2, 9).astype(float) if biased else None
    return rng.standard_normal((9, 3)), rng.standard_normal(9) if biased else None


@pytest.mark.parametrize("rule", ["threshold", "top_k", "argmax"])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_conflict_stays_a_conflict_alone_and_goes_with_any_label(seed, biased, rule):
    weight, bias = random_layer(seed, biased)
    alone = rule if rule == "threshold" else "top_k"  # some of a set's labels may be none of them

    def status(labels, on):
        sets = [[labels.index(i) for i in on if i in labels]]
        return check(weight[labels], sets, None if bias is None else bias[labels], alone).status[0]

    rng = np.random.default_rng(100 + seed)
    for k in [1] * 6 if rule == "argmax" else [1, 2, 3, 4, 5, 6]:
        labels = rng.choice(9, k, replace=False).tolist()
        found = explain(weight, labels, bias, rule)
        core = sorted(found.on + found.off)
        assert (found.verdict.status == "unargmaxable") == bool(core)
        if not core:
            continue
        assert certificate_holds(weight, bias, rule, labels, found.verdict.certificate)
        assert core == [i for i in found.verdict.certificate.labels if i < 9]
        assert set(found.on) <= set(labels)
        assert not set(found.off) & set(labels)
        assert status(core, found.on) == "unargmaxable"
        for dropped in core if len(core) > 1 else ():
            assert status([i for i in core if i != dropped], found.on) == "argmaxable"


def test_a_conflict_with_the_bias_alone_spares_the_other_labels():
    weight, bias = np.array([[1.0], [-1.0], [0.0], [2.0]]), np.array([-1.0, 0.5, -1.0, 1.0])
    found = explain(weight, [0, 1, 2, 3], bias)
    assert (found.on, found.off) in (((2,), ()), ((0, 1), ()))  # -1 > 0, or z > 1 and z < 0.5: never all of them
    cancels = Certificate((1, 2, 3), (2.0, 2.0, 1.0))  # without the condition on the bias
    assert certificate_holds(weight, bias, "threshold", [0, 1, 2, 3], cancels)
    assert irreducible(Layer.of(weight, bias), frozenset(range(4)), cancels).labels == (2, 4)


def test_a_duplicate_row_is_named():
    found = explain(np.vstack([np.eye(3), np.eye(3)[2]]), [2])
    assert (found.on, found.off) == ((2,), (3,))  # the only dependent rows
    assert str(found) == "no activation has labels [2] on and labels [3] off"


@pytest.mark.parametrize("few", [0, 1 << 12])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("biased", [False, True])
def test_where_rows_are_equal_some_set_is_near_exactly_if_one_is_argmaxable(few, seed, biased):
    rng = np.random.default_rng(seed)
    weight = np.vstack([[[0.0], [0.0], [-1.0]], rng.integers(-1, 2, (seed % 2 + 1, 1))])
    bias = rng.integers(-1, 2, len(weight)).astype(float) if biased else None
    for rule, cardinalities in (("argmax", [1]), ("top_k", range(1, len(weight)))):
        reachable = argmaxable_sets(weight, bias, rule)
        for k in cardinalities:
            for labels in itertools.combinations(range(len(weight)), k):
                if any(len(s) == k for s in reachable):
                    found = nearest(weight, list(labels), bias, rule, few=few)
                    assert found.labels in reachable
                    assert len(found.labels) == k
                else:
                    with pytest.raises(ValueError, match=r"none of \d+ others was proved argmaxable"):
                        nearest(weight, list(labels), bias, rule, few=few)


@pytest.mark.parametrize("scale", [1e-162, 1e155])
def test_what_is_near_does_not_depend_on_the_scale_of_the_weights(scale):
    for labels in everything("threshold", 0)[::10]:
        one, scaled = nearest(WEIGHT, labels), nearest(WEIGHT * scale, labels)
        assert scaled.labels == one.labels


def test_nothing_is_near_where_nothing_is_argmaxable():
    with pytest.raises(ValueError, match="no argmaxable set was found"):
        nearest(np.array([[1.0], [1.0]]) * 0, [0], np.zeros(2), "top_k")


def test_results_are_shown_with_names_and_as_dicts():
    weight = np.vstack([np.eye(3), np.eye(3)[2]])
    names = ["a", "b", "<c>", "d"]
    found = explain(weight, [2]).named(names)
    assert str(found) == "no activation has labels [<c> (2)] on and labels [d (3)] off"
    assert repr(found) == f"Explanation: {found}"
    assert [(row["label"], row["name"], row["on"]) for row in found.to_dicts()] == [(2, "<c>", True), (3, "d", False)]
    assert [row["multiplier"] for row in found.to_dicts()] == list(found.verdict.certificate.multipliers)
    near = nearest(weight, [2]).named(names)
    (row,) = near.to_dicts()
    assert (
        row == {"label": 3, "name": "d", "added": True} if near.added else {"label": 2, "name": "<c>", "added": False}
    )
    assert str(nearest(weight, [0])) == "[0] is argmaxable: no label differs"
    assert repr(near).startswith("Nearest: [")
    assert "&lt;c&gt; (2)" in found._repr_html_()
    assert "<c>" not in found._repr_html_() + near._repr_html_()
    with pytest.raises(ValueError, match="the 4 labels, in their order; given 3 names"):
        found.named(names[:3])
    everything = explain(np.ones((30, 1)) * (-1.0) ** np.arange(30)[:, None], range(30))
    assert everything.to_dicts() != []
    assert everything.named([str(i) for i in range(30)]).verdict == everything.verdict


def test_a_set_is_a_list_or_an_array_padded_or_not():
    labels = everything("threshold", 0)[40]
    told = str(explain(WEIGHT, labels))
    for given in (tuple(labels), np.array(labels), np.array([*labels, 7, 7])):
        assert str(explain(WEIGHT, given)) == told
        assert nearest(WEIGHT, given).labels == nearest(WEIGHT, labels).labels
    with pytest.raises(ValueError, match="label id 7"):
        explain(WEIGHT, [*labels, 7])
