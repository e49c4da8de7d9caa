from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from argmaxability import oracle
from argmaxability.claims import system_of

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.search.system import System, lengths, unit_rows
from sigfft.projection import Projection

WEIGHT = np.array([[1.0, 2.0], [-3.0, 0.5], [0.0, 0.0], [4.0, -1.0]])
BIAS = np.array([0.5, -0.25, 0.0, 1.0])
RULES = ("threshold", "argmax", "top_k")


@pytest.mark.parametrize(
    ("bias", "rule", "row", "positive", "silent"),
    [
        (None, "threshold", [1, 2], None, [2]),
        (BIAS, "threshold", [1, 2, 0.5], 2, [2]),
        (None, "top_k", [1, 2, 1], None, []),
        (BIAS, "argmax", [1, 2, 0.5, 1], 2, []),
    ],
)
def test_augmented_rows(bias, rule, row, positive, silent):
    system = system_of(WEIGHT, bias, rule)
    assert np.ldexp(system.rows, -system.exponents)[0].tolist() == row
    assert system.layer.positive == positive
    assert np.flatnonzero(system.silent).tolist() == silent
    assert len(system.rows) == len(system.units) == 4 + (bias is not None)
    if positive is not None:
        assert system.units[-1].tolist() == [float(j == 2) for j in range(len(row))]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("bias", [None, BIAS])
def test_a_witness_and_its_solution_agree_with_the_rule(rule, bias):
    system = system_of(WEIGHT + 0.01, bias, rule)
    for z in np.random.default_rng(0).standard_normal((20, 2)):
        logits = (WEIGHT + 0.01) @ z + (0 if bias is None else bias)
        size = {"threshold": int((logits > 0).sum()), "argmax": 1, "top_k": 2}[rule]
        labels = np.argsort(-logits)[:size]
        padded = system.layer.pad([labels.tolist()])
        level = [np.sort(logits)[-size - 1 :][:2].mean()] if system.layer.rule.free_level else []
        stored = np.concatenate([z, [] if bias is None else [1.0], np.negative(level)])
        solution = np.ldexp(stored, -system.exponents)[None]
        assert np.flatnonzero(system.yielded(solution, size)[0]).tolist() == np.sort(labels).tolist()
        assert (system.margins(padded, solution) > 0).all()
        np.testing.assert_allclose(system.witness(3.0 * solution)[0], z if bias is not None else 3.0 * z)


def test_margins_are_signed_distances_and_zero_rows_ask_nothing():
    system = system_of(WEIGHT, BIAS)
    padded = system.layer.pad([[0, 3], []])
    solutions = np.random.default_rng(1).standard_normal((2, 3))
    signs = np.array([[1, -1, -1, 1, 1], [-1, -1, -1, -1, 1]])
    np.testing.assert_array_equal(system.signs(padded), signs)
    margins = signs * (solutions @ system.units.T)
    margins[:, 2] = np.inf
    np.testing.assert_allclose(system.margins(padded, solutions), margins)


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1.0, 1e300])
def test_unit_rows_do_not_overflow_or_underflow(scale):
    units = unit_rows(np.array([[3.0, 4.0], [0.0, -7.0], [0.0, 0.0]]) * scale)
    np.testing.assert_allclose(units, [[0.6, 0.8], [0, -1], [0, 0]], rtol=1e-3 if scale < 1e-310 else 1e-15)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-155, 1.0, 1e155, 1e300])
def test_lengths_do_not_overflow_or_underflow(scale):
    rows = np.array([[3.0, 4.0], [0.0, -7.0], [0.0, 0.0]]) * scale
    np.testing.assert_allclose(lengths(rows) / scale, [5, 7, 0], rtol=1e-3 if scale < 1e-310 else 1e-15)
    assert lengths(np.full((1, 2), np.finfo(float).max)) == np.finfo(float).max


@pytest.mark.parametrize("rule", RULES)
def test_bias_and_level_have_the_size_of_the_weights(rule):
    rng = np.random.default_rng(3)
    weight, bias = 1e9 * rng.standard_normal((50, 4)), rng.standard_normal(50)
    bias[7] = -1e200  # one that is always off leaves the others as they are
    system = system_of(weight, bias, rule)
    ratios = np.median(np.abs(system.rows[:, 4:]), axis=0) / np.median(lengths(weight))
    assert ((ratios > 0.25) & (ratios < 4)).all()
    assert np.isfinite(system.rows).all()
    scaled = system_of(weight * 2.0**-300, bias, rule)
    np.testing.assert_array_equal(scaled.units, system.units)
    solutions = rng.standard_normal((3, system.rows.shape[1]))
    np.testing.assert_array_equal(scaled.witness(solutions), np.ldexp(system.witness(solutions), 300))


@pytest.mark.parametrize("size", [1e-320, 1e-150, 1e150, 1e300])
@pytest.mark.parametrize("rule", RULES)
def test_no_stored_value_is_lost_to_the_scale(size, rule):
    weight = size * np.array([[1.0], [0], [0], [-2], [1]])
    bias = np.array([0.0, 1e-300, 1e300, 5e-324, -1.7e308])
    system = system_of(weight, bias, rule)
    stored = np.column_stack([weight, bias, np.ones(5)])[:, : system.rows.shape[1]]
    np.testing.assert_array_equal(np.ldexp(system.rows, -system.exponents)[:5], stored)
    assert not system.silent.any()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_stored_values_are_widened_exactly(dtype):
    weight = np.random.default_rng(2).standard_normal((5, 3)).astype(dtype)
    rows = system_of(weight).rows
    assert rows.dtype == np.float64
    assert (rows.astype(dtype) == weight).all()


@pytest.mark.parametrize(
    ("weight", "bias", "rule", "message"),
    [
        (WEIGHT, BIAS[:3], "threshold", r"bias must be \(n_labels,\) = \(4,\)"),
        (WEIGHT, BIAS[:, None], "threshold", "bias must be"),
        (BIAS, None, "threshold", r"weight must be \(n_labels, dim\)"),
        (np.zeros((0, 3)), None, "threshold", "both at least 1"),
        (WEIGHT * [np.nan, 1], None, "threshold", r"weight must be finite; it holds nan at index \(0, 0\)"),
        (WEIGHT, np.array([0, 1, np.inf, 0]), "threshold", r"bias must be finite; it holds inf at index \(2,\)"),
        (WEIGHT.astype(int), None, "threshold", "weight must be float16, bfloat16, float32 or float64; given int64"),
        (WEIGHT, None, "softmax", "unknown rule 'softmax'; the rules are threshold, argmax, top_k"),
    ],
)
def test_bad_layers_are_refused(weight, bias, rule, message):
    with pytest.raises(ValueError, match=message):
        system_of(weight, bias, rule)


@pytest.mark.parametrize(
    ("sets", "rule", "message"),
    [
        ([[0, 4]], "threshold", "label id 4 in set 0 is not one of the 4 labels"),
        ([[0], [1, 1]], "top_k", "label id 1 is repeated in set 1"),
        (
            [[0], [1, 2]],
            "argmax",
            "set 1 has 2: for more, the rule is top_k",
        ),
        ([[]], "argmax", "the argmax rule has exactly one label in each set; set 0 has 0"),
    ],
)
def test_bad_sets_are_refused(sets, rule, message):
    with pytest.raises(ValueError, match=message):
        system_of(WEIGHT, None, rule).layer.pad(sets)


def off(system, bias=None):
    """The largest error of the unit rows."""
    scale = [Fraction(2) ** int(e) for e in system.exponents]
    exact = oracle.logit_rows(system.layer.weight, bias, system.layer.projection)
    errors = []
    for row, unit in zip(exact, system.units[: len(exact)].tolist(), strict=True):
        row = [value * power for value, power in zip(row[: system.width], scale, strict=True)]
        size = max(map(abs, row)) or 1
        length = float(oracle.dot(row, row) / size**2) ** 0.5 or 1.0
        errors += [abs(float(value / size) / length - got) for value, got in zip(row, unit, strict=True)]
    return max(errors)


@pytest.mark.parametrize("cancelled", [1.0, 1e-3, 1e-8, 1e-14, 1e-16])
@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_what_a_projection_cancels_is_made_exactly(cancelled, offset):
    rng = np.random.default_rng(0)
    weight = np.array([[1.0, -1.0]]) * rng.uniform(1, 2, (20, 1))
    projection = Projection(np.ones((2, 3)) + cancelled * rng.standard_normal((2, 3)), offset * rng.standard_normal(2))
    system = System.of(Layer.of(weight, projection=projection))
    assert off(system) <= system.unit_error
    assert system.unit_error < 1e-12
    np.testing.assert_allclose(np.linalg.norm(system.units, axis=1), 1.0)


def test_an_offset_that_the_bias_cancels_is_made_exactly():
    """Small beside the weights, and scaled up to their size."""
    rng = np.random.default_rng(0)
    weight, shift = rng.standard_normal((20, 3)), rng.standard_normal(3)
    bias = -(weight @ shift) * (1 + 1e-10 * rng.standard_normal(20))
    system = System.of(Layer.of(weight, bias, projection=Projection(rng.standard_normal((3, 2)), shift)))
    assert off(system, bias) <= system.unit_error


@pytest.mark.parametrize("scale", [1e-250, 1e-160, 1e160, 1e250])
@pytest.mark.parametrize("rule", RULES)
def test_no_product_with_a_projection_is_lost_beyond_the_range_of_floats(scale, rule):
    rng = np.random.default_rng(0)
    weight, matrix = scale * rng.standard_normal((6, 2)), scale * rng.standard_normal((2, 3))
    weight[4] = 0.0
    system = System.of(Layer.of(weight, None, rule, projection=Projection(matrix, np.zeros(2))))
    assert np.isfinite(system.rows).all()
    assert np.flatnonzero(system.silent).tolist() == ([4] if rule == "threshold" else [])
    if rule == "threshold":
        assert off(system) <= system.unit_error


@pytest.mark.parametrize("domain", [(-1e308, 1e308), (5e-324, None), (0.0, 1e-300), (-5e-324, 1e308)])
@pytest.mark.parametrize("size", [1e-150, 1.0, 1e150])
def test_no_bound_of_a_domain_is_lost_to_the_scale(domain, size):
    bias = size * np.array([1.0, -1.0, 0.5])
    system = System.of(Layer.of(np.ones((3, 1)), bias, domain=domain))
    assert np.isfinite(system.units).all()
    stored = system.layer.rows(np.arange(system.layer.n_constraints))
    np.testing.assert_array_equal(np.ldexp(system.rows, -system.exponents), stored)
