import hashlib

import ml_dtypes
import numpy as np
import pytest
from argmaxability.brute_force import all_sets, argmaxable_sets, biases, layers, yields
from argmaxability.claims import certificate_holds, witness_holds

from sigfft.argmaxability.layer import Layer, array_digest
from sigfft.argmaxability.proofs import certificate as proofs
from sigfft.argmaxability.proofs.certificate import Certificate
from sigfft.argmaxability.proofs.exact import LEAST, cancels_exactly, cancels_verified, multipliers, rounded
from sigfft.argmaxability.proofs.witness import proves_witnesses
from sigfft.argmaxability.theory.oriented import circuits, orthogonal_complement
from sigfft.labels import pad


def augmented(weight, bias, rule):
    """Exact rows of the sign system, the row of the bias' sign last; zero rows kept."""
    ids = np.arange(len(weight) + (bias is not None))
    return Layer.of(np.asarray(weight), bias, rule).rows(ids)


def conflict(rows, active, n_labels, dependencies):
    """A certificate for the set, from the signed circuits of the rows; None if no circuit agrees with it."""
    signs = np.where(np.isin(np.arange(len(rows)), [*active, n_labels]), 1, -1)
    for i in active:
        if not rows[i].any():
            return Certificate((i,), (1.0,))
    for circuit in dependencies:
        support = np.flatnonzero(circuit)
        if (circuit[support] == signs[support]).all() and rows[support].any(axis=1).all():
            y = [abs(float(v)) for v in orthogonal_complement(rows[support])[:, 0]]
            return Certificate(tuple(support.tolist()), tuple(y))
    return None


@pytest.mark.parametrize("rule", ["threshold", "top_k", "argmax"])
@pytest.mark.parametrize("offset", ["no bias", "tied bias"])
@pytest.mark.parametrize("name", layers())
def test_each_set_has_a_witness_or_a_certificate_and_never_both(name, offset, rule):
    weight = layers()[name][:6]
    bias = biases(len(weight))[offset]
    bias = None if bias is None else bias.astype(weight.dtype)
    reachable = argmaxable_sets(weight, bias, rule)
    rows = augmented(weight, bias, rule)
    dependencies = circuits(rows)
    for labels in all_sets(len(weight), rule):
        certificate = conflict(rows, labels, len(weight), dependencies)
        assert (certificate is None) == (labels in reachable)
        if certificate is None:
            point = reachable[labels]
            scale = 1 if bias is None else point[weight.shape[1]]
            z = np.array([float(v / scale) for v in point[: weight.shape[1]]])
            rounded_out = name == "cyclic" and not yields(weight, bias, rule, labels, z)  # a cone of width 1e-17
            assert witness_holds(weight, bias, rule, labels, z) != rounded_out
        else:
            assert certificate_holds(weight, bias, rule, labels, certificate)


@pytest.mark.parametrize("rule", ["threshold", "top_k"])
@pytest.mark.parametrize("name", ["ties", "octahedron", "zero rows", "random"])
def test_no_false_claim_is_proved(name, rule):
    weight = layers()[name][:6]
    n, rng = len(weight), np.random.default_rng(2)
    reachable = argmaxable_sets(weight, None, rule)
    sets = all_sets(n, rule)
    padded = pad(sets, n)
    for _ in range(20):
        z = rng.integers(-2, 3, weight.shape[1]).astype(np.float64)
        proved = proves_witnesses(Layer.of(weight, None, rule), padded, np.tile(z, (len(sets), 1)))
        assert proved.tolist() == [yields(weight, None, rule, labels, z) for labels in sets]
        support = rng.choice(n, size=rng.integers(1, 5), replace=False)
        claim = Certificate(tuple(support.tolist()), tuple(rng.uniform(0.5, 2, len(support)).tolist()))
        proved = proofs.proves_certificates(Layer.of(weight, None, rule), padded, [claim] * len(sets))
        assert not any(labels in reachable for labels, p in zip(sets, proved, strict=True) if p)


FLOATS = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_stored_dtype_decides(dtype):
    third = np.array([[1 / 3], [1 / 3]]).astype(dtype)
    bias = np.array([-1 / 3, 0]).astype(dtype)
    assert not witness_holds(third, bias, "threshold", [0, 1], np.ones(1))  # stored 1/3 - 1/3 is a tie
    assert witness_holds(third, bias, "threshold", [0, 1], np.array([1 + 2.0**-52]))
    assert witness_holds(third, bias, "threshold", [1], np.array([1 - 2.0**-53]))


@pytest.mark.parametrize(
    ("row", "z", "positive"),
    [
        ([1e16, 1, -1e16], [1, 1, 1], True),  # float64 loses the 1 in one order of summation
        ([1e16, 1, -1e16], [1, 0, 1], False),
        ([1e300, -1e300], [1e300, 1e300 * (1 - 2.0**-52)], True),  # overflows
        ([1e300, -1e300], [1e300, 1e300], False),
        ([1e-300, 1e-300], [1e-300, -1e-301], True),  # underflows
        ([5e-324, 0], [5e-324, 0], True),
        ([0.1, -0.3], [3, 1], True),  # 3 * fl(0.1) > fl(0.3): 0.1 is rounded up, 0.3 down
    ],
)
def test_witness_signs_are_exact(row, z, positive):
    weight, z = np.array([row], np.float64), np.array(z, np.float64)
    assert witness_holds(weight, None, "threshold", [0], z) == positive
    pair = np.concatenate([weight, 0 * weight])
    assert witness_holds(pair, None, "top_k", [0], z) == positive


def test_a_witness_that_is_not_finite_proves_nothing():
    for bad in (np.nan, np.inf):
        assert not witness_holds(np.eye(2), None, "top_k", [0, 1], np.array([bad, 1.0]))


def test_one_float_decides_between_witness_and_certificate():
    delta = 2.0**-60
    for tilt, cancels in ((delta, False), (-delta, True)):
        rows = np.array([[1.0, 0], [0, 1], [-1, tilt]])
        for proof in (cancels_exactly, cancels_verified):
            assert proof(rows, np.array([1.0, delta, 1.0])) == cancels


@pytest.mark.parametrize("dim", [1, 5, 40])
def test_float_proof_and_exact_proof_agree(dim):
    rng = np.random.default_rng(dim)
    weight = rng.standard_normal((dim + 1, dim)).astype(np.float32)
    kernel = np.linalg.svd(weight.astype(np.float64).T)[2][-1]
    rows, y = weight * np.sign(kernel)[:, None], np.abs(kernel)
    noisy = y * (1 + 1e-9 * rng.standard_normal(dim + 1))
    assert cancels_verified(rows, noisy)
    assert cancels_exactly(rows, noisy)
    rows[dim // 2] *= -1
    assert not cancels_verified(rows, noisy)
    assert not cancels_exactly(rows, noisy)


def test_singular_supports_are_left_to_exact_arithmetic():
    rows = np.array([[1.0, 2, 0], [-2, -4, 0], [0, 0, 1], [0, 0, -1]])
    y = np.array([2.0, 1, 3, 3])
    assert not cancels_verified(rows, y)
    assert cancels_exactly(rows, y)
    assert not cancels_exactly(rows * [[1], [-1], [1], [1]], y)


def test_float_proofs_of_nearly_singular_supports_are_true():
    """Columns that differ in the last bits: float64 cannot know the signs, and must say so."""
    rng, proved, true = np.random.default_rng(4), 0, 0
    for _ in range(400):
        column = rng.uniform(0.5, 1, 3) * rng.choice([-1.0, 1.0], 3)
        rows = np.column_stack([column, column * (1 + 2.0**-52 * rng.integers(-3, 4, 3))])
        y = np.abs(np.linalg.svd(rows.T)[2][-1]) + 1e-17
        x = multipliers(rows, y)
        restated = y if x is None else rounded(x)
        assert cancels_exactly(rows, restated) == (x is not None)
        sure = cancels_verified(rows, restated)
        assert x is not None or not sure
        proved, true = proved + sure, true + (x is not None)
    assert true > proved


@pytest.mark.parametrize("dim", [1, 5, 40])
def test_multipliers_that_are_far_from_cancelling_prove_nothing_and_are_restated(dim):
    rng = np.random.default_rng(dim)
    weight = rng.standard_normal((dim + 1, dim)).astype(np.float32)
    kernel = np.linalg.svd(weight.astype(np.float64).T)[2][-1]
    labels, y = np.flatnonzero(kernel > 0).tolist(), np.abs(kernel)
    layer, ids = Layer.of(weight), tuple(range(dim + 1))
    for change, near in [(0.0, True), (1e-8, True), (4e-6, False), (0.5, False), (1e9, False)]:
        changed = y * np.where(np.arange(dim + 1) == 0, 1 + change, 1)
        claim = Certificate(ids, tuple((1e-3 * changed).tolist()))
        assert certificate_holds(weight, None, "threshold", labels, claim) == near
        rows = weight * np.sign(kernel)[:, None]
        assert cancels_exactly(rows.astype(np.float64), changed) == near
        restated = proofs.restate_certificate(layer, layer.pad([labels])[0], claim)
        assert restated.labels == ids
        assert certificate_holds(weight, None, "threshold", labels, restated)
        np.testing.assert_allclose(np.array(restated.multipliers) / restated.multipliers[0], y / y[0], rtol=1e-9)
    assert proofs.restate_certificate(layer, layer.pad([labels[1:]])[0], claim) is None


@pytest.mark.parametrize("ratio", [1e-292, 1e-200, 1e-20, 1e280])
def test_restated_multipliers_of_any_size_are_numbers(ratio):
    weight = np.array([[1e-5], [-ratio]])
    claim = Certificate((0, 1), (1.0, 1.0))
    restated = proofs.restate_certificate(Layer.of(weight), np.array([0, 1]), claim)
    assert restated.multipliers[0] * 1e-5 == pytest.approx(restated.multipliers[1] * ratio, rel=1e-15, abs=0)
    assert certificate_holds(weight, None, "threshold", [0, 1], restated)


@pytest.mark.parametrize(("small", "large"), [(1e-5, 1e300), (1e-320, 1e300), (1e-300, 1e-5)])
def test_multipliers_too_far_apart_for_floats_are_stored_as_the_least(small, large):
    """So small in units of the largest, they need only be so: the rows and the other multipliers say what they are."""
    weight = np.array([[small], [-large]])
    for given in (1.0, 1e-200, 2.0**LEAST):
        restated = proofs.restate_certificate(Layer.of(weight), np.array([0, 1]), Certificate((0, 1), (1.0, given)))
        assert restated.multipliers == (1.0, 2.0**LEAST)
    assert certificate_holds(weight, None, "threshold", [0, 1], restated)
    assert not certificate_holds(weight, None, "threshold", [0], restated)
    assert not certificate_holds(weight, None, "threshold", [0, 1], Certificate((0, 1), (1.0, 2.0 ** (LEAST + 1))))
    assert not certificate_holds(weight, None, "threshold", [0, 1], Certificate((0, 1), (2.0**LEAST, 1.0)))


@pytest.mark.parametrize("exponent", [-1000, 0, 1000])
def test_least_multipliers_are_measured_as_they_are_stored(exponent):
    """Behind a projection rows are whole numbers times powers of two, which say nothing of the multipliers' size."""
    powers = np.array([exponent, 0])
    whole = np.array([[1 << 1000], [-1 << (1000 + exponent)]], object)  # the stored rows are 1 and −1 times a number
    assert cancels_exactly(whole, np.array([1.0, 1.0]), powers)
    assert not cancels_exactly(whole, np.array([1.0, 1.01]), powers)
    assert not cancels_exactly(whole, np.array([1.01, 1.0]), powers)
    assert rounded(multipliers(whole, np.ones(2), powers), powers).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("y", [[1.5, 0.5, 1.0], [2.0, 1e-30, 1.0], [1e200, 1.0, 1.0]])
def test_no_warning_stands_for_a_refused_proof(y):
    """The exact multiplier of the second row is zero, and refinement finds it: nothing is divided by it."""
    assert not cancels_verified(np.array([[1.0, 1], [1, -1], [-2, -2]]), np.array(y))


def test_an_unlucky_prime_proves_nothing():
    rows, y = np.array([[1.0, 0], [-1, 3]]), np.ones(2)
    assert not cancels_exactly(rows, y)
    assert not cancels_exactly(rows, y, prime=3)  # modulo 3 the rows cancel


def test_the_condition_on_the_bias_needs_no_padding():
    weight, bias = np.zeros((2, 1)), np.array([1.0, -1.0])
    never = Certificate((1, 2), (1.0, 1.0))  # a negative bias and no weight: never on
    assert proofs.proves_certificates(Layer.of(weight, bias, "threshold"), np.array([[0, 1]]), [never]).all()


@pytest.mark.loose_types
def test_malformed_certificates_prove_nothing():
    weight = np.array([[1.0, 0], [1, 0], [0, 1], [0, 0]])
    assert certificate_holds(weight, None, "threshold", [0], Certificate((0, 1), (1.0, 1.0)))
    for labels, y in [
        ((0, 1), (1.0, -1.0)),
        ((0, 1), (1.0, 0.0)),
        ((0, 1), (1.0, np.nan)),
        ((0, 1), (np.inf, np.inf)),
        ((0, 1), (1.0,)),
        ((0, 0), (1.0, 1.0)),
        ((0, 0, 1), (1.0, 1.0, 2.0)),
        ((0, 4), (1.0, 1.0)),  # no bias, so no condition on it
        ((-4, 1), (1.0, 1.0)),
        ((0.0, 1.0), (1.0, 1.0)),
        ((0, 2), (1.0, 1.0)),
        ((3,), (1.0,)),  # inactive zero row: asks for nothing
        ((0, 1, 3), (1.0, 1.0, 1.0)),
        ((), ()),
    ]:
        assert not certificate_holds(weight, None, "threshold", [0], Certificate(labels, y)), (labels, y)
    assert not certificate_holds(weight, None, "threshold", [0, 1], Certificate((0, 1), (1.0, 1.0)))
    assert certificate_holds(weight, None, "threshold", [3], Certificate((3,), (1.0,)))
    too_many = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    assert not certificate_holds(too_many, None, "threshold", [0, 1, 2, 3], Certificate((0, 1, 2), (1.0, 2.0, 1.0)))


def test_wrong_arguments_are_named():
    weight, padded = np.eye(3), np.array([[0, 3]])

    def witnesses_of(weight, bias, rule, padded, witnesses):
        return proves_witnesses(Layer.of(weight, bias, rule), padded, witnesses)

    for call, message in [
        ((weight, None, "most", padded, np.ones((1, 3))), "unknown rule 'most'"),
        ((weight, np.ones(2), "top_k", padded, np.ones((1, 3))), r"bias must be \(n_labels,\) = \(3,\)"),
        ((weight[0], None, "top_k", padded, np.ones((1, 3))), "weight must be"),
        ((weight, None, "top_k", padded, np.ones((1, 2))), "witnesses must be"),
        ((weight * np.nan, None, "top_k", padded, np.ones((1, 3))), "weight must be finite"),
        ((weight.astype(int), None, "top_k", padded, np.ones((1, 3))), "given int64"),
        ((weight, None, "argmax", np.array([[0, 1]]), np.ones((1, 3))), "exactly one label in each set"),
    ]:
        with pytest.raises(ValueError, match=message):
            witnesses_of(*call)


def test_digest_depends_on_content_alone():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    digest = array_digest(array)
    assert digest == {"dtype": "float32", "shape": [2, 3], "sha256": hashlib.sha256(array.tobytes()).hexdigest()}
    assert array_digest(np.asfortranarray(array)) == array_digest(array.astype(">f4")) == digest
    assert array_digest(array.astype(np.float64)) != digest
    assert array_digest(array.astype(ml_dtypes.bfloat16))["dtype"] == "bfloat16"
