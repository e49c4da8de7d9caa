import json

import numpy as np
import pytest

import sigfft
from sigfft import cli
from sigfft.argmaxability.of_heads import planning, trials


def test_plan_finds_a_spread_that_serves_and_shows_what_it_costs():
    plan = sigfft.plan(120, 2, samples=60, share=0.9, feature_dim=32, label_sets=[[0, 1], [5], [5], [1, 2, 3]])
    chosen = plan.chosen
    assert chosen.spread > 0
    assert chosen.random.low >= 0.9
    assert (chosen.given.reproduced, chosen.given.of, chosen.given.low) == (2, 2, 1.0)
    assert any(t.spread < chosen.spread and not t.reaches(0.9) for t in plan.trials)
    text = str(plan)
    assert f"{chosen.head.n_parameters():,} parameters" in text
    assert "bottleneck of the same d" in text
    assert "does not make a learned W safe" in text


@pytest.mark.parametrize("needed", [0, 1, 2, 7, 33, 100, 139])
@pytest.mark.parametrize("guess", [1, 20, 400])
def test_the_least_spread_is_found_to_within_its_precision(needed, guess):
    tried = []

    def reaches(spread):
        assert 0 <= spread <= 140
        tried.append(spread)
        return spread >= needed

    found = planning._least(reaches, 140, guess)
    assert needed <= found <= needed + max(1, planning._FINE * needed) + (needed > 0)
    assert planning._least(lambda _: False, 140, guess) is None


def test_few_samples_cannot_show_a_high_share():
    with pytest.raises(ValueError, match=r"share=0.99 .* raise samples"):
        sigfft.plan(100, 2, samples=10, share=0.99)
    with pytest.raises(ValueError, match="none of the given label sets"):
        sigfft.plan(100, 2, label_sets=[[1, 2, 3]])


def test_sizes_that_cannot_be_are_named():
    with pytest.raises(ValueError, match="max_cardinality=0 must be a whole number of at least 1"):
        sigfft.plan(100, 0)
    with pytest.raises(ValueError, match="max_cardinality=20 needs at least 41 points; n_labels=10 have 10"):
        sigfft.plan(10, 20)


def test_there_may_be_no_room_for_spread(monkeypatch):
    monkeypatch.setattr(trials, "deployed", lambda head, params, padded, **_: np.zeros(len(padded), bool))
    plan = sigfft.plan(41, 20)
    assert plan.chosen is None
    assert [trial.spread for trial in plan.trials] == [0]
    assert "no spread that was tried" in str(plan)


@pytest.mark.parametrize(
    ("options", "serves", "told"),
    [
        ({"feature_dim": 200}, True, "200 features of any sign reach every z"),
        ({"feature_dim": 200, "domain": "nonnegative"}, True, "200 nonnegative features reach every z"),
        ({"feature_dim": 14}, False, "14 features of any sign do not reach every z"),
        ({"feature_dim": 20, "domain": "nonnegative"}, False, "so few serve no guarantee at all"),
        ({"feature_dim": 14, "domain": (0, 1)}, False, "so many serve a guarantee for 1 labels"),
    ],
)
def test_plan_says_whether_the_features_serve(options, serves, told, monkeypatch):
    monkeypatch.setattr(
        trials, "deployed", lambda head, params, padded, **_: np.full(len(padded), head.spread >= 8, bool)
    )
    plan = sigfft.plan(300, 3, **options)
    assert plan.chosen.spread in (8, 9)
    assert plan.features.serves is serves
    assert told in str(plan)
    assert f"it takes {plan.features.least}" in str(plan)


def test_plan_without_a_spread_says_nothing_of_features(monkeypatch):
    monkeypatch.setattr(trials, "deployed", lambda head, params, padded, **_: np.zeros(len(padded), bool))
    assert sigfft.plan(41, 20).features is None


def test_a_centred_head_is_served_by_fewer_features(monkeypatch):
    monkeypatch.setattr(trials, "deployed", lambda head, params, padded, **_: np.full(len(padded), head.spread >= 8))
    plans = [sigfft.plan(300, 3, feature_dim=26, domain="nonnegative", centred=centred) for centred in (False, True)]
    assert [plan.features.serves for plan in plans] == [False, True]


@pytest.mark.loose_types  # the command line passes on what it was given
def test_plan_command(capsys, monkeypatch):
    monkeypatch.setattr(trials, "deployed", lambda head, params, padded, **_: np.full(len(padded), head.spread >= 3))
    assert cli.main(["plan", "--labels", "60", "--cardinality", "1", "--samples", "60", "--share", "0.5"]) == 0
    assert "needed for a share of 0.5" in capsys.readouterr().out
    options = ["--labels", "60", "--cardinality", "1", "--samples", "60", "--share", "0.5", "--features", "3"]
    assert cli.main(["plan", *options, "--domain", "nonnegative"]) == 0
    assert "3 nonnegative features do not reach every z" in capsys.readouterr().out
    assert cli.main(["plan", *options, "--domain=-1,2.5"]) == 0
    assert "3 features in (-1.0, 2.5)" in capsys.readouterr().out
    assert cli.main(["plan", *options, "--domain", "2,one"]) == 2
    assert "domain must be 'any', 'nonnegative' or two numbers (low, high); given '2,one'" in capsys.readouterr().err


@pytest.mark.loose_types  # the command line passes on what it was given
def test_plan_command_names_an_unknown_dtype(capsys):
    assert cli.main(["plan", "--labels", "60", "--cardinality", "1", "--dtype", "int8"]) == 2
    assert "dtype must be one of" in capsys.readouterr().err


def test_a_plan_is_told_in_two_lines_and_its_trials_in_a_table(monkeypatch):
    monkeypatch.setattr(trials, "deployed", lambda head, params, padded, **_: np.full(len(padded), head.spread >= 3))
    plan = sigfft.plan(np.int64(60), np.int32(1), samples=np.int64(60), share=0.5, label_sets=[[1], [2]], n_fft=None)
    first, second = repr(plan).splitlines()
    assert first.startswith(
        "Plan for 60 labels, every set of up to 1, float32: spread 3 reaches a share of 0.5; tried 0,"
    )
    assert second == str(plan.features)
    records = json.loads(json.dumps(plan.to_dicts()))
    assert [record["spread"] for record in records if record["chosen"]] == [3]
    assert records[0]["reproduced"] == 0
    assert {"dim", "parameters", "of", "low", "high", "given_reproduced", "given_high"} <= records[0].keys()
    assert plan._repr_html_().count("</tr>") == 1 + len(plan.trials)
    monkeypatch.setattr(trials, "deployed", lambda head, params, padded, **_: np.zeros(len(padded), bool))
    assert "no spread that was tried reaches" in repr(sigfft.plan(41, 20))
