"""The checker against exact brute force on every label set of small layers: it may doubt, it may not be wrong."""

import json

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from argmaxability.brute_force import all_sets, argmaxable_sets, biases, layers
from argmaxability.claims import system_of
from hypothesis.extra import numpy as st_numpy

from sigfft.argmaxability import VerificationError, check, verify
from sigfft.argmaxability.theory import cyclic

CASES = [
    (name, offset, rule)
    for name in layers()
    for offset, rule in [
        ("no bias", "threshold"),
        ("no bias", "top_k"),
        ("no bias", "argmax"),
        ("bias", "threshold"),
        ("tied bias", "threshold"),
        ("tied bias", "top_k"),
        ("tied bias", "argmax"),
    ]
]


def assert_never_wrong(weight, bias, rule, sets, reachable, path=None):
    """Every verdict agrees with brute force; doubt only within rounding of margin 0; every proof is accepted."""
    report = check(weight, sets, bias=bias, rule=rule, on_error="raise")
    for labels, status, (low, high) in zip(sets, report.status.tolist(), report.margin, strict=True):
        if status == "undecided":
            assert low <= high < 1e-9, labels
        else:
            assert (status == "argmaxable") == (tuple(labels) in reachable), labels
    if path is not None:
        report.save(path)
        counts = verify(path, weight, bias)
        assert counts == {status: int((report.status == status).sum()) for status in counts}
    return report


@pytest.mark.parametrize(("name", "offset", "rule"), CASES)
def test_every_set_of_small_layers(name, offset, rule, tmp_path):
    weight = layers()[name]
    bias = biases(len(weight))[offset]
    sets = all_sets(len(weight), rule)
    report = assert_never_wrong(
        weight, bias, rule, sets, argmaxable_sets(weight, bias, rule), tmp_path / "verdicts.jsonl"
    )
    if (name, offset) != ("cyclic", "tied bias"):  # a layer with margins near 1e-17, by the rounding of its cosines
        assert "undecided" not in report.status


@pytest.mark.parametrize("exponent", [-600, -40, 40, 600])
@pytest.mark.parametrize(("offset", "rule"), [("bias", "threshold"), ("no bias", "top_k"), ("bias", "argmax")])
def test_verdicts_and_margins_do_not_depend_on_the_scale_of_the_weights(offset, rule, exponent):
    weight = layers()["random"].astype(np.float64)
    bias = biases(len(weight))[offset]
    sets = all_sets(len(weight), rule)[::3]
    one, scaled = (check(w, sets, bias, rule) for w in (weight, np.ldexp(weight, exponent)))
    assert {"argmaxable", "unargmaxable"} >= set(one.status.tolist())
    np.testing.assert_array_equal(scaled.status, one.status)
    np.testing.assert_array_equal(scaled.margin, one.margin)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(("biased", "rule"), [(True, "threshold"), (False, "top_k")])
def test_margins_hold_the_best_of_all_directions_of_the_plane(biased, rule, scale):
    rng = np.random.default_rng(0)
    weight, bias = scale * rng.standard_normal((6, 1)), rng.standard_normal(6) if biased else None
    rows = np.column_stack([weight, bias if biased else np.ones(6)])
    rows[:, 1] *= 2.0 ** system_of(weight, bias, rule).exponents[1]
    units = np.vstack([rows / np.linalg.norm(rows, axis=1, keepdims=True), np.eye(2)[1 if biased else 2 :]])
    angles = np.linspace(0, 2 * np.pi, 20_000)
    values = units @ [np.cos(angles), np.sin(angles)]
    report = check(weight, all_sets(6, rule), bias, rule)
    for labels, status, (low, high) in zip(all_sets(6, rule), report.status, report.margin, strict=True):
        signs = np.where(np.isin(np.arange(len(units)), [*labels, 6]), 1.0, -1.0)
        best = (signs[:, None] * values).min(axis=0).max()
        assert low <= best + 1e-3
        assert status != "argmaxable" or best <= high
        assert status == "argmaxable" or best <= 1e-12


@pytest.mark.parametrize("scale", [1e-9, 1e7, 1e9])
def test_weights_far_larger_or_smaller_than_the_bias_are_decided(scale):
    rng = np.random.default_rng(0)
    weight, bias = rng.standard_normal((500, 20)), -1.5 + 0.1 * rng.standard_normal(500)
    sets = [np.flatnonzero(weight @ z + bias > 0).tolist() for z in rng.standard_normal((30, 20))]
    assert set(check(weight * scale, sets, bias).status) == {"argmaxable"}


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-162, 1e-150, 1e150, 1e155, 1e308])
def test_weights_whose_squares_overflow_or_underflow_are_decided(scale):
    weight = np.array([[1.0, 0], [0, 1], [-1, -1], [1, 1]])
    for rule in ("threshold", "top_k"):
        assert_never_wrong(weight * scale, None, rule, all_sets(4, rule), argmaxable_sets(weight * scale, None, rule))
    assert check(weight * scale, [[0, 1, 2], []]).status.tolist() == ["unargmaxable"] * 2


@pytest.mark.parametrize("name", ["ties", "random"])
def test_every_set_of_twelve_labels(name):
    rng = np.random.default_rng(3)
    weight = rng.integers(-2, 3, (12, 3)).astype(np.float32) if name == "ties" else rng.standard_normal((12, 2))
    report = assert_never_wrong(
        weight, None, "threshold", all_sets(12, "threshold"), argmaxable_sets(weight, None, "threshold")
    )
    assert "undecided" not in report.status


@pytest.mark.parametrize(
    ("n", "k"), [(n, k) for n in range(3, 9) for k in range(1, 4) if 2 * k < n] + [(9, 4), (10, 2)]
)
def test_cyclic_layers_follow_the_alternation_rule(n, k):
    sets = all_sets(n, "threshold")
    report = check(cyclic.rows(n, k), sets)
    expected = cyclic.argmaxable(report.label_sets, n, k)
    assert (report.status == np.where(expected, "argmaxable", "unargmaxable")).all()
    assert (report.status == "argmaxable").sum() == cyclic.count_general(n, 2 * k + 1)


small = st_numpy.arrays(
    np.float64, st.tuples(st.integers(1, 5), st.integers(1, 3)), elements=st.integers(-2, 2).map(float)
)


@hypothesis.settings(max_examples=25, deadline=None, derandomize=True, database=None)
@hypothesis.given(
    weight=small, rule=st.sampled_from(["threshold", "top_k"]), biased=st.booleans(), seed=st.integers(0, 99)
)
def test_verdicts_are_right_and_keep_the_symmetries(weight, rule, biased, seed):
    rng = np.random.default_rng(seed)
    n, d = weight.shape
    bias = rng.integers(-1, 2, n).astype(np.float64) if biased else None
    sets = all_sets(n, rule)
    reachable = argmaxable_sets(weight, bias, rule)
    assert_never_wrong(weight, bias, rule, sets, reachable)

    order = rng.permutation(n)
    moved = {tuple(sorted(np.flatnonzero(np.isin(order, s)).tolist())) for s in reachable}
    assert_never_wrong(weight[order], None if bias is None else bias[order], rule, sets, moved)

    turn = np.eye(d)[rng.permutation(d)] * rng.choice([-5.0, 5.0], d)  # 25 times an orthogonal matrix, exactly
    turn[:, 2:] *= 5
    turn[:, :2] = turn[:, :2] @ [[3, -4], [4, 3]] if d > 1 else 25
    assert_never_wrong(weight @ turn, bias, rule, sets, reachable)

    if rule == "threshold":
        scale = rng.choice([0.125, 1.0, 3.0, 1024.0], n)
        scaled = None if bias is None else bias * scale
        assert_never_wrong(weight * scale[:, None], scaled, rule, sets, reachable)
    if bias is None:
        assert_never_wrong(-weight, None, rule, sets, reachable)  # z and -z


def corruptions(verdict, n_labels):
    """Changes to one verdict that make its claim false."""
    labels = set(verdict["labels"])
    if verdict["status"] == "argmaxable":
        yield {"witness": [-v for v in verdict["witness"]]}
        yield {"witness": [0.0 for _ in verdict["witness"]]}
        for i in range(n_labels):
            yield {"labels": sorted(labels ^ {i})}
    if verdict["status"] == "unargmaxable":
        proof = verdict["certificate"]
        ids, y = proof["labels"], proof["multipliers"]
        for j in range(len(ids)):
            yield {"certificate": {"labels": ids, "multipliers": [*y[:j], -y[j], *y[j + 1 :]]}}
            yield {"certificate": {"labels": ids[:j] + ids[j + 1 :], "multipliers": y[:j] + y[j + 1 :]}}
            if ids[j] < n_labels:
                yield {"labels": sorted(labels ^ {ids[j]})}
    flipped = {"argmaxable": "unargmaxable", "unargmaxable": "argmaxable"}[verdict["status"]]
    yield {"status": flipped}
    yield {"status": flipped, "margin": [-v for v in verdict["margin"][::-1]]}


@pytest.mark.parametrize(
    ("name", "offset"), [("random", "bias"), ("duplicated rows", "no bias"), ("octahedron", "no bias")]
)
def test_every_corrupted_proof_is_rejected(name, offset, tmp_path):
    weight = layers()[name]
    bias = biases(len(weight))[offset]
    path = tmp_path / "verdicts.jsonl"
    check(weight, all_sets(len(weight), "threshold")[::9], bias=bias).save(path)
    count = 0
    for line in path.read_text().splitlines():
        verdict = json.loads(line)
        for change in corruptions(verdict, len(weight)):
            path.write_text(json.dumps(verdict | change))
            with pytest.raises(VerificationError, match="line 1"):
                verify(path, weight, bias)
            count += 1
    assert count > 50
