import numpy as np
import pytest
from argmaxability.small_layer import BIAS, SETS, WEIGHT

import sigfft
from sigfft.argmaxability import ExactWitness, check, deployed_rule
from sigfft.argmaxability.deployed_rule import check_thresholds
from sigfft.metrics import rule_bias

LEVELS = np.linspace(-2, 1.5, len(WEIGHT)).astype(np.float32)


@pytest.mark.parametrize("levels", [-1.25, 0.5, 0.0, LEVELS])
@pytest.mark.parametrize("bias", [None, BIAS])
def test_verdicts_are_those_of_a_check_with_the_bias_of_the_rule(tmp_path, bias, levels):
    before = check(WEIGHT, SETS, bias)
    after = check_thresholds(WEIGHT, before, bias, levels)
    own = rule_bias(np.broadcast_to(np.float32(levels), (len(WEIGHT),)), bias)
    assert not len(own.rounded)
    np.testing.assert_array_equal(after.status, check(WEIGHT, SETS, own.values).status)
    assert {"argmaxable", "unargmaxable"} <= set(after.status)
    for ids, witness in zip(SETS, after.witness, strict=True):
        if witness is not None:
            logits = WEIGHT.astype(np.float64) @ np.asarray(witness) + (0 if bias is None else bias)
            assert np.flatnonzero(logits > levels).tolist() == sorted(ids)
    after.save(tmp_path / "v.jsonl")
    assert sigfft.verify(tmp_path / "v.jsonl", WEIGHT, own.values, label_sets=SETS)["undecided"] == 0


def test_without_a_bias_no_set_is_lost_and_no_witness_is_searched_again(monkeypatch):
    before = check(WEIGHT, SETS)
    asked = []

    def searched(weight, label_sets, bias, **options):
        asked.append(len(label_sets))
        return check(weight, label_sets, bias, **options)

    monkeypatch.setattr(deployed_rule, "check", searched)
    after = check_thresholds(WEIGHT, before, None, -BIAS)
    found = before.status == "argmaxable"
    assert asked == [(~found).sum()]
    assert (after.status[found] == "argmaxable").all()
    assert (after.status == "argmaxable").sum() > found.sum()  # thresholds move the planes apart


def test_a_witness_in_whole_numbers_is_searched_again():
    weight = np.array([[1.0, 0.0], [-1.0, 2.0**-600], [-(2.0**600), 2.0**-600]])
    before = check(weight, [[0], [0, 1]])
    after = check_thresholds(weight, before, None, -0.5)
    assert after.status.tolist() == check(weight, [[0], [0, 1]], np.full(3, 0.5)).status.tolist()
    assert ExactWitness  # which one of the two may be


def test_a_report_on_another_layer_is_refused():
    with pytest.raises(ValueError, match="the report must be about this weight and bias, under the threshold rule"):
        check_thresholds(WEIGHT, check(WEIGHT, SETS), BIAS, 0.0)
    with pytest.raises(ValueError, match="the report must be about this weight and bias, under the threshold rule"):
        check_thresholds(WEIGHT, check(WEIGHT, SETS, rule="top_k"), None, 0.0)
