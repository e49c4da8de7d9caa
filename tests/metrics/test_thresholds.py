import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as sk

import sigfft
from sigfft import labels as label_sets
from sigfft.metrics import choose_thresholds, make_histograms, make_metrics, rule_bias

AVERAGES = {"micro F1": "micro", "macro F1": "macro"}


def random_problem(seed, n_examples=60, n_labels=8):
    """Logits that know something of the label sets, some on the edges; no example has label 0."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n_examples, n_labels)) < rng.uniform(0.05, 0.5, n_labels)
    truth[:, 0] = False
    logits = (rng.normal(size=truth.shape) + truth * rng.uniform(0, 2, n_labels)).astype(np.float32)
    logits[:, 1] = np.round(logits[:, 1] * 2) / 2
    return logits, truth


def chosen(logits, truth, objective, resolution=0.5, **options):
    histograms = make_histograms(truth.shape[1], low=-4, high=4, resolution=resolution)
    labels = label_sets.pad([np.flatnonzero(row) for row in truth], truth.shape[1])
    counts = histograms.update(histograms.init(), logits, labels, np.ones(len(logits), bool))
    return histograms, choose_thresholds(histograms, counts, objective, **options)


def f1(truth, predicted, objective):
    return sk.f1_score(truth.astype(int), predicted.astype(int), average=AVERAGES[objective], zero_division=0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("objective", AVERAGES)
@pytest.mark.parametrize("per_label", [False, True])
def test_the_f1_that_is_told_is_the_rules(seed, objective, per_label):
    logits, truth = random_problem(seed)
    _, found = chosen(logits, truth, objective, per_label=per_label)
    predicted = logits > found.values
    assert found.micro_f1 == pytest.approx(f1(truth, predicted, "micro F1"), rel=1e-12)
    assert found.macro_f1 == pytest.approx(f1(truth, predicted, "macro F1"), rel=1e-12)
    metrics = make_metrics(8, (1,))
    labels = label_sets.pad([np.flatnonzero(row) for row in truth], 8)
    batch = (jnp.asarray(x) for x in (logits - found.values, labels, np.ones(60, bool)))
    told = metrics.compute(metrics.update(metrics.init(), *batch))
    assert (told["micro F1"], told["macro F1"]) == (found.micro_f1, found.macro_f1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("objective", AVERAGES)
def test_no_threshold_for_all_is_better(seed, objective):
    logits, truth = random_problem(seed)
    histograms, found = chosen(logits, truth, objective, per_label=False)
    assert len(set(found.values.tolist())) == 1
    assert not found.own.any()
    reached = {"micro F1": found.micro_f1, "macro F1": found.macro_f1}[objective]
    every = [f1(truth, logits > edge, objective) for edge in histograms.edges]
    assert reached == pytest.approx(max(every), rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("objective", AVERAGES)
def test_no_thresholds_of_labels_are_better(seed, objective):
    logits, truth = random_problem(seed, n_examples=25, n_labels=3)
    truth[0, 1:] = True
    histograms, found = chosen(logits, truth, objective, resolution=1)
    reached = {"micro F1": found.micro_f1, "macro F1": found.macro_f1}[objective]
    every = itertools.product(histograms.edges, repeat=2)
    best = max(f1(truth, logits > np.array([found.values[0], *pair]), objective) for pair in every)
    assert reached == pytest.approx(best, rel=1e-12)


def test_micro_and_macro_are_different_objectives():
    logits, truth = random_problem(1)
    micro, macro = (chosen(logits, truth, objective)[1] for objective in AVERAGES)
    assert micro.micro_f1 > macro.micro_f1
    assert macro.macro_f1 > micro.macro_f1


@pytest.mark.parametrize("objective", AVERAGES)
def test_labels_of_few_examples_take_the_threshold_for_all(objective):
    logits, truth = random_problem(0)
    for_all = chosen(logits, truth, objective, per_label=False)[1].values[0]
    few = int(np.median(truth.sum(axis=0))) + 1
    for least, expected in ((0, truth.any(axis=0)), (1, truth.any(axis=0)), (few, truth.sum(axis=0) >= few)):
        _, found = chosen(logits, truth, objective, least_active=least)
        np.testing.assert_array_equal(found.own, expected)
        assert (found.values[~found.own] == for_all).all()
    assert 0 < found.own.sum() < 8


def test_the_threshold_is_far_from_the_scores_on_both_sides():
    truth = np.array([[True], [True], [False], [False]])
    _, found = chosen(np.array([[3.0], [2.0], [-1.0], [-3.0]], np.float32), truth, "macro F1")
    assert found.values == 0  # of the edges -1, -0.5, ..., 1.5 that separate, the lower of the two in the middle
    assert found.macro_f1 == 1


def test_an_unknown_objective_is_refused():
    with pytest.raises(ValueError, match="objective='F2' must be one of: micro F1, macro F1"):
        chosen(*random_problem(0), "F2")


def test_the_layer_that_is_checked_is_the_rule_that_is_deployed():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(8, 3)).astype(np.float32)
    bias, values = rng.normal(size=(2, 8)).astype(np.float32)
    found = rule_bias(values, bias)
    assert found.values.dtype == np.float64
    assert not len(found.rounded)
    sets = [[0, 2], [1, 3, 5], [4]]
    report = sigfft.check(weight, sets, found.values)
    assert "argmaxable" in report.status
    for ids, status, witness in zip(sets, report.status, report.witness, strict=True):
        if status == "argmaxable":
            logits = weight.astype(np.float64) @ witness + bias
            assert np.flatnonzero(logits > values).tolist() == ids
    np.testing.assert_array_equal(rule_bias(values).values, -values.astype(np.float64))


def test_what_float64_rounds_is_named():
    values = np.array([0.125, 2.125, 2.125, 1.0, 0.0], np.float32)
    bias = np.array([2.0**-25, 1e-12, 0.0, -(2.0**-52), 1e-12], np.float32)
    assert rule_bias(values, bias).rounded.tolist() == [1]
    assert rule_bias(bias, values).rounded.tolist() == [1]


@pytest.mark.loose_types
def test_thresholds_of_other_labels_are_refused():
    with pytest.raises(ValueError, match=r"given \(3,\) and \(4,\)"):
        rule_bias(np.zeros(3, np.float32), np.zeros(4, np.float32))
    with pytest.raises(ValueError, match=r"given \(\) and \(\)"):
        rule_bias(np.float32(0))
