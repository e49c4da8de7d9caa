import itertools
import json
from fractions import Fraction

import numpy as np
import pytest
from argmaxability import oracle

from sigfft.argmaxability import Report, VerificationError, check, verify
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.argmaxability.proofs.witness import ExactWitness, proves_witnesses
from sigfft.projection import Projection

APART = np.array([[1.0, -1e-200], [-1.0, 3e-200]])  # together only where z_0 / z_1 is between 1e-200 and 3e-200
FIBONACCI = (3416454622906707.0, 5527939700884757.0, 8944394323791464.0)  # neighbouring ratios, the mediant has 54 bits
NARROW = np.array([[FIBONACCI[0], -FIBONACCI[1]], [-FIBONACCI[1], FIBONACCI[2]]])  # together only between the ratios
ROOM = np.array([[1.0, -1.0], [-1.0, 1 + 2.0**-52]])  # together only where z_0 / z_1 is in (1, 1 + 2^-52)


def holds(weight, labels, witness, bias=None, rule="threshold", domain="any", projection=None):
    layer = Layer.of(np.asarray(weight), bias, rule, domain, projection)
    return bool(proves_witnesses(layer, layer.pad([labels]), [witness])[0])


def test_an_exact_witness_is_proved_and_refused_when_false():
    between = ExactWitness(((1 << 53) + 1, (1 << 53)), 7)
    assert not holds(ROOM, [0, 1], ExactWitness((1, 1)))
    assert holds(np.array([[1.0, -1.0], [-1.0, 1 + 2.0**-52]]), [0, 1], between)
    assert not holds(ROOM, [0], between)
    assert not holds(ROOM, [0, 1], ExactWitness(((1 << 52) + 1, 1 << 52)))  # a tie of the second row
    assert not holds(ROOM, [0, 1], ExactWitness(tuple(-value for value in between.numerators)))


@pytest.mark.parametrize("rule", ["threshold", "argmax", "top_k"])
@pytest.mark.parametrize("size", [0, 60, 3000])
def test_exact_witnesses_of_random_layers_are_the_oracles(rule, size):
    """Of any number of digits, with a bias and in a domain, behind a projection or not."""
    rng = np.random.default_rng(size)
    counts = [0, 0]
    for _ in range(16):
        weight, bias = rng.integers(-2, 3, (4, 2)).astype(float), rng.integers(-1, 2, 4).astype(float)
        fed = Projection(rng.integers(-1, 2, (2, 3)).astype(float), rng.integers(-1, 2, 2).astype(float))
        for projection, dim in ((None, 2), (fed, 3)):
            denominator = (1 << size) + int(rng.integers(3))
            numerators = tuple(int(rng.integers(-3, 4)) * denominator + int(rng.integers(-1, 2)) for _ in range(dim))
            witness = ExactWitness(numerators, denominator)
            for labels in [[0], [1], [2], [3]] if rule == "argmax" else [[], [0], [2], [1, 2], [0, 1, 3], [0, 1, 2, 3]]:
                layer = (weight, bias, rule, (-2, 3), projection)
                expected = oracle.yields(*layer, labels, [Fraction(v, denominator) for v in numerators])
                assert holds(weight, labels, witness, bias, rule, (-2, 3), projection) == expected
                counts[expected] += 1
    assert min(counts) > 1


@pytest.mark.parametrize(
    ("domain", "numerators", "denominator", "inside"),
    [
        ("nonnegative", (1, 1), 1, True),
        ("nonnegative", (0, 1), 1, False),  # on the bound
        ((0.1, 1), (3602879701896397, 1 << 54), 36028797018963968, False),  # 0.1 itself
        ((0.1, 2), (3602879701896397 * 1000 + 1, 36028797018963968000), 36028797018963968000, True),
        ((0.1, 1), (36028797018963967, 36028797018963967), 36028797018963968, True),
        ((0.1, 1), (36028797018963968, 36028797018963967), 36028797018963968, False),
        ((None, 1e308), (10**308 - 1, 1), 1, True),
        ((None, 1e308), (10**308 + 10**300, 1), 1, False),
        ("any", (1, 1), 0, False),
        ("any", (1, 1), -1, False),
        ((-1, 1), (1, 1), -2, False),
    ],
)
def test_an_exact_witness_lies_strictly_within_the_domain(domain, numerators, denominator, inside):
    witness = ExactWitness(numerators, denominator)
    assert holds(np.ones((1, 2)), [0], witness, domain=domain, bias=np.zeros(1)) == inside


def test_where_no_floats_yield_a_set_its_witness_is_exact(tmp_path):
    """Weights hundreds of binades apart, and a bias that fixes the scale: z is near (1e400, 1e-400)."""
    weight = np.array([[1e-200, 0.0], [-1e-200, 0.0], [0.0, 1e200], [0.0, -1e200]])
    bias = np.array([-1e200, 1e200 * (1 + 2.0**-50), -1e-200, 1e-200 * (1 + 2.0**-50)])
    report = check(weight, [[0, 1, 2, 3], [0, 2]], bias, on_error="raise")
    assert report.status.tolist() == ["argmaxable", "argmaxable"]
    assert all(isinstance(witness, ExactWitness) for witness in report.witness)
    for labels, witness in zip([[0, 1, 2, 3], [0, 2]], report.witness, strict=True):
        point = [Fraction(value, witness.denominator) for value in witness.numerators]
        assert oracle.yields(weight, bias, "threshold", "any", None, labels, point)
        assert not holds(weight, labels, witness.nearest(has_constant=True), bias)
        assert witness.shape == (2,) == (len(witness),)
    report.save(tmp_path / "verdicts.jsonl")
    assert verify(tmp_path / "verdicts.jsonl", weight, bias)["argmaxable"] == 2
    assert Report.load(tmp_path / "verdicts.jsonl").witness == report.witness


def test_a_witness_that_floats_hold_is_given_in_floats():
    for weight in (APART, APART * [1, 1e100]):
        (witness,) = check(weight, [[0, 1]]).witness
        assert isinstance(witness, np.ndarray)
        assert holds(weight, [0, 1], witness)


def test_witnesses_between_neighbouring_fractions_are_short():
    (witness,) = check(NARROW, [[0, 1]]).witness
    assert isinstance(witness, ExactWitness)
    assert max(map(int.bit_length, witness.numerators)) <= 128
    assert holds(NARROW, [0, 1], witness)
    assert holds(NARROW, [0, 1], ExactWitness((-14472334024676221, -8944394323791464)))
    assert not holds(NARROW, [0, 1], np.array([-14472334024676221.0, -8944394323791464.0]))


@pytest.mark.parametrize(
    ("numerators", "denominator", "has_constant", "nearest"),
    [
        ((3, -6, 0), 4, True, [0.75, -1.5, 0.0]),
        ((1, 0), 3, True, [1 / 3, 0.0]),
        ((1 << 3000, -1 << 2999), 1 << 3001, True, [0.5, -0.25]),
        ((1, 1 << 1000), 1 << 1000, True, [2.0**-1000, 1.0]),
        ((1 << 3000, 3 << 2998), 1, False, [0.5, 0.375]),
        ((1, 3), 1 << 3000, False, [0.25, 0.75]),
        ((0, 0), 1, True, [0.0, 0.0]),
    ],
)
def test_the_nearest_floats(numerators, denominator, has_constant, nearest):
    witness = ExactWitness(numerators, denominator)
    got = witness.nearest(has_constant)
    assert (got / np.abs(got).max(initial=1e-300)).tolist() == (nearest / np.abs(nearest).max(initial=1e-300)).tolist()
    if has_constant:
        np.testing.assert_array_equal(np.asarray(witness), nearest)
        np.testing.assert_array_equal(np.asarray(witness, np.float32), np.float32(nearest))


def saved(tmp_path):
    """A report of one exact witness, its layer and its record."""
    check(NARROW, [[0, 1]]).save(tmp_path / "verdicts.jsonl")
    return NARROW, json.loads((tmp_path / "verdicts.jsonl").read_text())


def test_the_file_holds_whole_numbers_of_any_length(tmp_path):
    layer = Layer.of(np.eye(2))
    for witness in (ExactWitness((1 << 20000, -3), 1 << 9999), ExactWitness((0, 5))):
        report = Report(layer.digest, layer.pad([[0]]), [Verdict("argmaxable", (0.0, 1.0), "refine", witness)])
        report.save(tmp_path / "verdicts.jsonl")
        assert Report.load(tmp_path / "verdicts.jsonl").witness == [witness]
        record = json.loads((tmp_path / "verdicts.jsonl").read_text())["witness"]
        assert [int(value, 16) for value in record["numerators"]] == list(witness.numerators)
        assert int(record["denominator"], 16) == witness.denominator


@pytest.mark.parametrize(
    ("forge", "message"),
    [
        (lambda w: w | {"numerators": [hex(-int(v, 16)) for v in w["numerators"]]}, "witness does not prove"),
        (lambda w: w | {"numerators": [w["numerators"][0]] * 2}, "witness does not prove"),
        (lambda w: w | {"numerators": ["0x0"] * 2}, "witness does not prove"),
        (lambda w: w | {"denominator": "0x0"}, "witness does not prove"),
        (lambda w: w | {"denominator": "-0x1"}, "witness does not prove"),
        (lambda w: w | {"numerators": w["numerators"][:1]}, "witness must have dim = 2 numbers; it has 1"),
        (lambda w: w | {"numerators": []}, "witness must have dim = 2 numbers; it has 0"),
        (
            lambda w: w | {"numerators": [1, 2]},
            "an exact witness holds numerators .*: numerators must be a list of str",
        ),
        (lambda w: w | {"numerators": "0x1"}, "numerators must be list; given '0x1'"),
        (lambda w: w | {"numerators": ["0x1", "one"]}, "an exact witness .* in hexadecimal: invalid literal"),
        (lambda w: w | {"denominator": 1}, "denominator must be str; given 1"),
        (lambda w: w | {"denominator": ""}, "an exact witness .* in hexadecimal: invalid literal"),
        (lambda w: {"numerators": w["numerators"]}, "has no 'denominator'"),
        (lambda w: {}, "has no 'numerators'"),
        (lambda w: "0x1", "witness must be list or dict or null"),
        (lambda w: w["numerators"], "witness must be a list of int or float"),
    ],
)
def test_forged_numbers_are_refused_with_a_clear_message(forge, message, tmp_path):
    rows, record = saved(tmp_path)
    path = tmp_path / "verdicts.jsonl"
    assert verify(path, rows)["argmaxable"] == 1
    path.write_text(json.dumps(record | {"witness": forge(record["witness"])}))
    with pytest.raises(VerificationError, match=f"verdicts.jsonl, line 1: .*{message}"):
        verify(path, rows)


def test_one_more_in_a_numerator_is_noticed(tmp_path):
    weight, bias = np.array([[3.0]]), np.array([-1.0])
    layer = Layer.of(weight, bias)
    for numerator, yields in (((10**40 - 1) // 3, False), ((10**40 - 1) // 3 + 1, True)):
        witness = ExactWitness((numerator,), 10**40)
        Report(layer.digest, layer.pad([[0]]), [Verdict("argmaxable", (0.0, 1.0), "by hand", witness)]).save(
            tmp_path / "v"
        )
        if yields:
            assert verify(tmp_path / "v", weight, bias)["argmaxable"] == 1
            continue
        with pytest.raises(VerificationError, match="line 1: the witness does not prove"):
            verify(tmp_path / "v", weight, bias)


def test_witnesses_of_the_wrong_size_are_refused():
    layer = Layer.of(np.eye(2))
    with pytest.raises(ValueError, match=r"witnesses must be \(sets, dim\) = \(1, 2\); given \(1, \(3,\)\)"):
        proves_witnesses(layer, layer.pad([[0]]), [ExactWitness((1, 2, 3))])


@pytest.mark.parametrize("scale", [1.0, 2.0**-40, 1e100])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_projected_witness_is_looked_at_exactly(sign, scale):
    """Floats lose the 1 in most orders of summation, and so have the wrong sign."""
    for entries in itertools.permutations([1e16, 1.0, -1e16, -0.5]):
        projection = Projection(sign * np.array([entries]), np.zeros(1))
        for witness in (np.full(4, scale), ExactWitness((7,) * 4)):
            assert holds([[1.0]], [0], witness, projection=projection) == (sign > 0)
            assert holds([[1.0]], [], witness, projection=projection) == (sign < 0)
