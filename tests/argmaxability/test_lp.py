import numpy as np
import pytest
import scipy.optimize

from sigfft.argmaxability import lp
from sigfft.argmaxability.certificate import proves_certificate, proves_witness
from sigfft.argmaxability.search import Basis
from sigfft.argmaxability.system import homogenize, pad_sets

NONE = np.zeros(0, int)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("rule", ["threshold", "top_k"])
def test_it_proves_both_verdicts_from_no_rows_at_all(seed, with_bias, rule):
    rng = np.random.default_rng(seed)
    weight, bias = rng.standard_normal((40, 4)), rng.standard_normal(40) if with_bias else None
    z = rng.standard_normal(4)
    logits = weight @ z + (0 if bias is None else bias)
    reached = np.sort(np.flatnonzero(logits > 0) if rule == "threshold" else np.argsort(-logits)[:9])
    system = homogenize(weight, bias, rule)
    padded = pad_sets([reached.tolist(), rng.choice(40, 7, replace=False).tolist()], system)
    basis = Basis.of(system)
    found = lp.max_margin(system, basis, padded[0], NONE)
    assert proves_witness(weight, bias, rule, reached.tolist(), system.witness(found.solution))
    assert 0 < found.lower <= found.upper
    labels = padded[1][padded[1] < 40].tolist()
    found = lp.max_margin(system, basis, padded[1], NONE)
    assert proves_certificate(weight, bias, rule, labels, found.certificate)


@pytest.mark.parametrize("margin", [1e-4, 1e-7, 2e-9, 1.1e-9, 5e-11])
def test_margins_below_the_tolerance_of_the_solver_are_resolved(margin):
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((9, 8)) * (np.arange(8) > 0)
    rows[-1] = -rows[:-1].sum(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[:, 0] = margin
    system = homogenize(rows)
    found = lp.max_margin(system, Basis.of(system), np.arange(9), NONE)
    assert proves_witness(rows, None, "threshold", list(range(9)), found.solution)
    assert found.lower <= margin <= found.upper * (1 + 1e-9)
    assert found.lower > 0.5 * margin
    assert found.upper < 2 * margin


def test_the_radius_of_a_square_cut_in_half():
    """z_0 + 1 > 0 and z_0 - 3 < 0 within |z| <= 10: a strip of width 4."""
    found = lp.chebyshev(np.array([[1.0, 0.0], [2.0, 0.0]]), [0], np.array([1.0, -6.0]), box=10)
    assert found.radius == pytest.approx(2)
    assert found.centre[0] == pytest.approx(1)
    assert found.argmaxable(1.9)
    assert not found.argmaxable(2.1)


def test_an_empty_region_has_no_radius():
    found = lp.chebyshev(np.array([[1.0], [1.0]]), [0], np.array([-1.0, 1.0]))
    assert found.radius is None
    assert not found.argmaxable()


def test_a_cone_grows_with_the_box():
    weight = np.random.default_rng(2).standard_normal((10, 3))
    active = np.flatnonzero(weight @ np.ones(3) > 0).tolist()
    small, large = (lp.chebyshev(weight, active, box=box).radius for box in (1.0, 100.0))
    assert large == pytest.approx(100 * small)


def test_bad_boxes_are_refused():
    with pytest.raises(ValueError, match="box must be positive; given 0"):
        lp.chebyshev(np.eye(2), [0], box=0)


@pytest.mark.parametrize("scale", [1e-30, 1e-200, 1e-300])
def test_a_room_beyond_what_the_solver_counts_is_no_answer(scale):
    with pytest.raises(RuntimeError, match="HiGHS stopped without an answer"):
        lp.chebyshev(scale * np.eye(2), [0, 1], np.full(2, 1e10))


def test_a_solver_that_fails_is_never_a_verdict(monkeypatch):
    failed = scipy.optimize.OptimizeResult(status=4, x=None, message="numerical difficulties")
    monkeypatch.setattr(scipy.optimize, "linprog", lambda *_, **__: failed)
    system = homogenize(np.eye(2))
    with pytest.raises(RuntimeError, match="numerical difficulties"):
        lp.max_margin(system, Basis.of(system), np.array([0]), NONE)
    with pytest.raises(RuntimeError, match="numerical difficulties"):
        lp.chebyshev(np.eye(2), [0])


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
    found = lp.chebyshev(weight, labels, bias)
    assert found.argmaxable() != empty
    assert (found.radius is None) == (found.centre is None) == empty
