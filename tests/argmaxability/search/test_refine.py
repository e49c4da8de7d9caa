"""Refinement decides every set whatever its margin; the oracle says how."""

import numpy as np
import pytest
from argmaxability import oracle

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.certificate import proves_certificates, restate_certificate
from sigfft.argmaxability.proofs.exact import LEAST
from sigfft.argmaxability.search import lp, refine
from sigfft.argmaxability.search.clock import Clock, OutOfTime
from sigfft.argmaxability.search.finding import Finding
from sigfft.argmaxability.stages import Problem
from sigfft.projection import Projection


def decided(problem, label_set):
    """Whether the set is argmaxable, by the first proposal that is a proof; and how many proposals that took."""
    layer, system = problem.layer, problem.system
    start = Finding.nothing(system.width)
    signs = system.signs(label_set[None])[0].astype(int).astype(object)
    whole = system.whole(np.arange(layer.n_constraints))[0] * signs[:, None]
    for count, finding in enumerate(refine.proposals(system, problem.basis, label_set, start, Clock()), 1):
        if finding.exact is not None and (whole[~system.silent] @ np.array(finding.exact, object) > 0).all():
            return True, count
        if finding.certificate is not None:
            stated = restate_certificate(layer, label_set, finding.certificate)
            if stated is not None and proves_certificates(layer, label_set[None], [stated])[0]:
                return False, count
    return None, count


def cone(margin, dim=5, seed=3):
    """Rows that cancel but for a common component, the margin; among wide ones."""
    rng = np.random.default_rng(seed)
    tight = rng.standard_normal((dim, dim)) * (np.arange(dim) > 0)
    tight[-1] = -tight[:-1].sum(axis=0)
    tight /= np.linalg.norm(tight, axis=1, keepdims=True)
    tight[:, 0] = margin
    wide = rng.standard_normal((12, dim)) * 0.5
    wide[:, 0] = np.abs(wide[:, 0]) + 1
    return np.vstack([tight, wide])


@pytest.mark.parametrize("margin", [1e-3, 1e-9, 1e-14, 1e-20, 1e-60, 1e-200])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_cone_of_any_width_is_decided(margin, sign, monkeypatch):
    if margin >= 1e-60:
        monkeypatch.setattr(refine.simplex, "solve", None)  # frames are enough
    rows = cone(sign * margin)
    every = list(range(len(rows)))
    expected = oracle.argmaxable(rows, None, "threshold", "any", None, every)
    assert decided(Problem.of(Layer.of(rows)), np.array(every))[0] == expected
    assert expected == (sign > 0) or margin < 1e-14  # of so thin a cone the rounding of the other entries decides


@pytest.mark.parametrize("stage", ["no frames", "no solver"])
@pytest.mark.parametrize("rule", ["threshold", "argmax", "top_k"])
def test_where_the_solver_gives_up_the_exact_simplex_decides(stage, rule, monkeypatch):
    def gives_up(*_):
        raise lp.NoAnswer("HiGHS stopped without an answer")

    if stage == "no frames":
        monkeypatch.setattr(refine, "_FRAMES", 0)
    else:
        monkeypatch.setattr(lp, "max_margin", gives_up)
    rng = np.random.default_rng(2)
    found = set()
    for scale in (1.0, 1e-7, 1e-40):
        weight, bias = 1 + scale * rng.standard_normal((9, 3)), scale * rng.standard_normal(9)
        problem = Problem.of(Layer.of(weight, bias, rule, (-1, 2)))
        for labels in [[1], [4], [8]] if rule == "argmax" else [[], [1, 2], [0, 4, 5, 7], [*range(9)]]:
            expected = oracle.argmaxable(weight, bias, rule, (-1, 2), None, labels)
            assert decided(problem, problem.layer.pad([labels])[0]) == (expected, 1)
            found.add(expected)
    assert found == {True, False}


def test_the_exact_simplex_is_guided_by_rows_with_all_their_digits(monkeypatch):
    """Those of a badly conditioned basis are right to 1e-10 only, and it looks no further than 1e-15."""
    rows = np.random.default_rng(0).standard_normal((1, 4)) + 1e-6 * np.random.default_rng(1).standard_normal((40, 4))
    problem, frames = Problem.of(Layer.of(rows)), []
    assert problem.basis.exact is None

    def keeps(system, frame, signs, clock):
        frames.append(frame)
        return real(system, frame, signs, clock)

    real = refine.simplex.solve
    monkeypatch.setattr(refine, "_FRAMES", 0)
    monkeypatch.setattr(refine.simplex, "solve", keeps)
    assert decided(problem, np.array([40]))[0] is oracle.argmaxable(rows, None, "threshold", "any", None, [])
    sharp = problem.basis.frame.sharpened(problem.system, np.arange(40))[0].rows
    np.testing.assert_array_equal(frames[0].rows, sharp)
    assert np.abs(problem.basis.frame.rows - sharp).max() > 1e-12


def test_rows_that_a_projection_cancels_are_looked_at_with_all_their_digits():
    rng = np.random.default_rng(1)
    weight = np.array([[1.0, -1.0]]) * rng.uniform(1, 2, (6, 1)) + 1e-13 * rng.standard_normal((6, 2))
    for scale in (1e-12, 1e-15, 1e-16):
        projection = Projection(np.ones((2, 3)) + scale * rng.standard_normal((2, 3)), np.zeros(2))
        problem = Problem.of(Layer.of(weight, projection=projection))
        for code in range(0, 64, 7):
            labels = [i for i in range(6) if code >> i & 1]
            expected = oracle.argmaxable(weight, None, "threshold", "any", projection, labels)
            assert decided(problem, problem.layer.pad([labels])[0])[0] == expected


@pytest.mark.parametrize("powers", [[0, -2000], [0, -5000, 3], [-950, 0], [-961, 0]])
def test_no_multiplier_falls_to_zero_or_above_the_least_where_it_is_less(powers):
    powers = np.array(powers)
    multipliers = np.linspace(0.6, 1.9, len(powers))
    proof = refine._scaled(np.arange(len(powers)), multipliers, powers)
    assert max(proof.multipliers) == 1.0
    for value, multiplier, power in zip(proof.multipliers, multipliers.tolist(), powers.tolist(), strict=True):
        ratio = multiplier / multipliers[powers.argmax()] * 2.0 ** max(-1070, power - powers.max())
        assert value == pytest.approx(ratio, rel=1e-12, abs=0) or (value == 2.0**LEAST and ratio < value)


def test_multipliers_below_the_least_are_proved():
    """A bias of 1e300 against bounds of 1e-12: three of four multipliers are below 2^-960."""
    weight, bias = np.array([[-1e-38, 1e-37], [-1e-18, 1e-24]]), np.array([-1e300, -3.6e298])
    problem = Problem.of(Layer.of(weight, bias, domain=(1e-12, 2e-12)))
    for labels in ([0], [1], [0, 1]):
        assert not oracle.argmaxable(weight, bias, "threshold", (1e-12, 2e-12), None, labels)
        assert decided(problem, problem.layer.pad([labels])[0])[0] is False


def test_where_no_row_asks_anything_any_solution_will_do():
    problem = Problem.of(Layer.of(np.zeros((3, 2)), domain="nonnegative"))
    assert decided(problem, np.array([3]))[0] is True


@pytest.mark.parametrize("frames", [0, 20])
def test_it_stops_when_time_is_up(frames, monkeypatch):
    monkeypatch.setattr(refine, "_FRAMES", frames)
    problem = Problem.of(Layer.of(cone(1e-30)))
    start = Finding.nothing(problem.system.width)
    with pytest.raises(OutOfTime):
        next(refine.proposals(problem.system, problem.basis, np.arange(17), start, Clock(0.0)))
