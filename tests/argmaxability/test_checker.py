import functools

import ml_dtypes
import numpy as np
import pytest
from argmaxability.claims import certificate_holds, witness_holds
from argmaxability.small_layer import BIAS, SETS, WEIGHT

import sigfft
from sigfft.argmaxability import check, check_head, verify
from sigfft.argmaxability.proofs import certificate as proofs
from sigfft.argmaxability.search import lp, refine, working_set
from sigfft.argmaxability.search.finding import Finding
from sigfft.projection import Projection


def statuses(weight, sets, bias=None, rule="threshold", **options):
    """The statuses of a check whose every proof holds."""
    weight = np.asarray(weight)
    report = check(weight, sets, bias, rule, on_error="raise", **options)
    for labels, status, margin, witness, certificate in zip(
        sets, report.status, report.margin, report.witness, report.certificate, strict=True
    ):
        assert margin[0] <= margin[1]
        assert (witness is not None) == (status == "argmaxable")
        assert (certificate is not None) == (status == "unargmaxable")
        if status == "argmaxable":
            assert margin[0] >= 0
            assert witness_holds(weight, bias, rule, labels, witness)
        elif status == "unargmaxable":
            assert margin[1] == 0
            assert certificate_holds(weight, bias, rule, labels, certificate)
        else:
            assert margin[1] < 1e-9
    return report.status.tolist()


YES, NO = "argmaxable", "unargmaxable"


@pytest.mark.parametrize("rule", ["threshold", "top_k"])
@pytest.mark.parametrize("bias", [None, BIAS])
def test_every_verdict_of_a_generic_layer_is_proved(rule, bias):
    assert {YES, NO} == set(statuses(WEIGHT, SETS, bias, rule))


@pytest.mark.parametrize("bias", [None, BIAS])
def test_argmax_is_top_1(bias):
    sets = [[i] for i in range(12)]
    assert statuses(WEIGHT, sets, bias, "argmax") == statuses(WEIGHT, sets, bias, "top_k")


@pytest.mark.parametrize(
    ("weight", "sets", "expected"),
    [
        pytest.param([[1.0], [2.0], [-1.0]], [[], [0, 1], [2], [0], [0, 1, 2]], [NO, YES, YES, NO, NO], id="dim 1"),
        pytest.param([[1.0, 0], [1.0, 0]], [[0], [0, 1], []], [NO, YES, YES], id="duplicate rows"),
        pytest.param([[1.0, 0], [-2.0, 0]], [[0], [0, 1], []], [YES, NO, NO], id="opposite rows"),
        pytest.param([[0.0, 0], [1.0, 0]], [[], [1], [0], [0, 1]], [YES, YES, NO, NO], id="zero row"),
        pytest.param([[0.0], [0.0]], [[], [1], [0, 1]], [YES, NO, NO], id="all zero"),
        pytest.param(np.eye(3, 5), [[], [1], [0, 2], [0, 1, 2]], [YES] * 4, id="fewer labels than dim"),
        pytest.param([[1.0, 0], [0, 1], [1, 1]], [[0, 1], [2], [0, 2]], [NO, NO, YES], id="a row is a sum of two"),
        pytest.param([[1.0, 1], [-1, 1], [0, -1]], [[0, 1, 2], [0, 1], [2]], [NO, YES, YES], id="margin below zero"),
        pytest.param([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0]], [[2], [0, 2]], [NO, YES], id="margin exactly zero"),
        pytest.param([[1e-300, 1e-300], [1e300, -1e300]], [[0], [0, 1], []], [YES] * 3, id="huge and tiny rows"),
        pytest.param([[5e-324, 0], [0, 1e-310]], [[0], [0, 1], []], [YES] * 3, id="subnormal rows"),
    ],
)
def test_ordinary_inputs_with_defined_answers(weight, sets, expected):
    assert statuses(np.array(weight, np.float64), sets) == expected


def test_a_bias_alone_decides_where_the_rows_are_zero():
    assert statuses(np.zeros((2, 1)), [[0], [1], [], [0, 1]], np.array([1.0, -1.0])) == [YES, NO, NO, NO]


def test_top_k_of_none_or_all_is_always_reached():
    tied = np.ones((4, 2))
    assert statuses(tied, [[], [0, 1, 2, 3], [0]], None, "top_k") == [YES, YES, NO]


@pytest.mark.parametrize("margin", [1e-3, 1e-6, 1e-8, 2e-9, 1.1e-9])
@pytest.mark.parametrize("sign", [1, -1])
def test_small_margins_are_decided(margin, sign):
    """Nine unit rows that cancel but for a common component ±margin, among wide ones."""
    rng = np.random.default_rng(3)
    tight = rng.standard_normal((9, 8)) * (np.arange(8) > 0)
    tight[-1] = -tight[:-1].sum(axis=0)
    tight /= np.linalg.norm(tight, axis=1, keepdims=True)
    tight[:, 0] = sign * margin
    wide = rng.standard_normal((30, 8))
    wide[:, 0] = np.abs(wide[:, 0])
    weight = np.vstack([tight, wide])
    assert statuses(weight, [list(range(39))]) == [YES if sign > 0 else NO]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_stored_dtypes(dtype, tmp_path):
    weight = WEIGHT.astype(dtype)
    assert {YES, NO} == set(statuses(weight, SETS, BIAS.astype(dtype)))
    check(weight, SETS[:4]).save(tmp_path / "verdicts.jsonl")
    assert verify(tmp_path / "verdicts.jsonl", weight)["undecided"] == 0


def test_the_report_is_by_given_set_and_the_work_by_distinct_set(monkeypatch):
    real, worked = working_set.search, []

    def counted(system, basis, padded, clock):
        worked.append(len(padded))
        return real(system, basis, padded, clock=clock)

    monkeypatch.setattr(working_set, "search", counted)
    report = check(WEIGHT, [[1, 2], [3], [2, 1], [3], [1, 2]])
    assert sum(worked) == 2
    assert report.status[0] == report.status[2] == report.status[4]
    assert report.label_sets.tolist() == [[1, 2], [3, 12], [1, 2], [3, 12], [1, 2]]
    assert report.counts()["checked"] == 5


def test_padded_arrays_lists_and_batch_sizes_agree():
    expected = check(WEIGHT, SETS).status
    padded = sigfft.labels.pad(SETS, 12, 8)
    for sets, size in ((padded, None), (padded.astype(np.int64), 1), (SETS, 7), (SETS, 10**6)):
        np.testing.assert_array_equal(check(WEIGHT, sets, batch_size=size).status, expected)


def test_no_sets_give_an_empty_report():
    report = check(WEIGHT, [])
    assert report.counts() == {"checked": 0, YES: 0, NO: 0, "undecided": 0}
    assert report.margin.shape == (0, 2)


def test_the_probe_stage_decides_wide_sets_and_leaves_the_rest():
    expected = check(WEIGHT, SETS)
    report = check(WEIGHT, SETS, probes=256)
    np.testing.assert_array_equal(report.status, expected.status)
    assert (report.method[report.status == YES] == "probe").any()


def test_the_lp_takes_what_the_search_leaves(monkeypatch):
    expected = check(WEIGHT, SETS, BIAS).status
    monkeypatch.setattr(working_set, "search", functools.partial(working_set.search, rounds=0))
    report = check(WEIGHT, SETS, BIAS, on_error="raise")
    np.testing.assert_array_equal(report.status, expected)
    assert set(report.method) == {"refine"}


@pytest.mark.parametrize("rule", ["threshold", "top_k"])
def test_where_the_solver_gives_up_every_set_is_decided_all_the_same(rule, monkeypatch):
    def gives_up(*_):
        raise lp.NoAnswer("HiGHS stopped without an answer")

    expected = check(WEIGHT, SETS, BIAS, rule).status
    monkeypatch.setattr(working_set, "search", functools.partial(working_set.search, rounds=0))
    monkeypatch.setattr(lp, "max_margin", gives_up)
    report = check(WEIGHT, SETS, BIAS, rule, on_error="raise")
    np.testing.assert_array_equal(report.status, expected)
    assert set(report.method) == {"refine"}


def test_features_in_more_dimensions_than_z_are_searched_in_those_of_z():
    """The layer they see has a rank below their number, exactly so."""
    rng = np.random.default_rng(0)
    expected = check(WEIGHT, SETS, BIAS)
    projection = Projection(rng.standard_normal((3, 9)), rng.standard_normal(3))
    report = check(WEIGHT, SETS, BIAS, projection=projection, on_error="raise")
    np.testing.assert_array_equal(report.status, expected.status)  # of full rank: every z has features
    assert (report.method == "search").mean() > 0.9


def test_a_false_proposal_of_a_solver_is_undecided_never_a_verdict(monkeypatch, tmp_path):
    """A search that calls everything argmaxable at z = 0, or contradicted by label 0 alone."""

    def boasts(system, basis, padded, clock=None):
        nonsense = proofs.Certificate((0,), (1.0,))
        solution, none = np.zeros(system.units.shape[1]), np.zeros(0, int)
        return [Finding(solution, 0.5, 0.7, c, none) for c, _ in zip([None, nonsense] * 9, padded, strict=False)]

    monkeypatch.setattr(working_set, "search", boasts)
    monkeypatch.setattr(refine, "proposals", lambda system, basis, *_: iter(boasts(system, basis, range(6))))
    report = check(WEIGHT, SETS[:8])
    assert report.counts() == {"checked": 8, YES: 0, NO: 0, "undecided": 8}
    assert set(report.reason) == {"no proof either way was found"}
    assert (report.margin[:, 0] <= 0).all()  # a bound that no witness bears out is no reason to save a contradiction
    report.save(tmp_path / "verdicts.jsonl")
    assert verify(tmp_path / "verdicts.jsonl", WEIGHT)["undecided"] == 8


def test_multipliers_that_a_search_leaves_inaccurate_are_stored_exact(monkeypatch, tmp_path):
    expected, real = check(WEIGHT, SETS), working_set.search

    def careless(system, basis, padded, clock):
        found = real(system, basis, padded, clock=clock)
        for finding in found:
            if finding.certificate is not None:
                wrong = tuple((1 + np.arange(len(finding.certificate.labels))).tolist())
                finding.certificate = proofs.Certificate(finding.certificate.labels, tuple(map(float, wrong)))
        return found

    monkeypatch.setattr(working_set, "search", careless)
    report = check(WEIGHT, SETS, on_error="raise")
    assert report.status.tolist() == expected.status.tolist()
    assert "refine" not in report.method
    for one, other in zip(report.certificate, expected.certificate, strict=True):
        if one is not None:
            ours, theirs = np.array(one.multipliers), np.array(other.multipliers)
            np.testing.assert_allclose(ours / ours[0], theirs / theirs[0], rtol=1e-9)
    report.save(tmp_path / "verdicts.jsonl")
    assert verify(tmp_path / "verdicts.jsonl", WEIGHT)[NO] == report.counts()[NO] > 0


def test_progress_goes_to_standard_error(capsys):
    check(WEIGHT, SETS[:3], progress=True)
    assert "3/3" in capsys.readouterr().err


def test_only_a_time_limit_leaves_a_set_undecided(monkeypatch):
    expected = check(WEIGHT, SETS, BIAS)
    assert "undecided" not in expected.status
    monkeypatch.setattr(working_set, "search", functools.partial(working_set.search, rounds=0))
    report = check(WEIGHT, SETS, BIAS, time_limit=1e-9, on_error="raise")
    assert set(report.status) == {"undecided"}
    assert set(report.reason) == {"the time limit of 1e-09 s was reached"}
    assert (report.margin[:, 0] <= 0).all()
    assert (report.margin[:, 1] >= 0).all()
    for limit in (None, 1e9, np.inf):
        report = check(WEIGHT, SETS, BIAS, time_limit=limit, on_error="raise")
        np.testing.assert_array_equal(report.status, expected.status)
        assert set(report.reason) == {""}


@pytest.mark.parametrize("stage", ["frames", "simplex"])
def test_the_limit_holds_in_every_stage(stage, monkeypatch):
    monkeypatch.setattr(working_set, "search", functools.partial(working_set.search, rounds=0))
    monkeypatch.setattr(refine, "_FRAMES", 20 if stage == "frames" else 0)
    report = check(WEIGHT, SETS[:3], time_limit=1e-9, on_error="raise")
    assert set(report.reason) == {"the time limit of 1e-09 s was reached"}


def test_a_limited_search_keeps_what_it_has_found():
    """It looks at the clock between rounds: sets that are done in the first one stay so."""
    report = check(WEIGHT, SETS, BIAS, time_limit=1e-9, on_error="raise")
    done = report.status != "undecided"
    assert done.any()
    np.testing.assert_array_equal(report.status[done], check(WEIGHT, SETS, BIAS).status[done])
    assert set(report.reason[~done]) <= {"the time limit of 1e-09 s was reached"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_error": "ignore"}, "on_error must be 'undecided' or 'raise'; given 'ignore'"),
        ({"batch_size": 0}, "batch_size must be at least 1; given 0"),
        ({"n_jobs": 0}, "given n_jobs=0, probes=0"),
        ({"probes": -1}, "given n_jobs=1, probes=-1"),
        *(
            ({"time_limit": bad}, f"time_limit must be a positive number of seconds, or None; given {bad}")
            for bad in (0, -1.5, np.nan)
        ),
        ({"rule": "argmax"}, "exactly one label in each set"),
        ({"bias": np.full(12, np.nan)}, "bias must be finite"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        check(WEIGHT, SETS, **options)


def test_a_head_with_its_guarantee_is_argmaxable_and_a_bottleneck_is_not():
    import jax

    head = sigfft.dft_head(40, 2, feature_dim=4)
    sets = [[i, j] for i in range(0, 40, 7) for j in range(i + 1, 40, 9)]
    report = check_head(head, head.init(jax.random.key(0)), sets, on_error="raise")
    assert report.counts()[YES] == len(sets)
    bottleneck = sigfft.bottleneck_head(40, 3, feature_dim=4)
    report = check_head(bottleneck, bottleneck.init(jax.random.key(0)), sets, batch_size=8)
    assert report.counts()[NO] > 0
    assert report.layer.n_labels == 40
