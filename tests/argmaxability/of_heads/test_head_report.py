import itertools

import jax
import numpy as np
import pytest

import sigfft
from sigfft import labels
from sigfft.argmaxability.of_heads import forward, head_report
from sigfft.argmaxability.theory.sampling import random_sets


def init(head):
    return head.init(jax.random.key(0))


@pytest.mark.parametrize(
    "options", [{}, {"order": [3, 1, 8, 0, 6, 2, 7, 5, 4]}, {"n_fft": 14, "order": [3, 1, 8, 0, 6, 2, 7, 5, 4]}]
)
def test_closed_form_agrees_with_the_proofs(options):
    head = sigfft.dft_head(9, 2, feature_dim=2, **options)
    sets = [list(s) for j in range(6) for s in itertools.combinations(range(9), j)]
    report = sigfft.check_head(head, init(head), sets)
    np.testing.assert_array_equal(report.ideal, report.stored)
    assert set(report.ideal) == {"argmaxable", "unargmaxable"}
    np.testing.assert_array_equal(report.deployed == "argmaxable", report.ideal == "argmaxable")


ORDER = [3, 1, 8, 0, 6, 2, 7, 5, 4]


@pytest.mark.parametrize(
    "head",
    [
        sigfft.dft_head(9, 2, feature_dim=2, n_fft=9),
        sigfft.dft_head(9, 2, feature_dim=2, n_fft=9, order=ORDER),
        sigfft.dft_head(9, 2, feature_dim=2, n_fft=14, order=ORDER),
        sigfft.dft_head(9, 2, feature_dim=2, n_fft=14, spread=2, slack=3, order=ORDER),
        sigfft.retrofit_head(9, 3, 2, spread=1, order=ORDER),
        sigfft.bottleneck_head(9, 4, feature_dim=2),
    ],
    ids=lambda head: f"{head.name} {getattr(head, 'n_fft', '')}",
)
def test_the_ideal_verdict_has_a_witness_that_the_ideal_matrix_yields(head):
    params = init(head)
    if "bias" in params:
        params["bias"] = 0 * params["bias"]
    with jax.enable_x64(True):
        wide = {name: jax.numpy.asarray(value, "float64") for name, value in params.items()}
        rows = np.asarray(head.rows(wide, jax.numpy.arange(9)))
    sets = [list(s) for j in range(5) for s in itertools.combinations(range(9), j)]
    report = sigfft.check_head(head, params, sets)
    witnesses = report.ideal_witness
    assert [z is not None for z in witnesses] == (report.ideal == "argmaxable").tolist()
    for labels_on, z in zip(sets, witnesses, strict=True):
        if z is not None:
            assert np.flatnonzero(rows @ z > 0).tolist() == labels_on
    assert (sum(z is not None for z in witnesses) > 40) == (head.circle is not None)


def test_where_the_closed_form_is_silent():
    sets = labels.pad([[0, 1], [0, 3, 6]], 30)
    assert head_report.ideal(sigfft.bottleneck_head(30, 8, feature_dim=2), sets).tolist() == ["undecided"] * 2
    for extra in ({"spread": 2}, {"slack": 2}, {"embedding": 2}):
        head = sigfft.dft_head(30, 2, feature_dim=2, **extra)
        assert head_report.ideal(head, sets).tolist() == ["argmaxable", "undecided"]
    assert head_report.ideal(sigfft.retrofit_head(30, 3, 2), sets).tolist() == ["argmaxable", "undecided"]


def test_the_promise_breaks_in_floating_point_and_spread_restores_it():
    sets = random_sets(3000, 3, 10, 0)
    plain, spread = (sigfft.dft_head(3000, 3, feature_dim=2, spread=s) for s in (0, 24))
    assert (head_report.ideal(plain, sets) == "argmaxable").all()
    assert not forward.deployed(plain, init(plain), sets, thorough=True).all()
    for dtype in forward.DTYPES:
        assert forward.deployed(spread, init(spread), sets, dtype=dtype).all()


def test_a_thorough_search_finds_what_a_quick_one_misses():
    head = sigfft.dft_head(400, 4, feature_dim=2, spread=2)
    sets = random_sets(400, 4, 12, 0)
    quick = forward.deployed(head, init(head), sets)
    thorough = forward.deployed(head, init(head), sets, thorough=True)
    assert (thorough >= quick).all()
    assert thorough.sum() > quick.sum()


@pytest.mark.parametrize(
    ("rule", "label_set", "z", "expected"),
    [
        ("threshold", [0, 2], [1.0, -1.0, 1.0], True),
        ("threshold", [0, 2], [1.0, 1.0, 1.0], False),
        ("threshold", [0, 2], [1.0, -1.0, 0.0], False),
        ("threshold", [], [-1.0, -1.0, -1.0], True),
        ("threshold", [0, 2], [np.nan, -1.0, 1.0], False),
        ("top_k", [0, 2], [-1.0, -2.0, -1.0], True),
        ("top_k", [0, 2], [3.0, 2.0, 2.0], False),
        ("argmax", [1], [0.0, 1.0, 0.5], True),
        ("argmax", [1], [0.0, 1.0, 1.0], False),
    ],
)
def test_reproduced_reads_the_logits_by_the_rule(rule, label_set, z, expected):
    head = sigfft.bottleneck_head(3, 3, feature_dim=1)
    params = {"weight": jax.numpy.eye(3)}
    padded = labels.pad([label_set], 3)
    for dtype in forward.DTYPES:
        assert forward.reproduced(head, params, np.array([z]), padded, rule, dtype).tolist() == [expected]


def test_the_scale_of_an_activation_is_kept_where_there_is_a_bias():
    head = sigfft.sigmoid_head(2, feature_dim=1)
    params = {"weight": jax.numpy.array([[1.0], [1.0]]), "bias": jax.numpy.array([0.0, -3.0])}
    z = np.array([[1.0], [4.0]])
    assert forward.reproduced(head, params, z, labels.pad([[0], [0, 1]], 2)).all()
    assert not forward.reproduced(head, params, 5 * z, labels.pad([[0], [0]], 2)).any()


def test_an_activation_that_overflows_is_not_reproduced():
    head = sigfft.sigmoid_head(3, feature_dim=2)
    params = head.init(jax.random.key(0)) | {"weight": jax.numpy.array([[1.0, -1], [-1, 1], [1, 1]])}
    z = np.array([[1e5, 2e5]])
    assert forward.reproduced(head, params, z, np.array([[1, 2]])).tolist() == [True]
    for padded in ([[3, 3]], [[1, 2]]):
        assert forward.reproduced(head, params, z, np.array(padded), dtype="float16").tolist() == [False]


def test_a_saved_head_report_keeps_what_is_proved(tmp_path):
    head = sigfft.dft_head(20, 2, feature_dim=2)
    report = sigfft.check_head(head, head.init(jax.random.key(0)), [[1], [2, 5]])
    report.save(tmp_path / "v.jsonl")
    assert type(report).load(tmp_path / "v.jsonl").status.tolist() == report.stored.tolist()


def test_a_large_head_begins_with_its_transform_and_decides_the_rest(monkeypatch):
    head = sigfft.dft_head(60, 2, feature_dim=2, spread=3)
    params, sets = init(head), [[1], [2, 5], list(range(0, 60, 2)), [2, 5]]
    small = head_report.check_rows(head, params, sets)
    monkeypatch.setattr(head_report, "_LARGE", 1)
    large = head_report.check_rows(head, params, sets)
    assert large.layer == small.layer
    assert large.status.tolist() == small.status.tolist() == ["argmaxable", "argmaxable", "unargmaxable", "argmaxable"]
    assert large.method.tolist()[:2] == ["transform"] * 2
    assert large.method[2] != "transform"
    assert "transform" not in small.method
    with pytest.raises(ValueError, match="n_jobs=0"):
        head_report.check_rows(head, params, sets[:1], n_jobs=0)


@pytest.mark.loose_types
def test_a_head_report_is_a_report():
    head = sigfft.dft_head(11, 2, feature_dim=2)
    report = sigfft.check_head(head, init(head), [[1], [1, 4], [1, 4, 8], [1]], dtype="bfloat16")
    assert report.counts()["checked"] == 4
    np.testing.assert_array_equal(report.stored, report.status)
    last = report.truths().splitlines()[-1].split()
    assert last == ["all", "4", "3", "3", "3", "2"]  # ideal, stored, deployed, and of two features
    with pytest.raises(ValueError, match="dtype must be one of float32, bfloat16, float16; given 'int8'"):
        sigfft.check_head(head, init(head), [[1]], dtype="int8")


def test_narrow_parameters_do_not_narrow_a_fixed_matrix():
    head = sigfft.dft_head(300, 5, feature_dim=2, spread=8)
    sets = random_sets(300, 5, 8, seed=0)
    report = sigfft.check_head(head, init(head), sets)
    narrow = sigfft.check_head(head, jax.tree.map(lambda p: p.astype("bfloat16"), init(head)), sets)
    assert narrow.status.tolist() == report.status.tolist()
    assert narrow.layer == report.layer


def test_a_head_report_tells_its_truths():
    head = sigfft.dft_head(11, 2, feature_dim=2)
    report = sigfft.check_head(head, init(head), [[1], [1, 4], [1, 4, 8]])
    lines = repr(report).splitlines()
    assert lines[0] == "HeadReport on 3 label sets: 2 argmaxable, 1 unargmaxable, 0 undecided"
    assert lines[-1].startswith("argmaxable of dft k=2: ideal 2, stored 2, deployed 2, features 1; float32; features")
    records = report.to_dicts()
    for name in ("status", "ideal", "deployed", "features"):
        assert [record[name] for record in records] == getattr(report, name).tolist()
    named = report.named(list("abcdefghijk"))
    assert named.to_dicts()[1]["names"] == named.on_features.to_dicts()[1]["names"] == ["b", "e"]
    assert "<th" in named._repr_html_()
    assert named._repr_html_().count("</tr>") == 4
