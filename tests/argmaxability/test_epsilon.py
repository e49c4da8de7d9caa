import itertools

import numpy as np
import pytest
import scipy.optimize

from sigfft.argmaxability import check, epsilon
from sigfft.argmaxability.epsilon import chebyshev, epsilon_argmaxable

RNG = np.random.default_rng(0)
WEIGHT, BIAS = RNG.standard_normal((8, 3)), RNG.standard_normal(8)
SETS = [list(s) for size in range(4) for s in itertools.combinations(range(8), size)]


@pytest.mark.parametrize("bias", [None, BIAS])
@pytest.mark.parametrize("radius", [0.0, 0.05, 0.5, 2.0, 50.0])
def test_it_agrees_with_one_linear_program_for_each_set(bias, radius):
    report = check(WEIGHT, SETS, bias)
    expected = [chebyshev(WEIGHT, s, bias, box=10.0).argmaxable(radius) for s in SETS]
    np.testing.assert_array_equal(epsilon_argmaxable(WEIGHT, report, bias, radius, box=10.0), expected)
    assert (0 < sum(expected) < len(expected)) == (radius < 10)  # no ball is larger than the box


def test_witnesses_and_margins_settle_sets_without_a_linear_program(monkeypatch):
    report = check(WEIGHT, SETS)
    monkeypatch.setattr(epsilon, "chebyshev", lambda *_: pytest.fail("a linear program was solved"))
    np.testing.assert_array_equal(epsilon_argmaxable(WEIGHT, report), report.status == "argmaxable")
    assert not epsilon_argmaxable(WEIGHT, report, epsilon=1e6).any()


def test_a_layer_of_zeros_leaves_all_room_to_the_empty_set():
    weight = np.zeros((3, 2))
    assert epsilon_argmaxable(weight, check(weight, [[], [1]])).tolist() == [True, False]


def test_a_zero_row_takes_no_room():
    weight = np.array([[1.0, 0.0], [0.0, 0.0]])
    assert epsilon_argmaxable(weight, check(weight, [[0], [], [1]]), epsilon=1.0).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("top_k", {}, "threshold rule"),
        ("threshold", {"epsilon": -1.0}, "epsilon must be at least 0"),
        ("threshold", {"epsilon": float("nan")}, "epsilon must be at least 0"),
        ("threshold", {"box": 0.0}, "box positive"),
        ("threshold", {"box": np.inf}, "at most 1e\\+06; given .* box=inf"),
        ("threshold", {"box": 1e300}, "at most 1e\\+06; given .* box=1e\\+300"),
        ("threshold", {"epsilon": np.inf}, "epsilon=inf"),
    ],
)
def test_what_cannot_be_asked_is_refused(rule, options, message):
    with pytest.raises(ValueError, match=message):
        epsilon_argmaxable(WEIGHT, check(WEIGHT, [[0]], rule=rule), **options)


@pytest.mark.parametrize("scale", [1e-200, 1e-162, 1e155, 1e300])
def test_the_scale_of_the_weights_changes_no_ball(scale):
    weight = np.array([[1.0, 0], [0, 1], [-1, -1], [1, 1]])
    sets = [[0, 1, 3], [0, 1], [2], [0, 3]]
    for radius in (0.0, 1.0, 5e3, 1e5):
        expected = epsilon_argmaxable(weight, check(weight, sets), epsilon=radius)
        found = epsilon_argmaxable(weight * scale, check(weight * scale, sets), epsilon=radius)
        np.testing.assert_array_equal(found, expected)
        assert expected.any() == (radius < 1e4)
        bounded = chebyshev(weight * scale, [0, 1, 3], scale * np.ones(4))
        assert bounded.radius == pytest.approx(chebyshev(weight, [0, 1, 3], np.ones(4)).radius)


def test_the_radius_of_a_square_cut_in_half():
    """z_0 + 1 > 0 and z_0 - 3 < 0 within |z| <= 10: a strip of width 4."""
    found = chebyshev(np.array([[1.0, 0.0], [2.0, 0.0]]), [0], np.array([1.0, -6.0]), box=10.0)
    assert found.radius == pytest.approx(2)
    assert found.centre[0] == pytest.approx(1)
    assert found.argmaxable(1.9)
    assert not found.argmaxable(2.1)


def test_an_empty_region_has_no_radius():
    found = chebyshev(np.array([[1.0], [1.0]]), [0], np.array([-1.0, 1.0]))
    assert found.radius is None
    assert not found.argmaxable()


def test_a_cone_grows_with_the_box():
    weight = np.random.default_rng(2).standard_normal((10, 3))
    active = np.flatnonzero(weight @ np.ones(3) > 0).tolist()
    small, large = (chebyshev(weight, active, box=box).radius for box in (1.0, 100.0))
    assert large == pytest.approx(100 * small)


def test_bad_boxes_are_refused():
    with pytest.raises(ValueError, match="box must be positive; given 0"):
        chebyshev(np.eye(2), [0], box=0.0)


@pytest.mark.parametrize("scale", [1e-30, 1e-200, 1e-300])
def test_a_room_beyond_what_the_solver_counts_is_no_answer(scale):
    with pytest.raises(RuntimeError, match="HiGHS stopped without an answer"):
        chebyshev(scale * np.eye(2), [0, 1], np.full(2, 1e10))


@pytest.mark.parametrize(
    ("labels", "bias", "empty"),
    [
        ([2], None, True),
        ([2], -1.0, True),
        ([2], -1e-12, True),
        ([2], 1e-12, False),
        ([0], None, False),
        ([0], -1.0, False),
        ([0], 0.0, False),
        ([0], 1e-12, True),
    ],
)
def test_a_label_with_zero_weights_is_on_or_off_by_its_bias_alone(labels, bias, empty):
    weight, bias = np.array([[1.0, 0], [0, 1], [0, 0]]), None if bias is None else np.array([0.0, 0, bias])
    found = chebyshev(weight, labels, bias)
    assert found.argmaxable() != empty
    assert (found.radius is None) == (found.centre is None) == empty


def test_a_solver_that_fails_is_an_error(monkeypatch):
    failed = scipy.optimize.OptimizeResult(status=4, x=None, message="numerical difficulties")
    monkeypatch.setattr(scipy.optimize, "linprog", lambda *_, **__: failed)
    with pytest.raises(RuntimeError, match="numerical difficulties"):
        chebyshev(np.eye(2), [0])


def test_a_program_that_goes_in_circles_ends(monkeypatch):
    weight = np.random.default_rng(0).normal(size=(40, 8))
    active = np.flatnonzero(weight.sum(axis=1) > 0)
    assert chebyshev(weight, active).radius > 0
    monkeypatch.setattr("sigfft.argmaxability.epsilon._STEPS", 0)
    with pytest.raises(RuntimeError, match="HiGHS stopped without an answer: Iteration limit"):
        chebyshev(weight, active)
