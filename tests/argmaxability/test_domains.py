import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from argmaxability import oracle

from sigfft.argmaxability import Report, VerificationError, check, verify
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.domains import DOMAINS, Domain, domain_of
from sigfft.projection import Projection

INF = math.inf


@pytest.mark.parametrize(
    ("given", "low", "high", "bounds", "is_cone", "name"),
    [
        ("any", -INF, INF, (), True, "any"),
        ("nonnegative", 0.0, INF, (0.0,), True, "nonnegative"),
        ((None, None), -INF, INF, (), True, "any"),
        ((0, None), 0.0, INF, (0.0,), True, "nonnegative"),
        ((-0.0, INF), 0.0, INF, (0.0,), True, "nonnegative"),
        ((None, 0), -INF, 0.0, (0.0,), True, [None, 0.0]),
        ([-1, 2], -1.0, 2.0, (-1.0, 2.0), False, [-1.0, 2.0]),
        ((np.float32(0.5), np.int64(1)), 0.5, 1.0, (0.5, 1.0), False, [0.5, 1.0]),
        ((1, None), 1.0, INF, (1.0,), False, [1.0, None]),
        ((0, 1), 0.0, 1.0, (0.0, 1.0), False, [0.0, 1.0]),
    ],
)
def test_domains_by_name_or_by_bounds(given, low, high, bounds, is_cone, name):
    domain = domain_of(given)
    assert (domain.low, domain.high, domain.bounds, domain.is_cone) == (low, high, bounds, is_cone)
    assert domain.to_json() == name
    assert domain_of(json.loads(json.dumps(name))) == domain == domain_of(domain)


@pytest.mark.parametrize(
    "given",
    [
        *("positive", "", None, 3, (1,), (0, 1, 2), [], {"low": 0}, np.array([0, 1]), ("0", "1"), ("a", 1), ([0], 1)),
        *((1, 1), (2, 1), (None, -INF), (INF, None), (math.nan, 1), (0, math.nan), (0, 10**400), (0j, 1)),
    ],
)
def test_what_is_no_domain_is_refused_with_what_was_given(given):
    for call in (domain_of, lambda domain: check(np.eye(2), [[0]], domain=domain)):
        with pytest.raises(ValueError, match="domain must be 'any', 'nonnegative' or two numbers") as caught:
            call(given)
        assert f"given {given!r}" in str(caught.value)


def test_bounds_in_the_wrong_order_are_named():
    with pytest.raises(ValueError, match=r"given \(2, 1\): low must be below high"):
        domain_of((2, 1))


def test_bounds_are_no_members():
    values = np.array([[0.0, 0.5], [0.5, 1.0], [0.5, 0.5], [5e-324, 1 - 2.0**-53], [-1.0, 0.5]])
    assert Domain(0.0, 1.0).holds(values).tolist() == [False, False, True, True, False]
    assert Domain().holds(values).all()
    assert not Domain(0.0).holds(np.array([math.nan, 1.0]))


@pytest.mark.parametrize(
    ("domain", "constraints"),
    [
        ("any", []),
        ("nonnegative", [[1, 0, 0], [0, 1, 0]]),
        ((None, 0), [[-1, 0, 0], [0, -1, 0]]),
        ((-1, 2), [[0, 0, 1, 0], [1, 0, 1, 0], [0, 1, 1, 0], [-1, 0, 2, 0], [0, -1, 2, 0]]),
        ((1, None), [[0, 0, 1, 0], [1, 0, -1, 0], [0, 1, -1, 0]]),
    ],
)
def test_bounds_are_rows_that_every_set_has(domain, constraints):
    layer = Layer.of(np.eye(2), rule="top_k", domain=domain)
    assert layer.n_constraints == 2 + len(constraints)
    assert layer.has_constant == (len(constraints) > 2)
    rows = layer.rows(np.arange(layer.n_constraints))
    np.testing.assert_array_equal(rows[2:], np.reshape(constraints, (-1, layer.width)))
    whole, exponents = layer.whole(np.arange(layer.n_constraints))
    exact = [[v * Fraction(2) ** int(e) for v in row] for row, e in zip(whole.tolist(), exponents, strict=True)]
    assert exact == rows.tolist()


@pytest.mark.parametrize("domain", ["nonnegative", (-1, 2), (0.5, 1), (1, None), (None, -3)])
@pytest.mark.parametrize("rule", ["threshold", "top_k"])
@pytest.mark.parametrize("features", [0, 2, 4])
def test_every_set_of_a_small_layer_in_a_domain(domain, rule, features):
    rng = np.random.default_rng(features)
    weight, bias = rng.integers(-2, 3, (5, 3)).astype(float), rng.integers(-1, 2, 5).astype(float)
    projection = Projection(rng.integers(-1, 2, (3, features)) * 1.0, np.array([1.0, 0, 0])) if features else None
    sets = [[i for i in range(5) if code >> i & 1] for code in range(0, 32, 2)]
    report = check(weight, sets, bias, rule, domain=domain, projection=projection, on_error="raise")
    expected = [oracle.argmaxable(weight, bias, rule, domain, projection, labels) for labels in sets]
    assert (report.status == np.where(expected, "argmaxable", "unargmaxable")).all()
    for witness in report.witness:
        assert witness is None or domain_of(domain).holds(np.asarray(witness))


def test_a_smaller_domain_reaches_less():
    weight, sets = np.random.default_rng(0).standard_normal((8, 3)), [[i] for i in range(8)]
    reached = [
        set(np.flatnonzero(check(weight, sets, rule="argmax", domain=domain).status == "argmaxable").tolist())
        for domain in ("any", (-5, 9), (-1, 2), (0, 1), (0.5, 1), (0.9, 1))
    ]
    assert all(less <= more for more, less in itertools.pairwise(reached))
    assert len(reached[0]) > len(reached[-1]) > 0


def test_the_file_says_the_domain_and_one_file_may_hold_several(tmp_path):
    weight, path = np.array([[1.0], [-1.0]]), tmp_path / "v.jsonl"
    lines = []
    for domain, sets in {"any": [[0], [1]], "nonnegative": [[0], [1]], (0.5, 1): [[0]], (None, 0): [[1]]}.items():
        report = check(weight, sets, domain=domain)
        report.save(path)
        assert Report.load(path).layer == report.layer
        lines += path.read_text().splitlines(keepends=True)
        record = json.loads(lines[-1])
        assert record.get("domain", "any") == domain_of(domain).to_json()
    path.write_text("".join(lines))
    assert verify(path, weight) == {"argmaxable": 5, "unargmaxable": 1, "undecided": 0}
    lines[1] = json.dumps(json.loads(lines[1]) | {"domain": "nonnegative"}) + "\n"  # z = −1 is not
    path.write_text("".join(lines))
    with pytest.raises(VerificationError, match="line 2: the witness does not prove"):
        verify(path, weight)


@pytest.mark.parametrize("domain", ["positive", [1, 1], [0], [0, "1"], [0, 10**400], [[0], 1], [0, 1, 2]])
def test_a_forged_domain_is_refused(domain, tmp_path):
    weight, path = np.array([[1.0], [-1.0]]), tmp_path / "v.jsonl"
    check(weight, [[0]], domain=(0, 1)).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"domain": domain}))
    with pytest.raises(VerificationError, match="line 1: domain must be 'any', 'nonnegative' or two numbers"):
        verify(path, weight)


def test_a_certificate_of_one_domain_proves_nothing_in_another(tmp_path):
    weight, path = np.array([[1.0], [-1.0]]), tmp_path / "v.jsonl"
    check(weight, [[1]], domain="nonnegative").save(path)
    assert verify(path, weight)["unargmaxable"] == 1
    for domain in ("any", [None, 0], [-1, None]):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"domain": domain}))
        with pytest.raises(VerificationError, match="line 1: the certificate does not prove"):
            verify(path, weight)


@pytest.mark.parametrize("name", DOMAINS)
def test_verdicts_without_a_domain_are_about_any(name, tmp_path):
    layer = Layer.of(np.eye(1), domain=name)
    Report(layer.digest, layer.pad([[0]]), [Verdict("argmaxable", (0.0, 1.0), "", np.ones(1))]).save(tmp_path / "v")
    assert ("domain" in json.loads((tmp_path / "v").read_text())) == (name != "any")
    assert verify(tmp_path / "v", np.eye(1))["argmaxable"] == 1


@pytest.mark.parametrize(
    ("matrix", "offset", "message"),
    [
        (
            np.ones((3, 2)),
            np.zeros(2),
            r"must be a matrix \(2, feature_dim\) and an offset \(2,\); given shapes \(3, 2\)",
        ),
        (np.ones((2, 3)), np.zeros(3), r"given shapes \(2, 3\) and \(3,\)"),
        (np.ones((2, 0)), np.zeros(2), r"given shapes \(2, 0\)"),
        (np.ones(2), np.zeros(2), r"given shapes \(2,\)"),
        (np.full((2, 3), np.nan), np.zeros(2), r"the projection must be finite; it holds nan at index \(0, 0\)"),
        (
            np.ones((2, 3), int),
            np.zeros(2),
            "the projection must be float16, bfloat16, float32 or float64; given int64",
        ),
    ],
)
def test_a_projection_that_does_not_fit_is_refused(matrix, offset, message):
    with pytest.raises(ValueError, match=message):
        check(np.ones((4, 2)), [[0]], projection=Projection(matrix, offset))


def test_verdicts_about_features_are_not_about_z(tmp_path):
    weight, path = np.eye(2), tmp_path / "v.jsonl"
    projection = Projection(np.ones((2, 3)), np.zeros(2))
    report = check(weight, [[0], [0, 1]], projection=projection)
    assert report.status.tolist() == ["unargmaxable", "argmaxable"]
    report.save(path)
    assert sum(verify(path, weight, projection=projection).values()) == 2
    for other in (None, Projection(np.ones((2, 3)) * 2, np.zeros(2)), Projection(np.ones((2, 3)), np.ones(2))):
        with pytest.raises(
            VerificationError,
            match=r"line 1: .*(about other weights|about features of a head)",
        ):
            verify(path, weight, projection=other)
