from fractions import Fraction

import numpy as np
import pytest

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.exact import entries, matrix
from sigfft.argmaxability.search import frame as frame_module
from sigfft.argmaxability.search import lp, simplex
from sigfft.argmaxability.search.clock import Clock
from sigfft.argmaxability.search.frame import Frame
from sigfft.argmaxability.search.system import rounded
from sigfft.argmaxability.stages import Problem, decide
from sigfft.argmaxability.theory.sampling import random_sets


def moments(n_labels: int, dim: int) -> Problem:
    """A layer of powers of 1..n, whose thin cones take many stretches."""
    return Problem.of(Layer.of(np.vander(np.arange(1.0, n_labels + 1), dim, increasing=True)))


def test_a_row_that_is_not_blurred_has_the_digits_it_is_said_to_have():
    problem, random = moments(200, 9), np.random.default_rng(0)
    frame, every, kept = problem.basis.frame, np.arange(200), []
    for _ in range(4):
        shaping = random.choice(200, 7, replace=False)
        frame = frame.cleared(problem.system, shaping).stretched(shaping)
        exact = rounded(entries(matrix(problem.system.whole(every)[0]) * matrix(frame.basis)))[0]
        off = np.linalg.norm(frame.rows - exact, axis=1)
        assert (off <= 10 * frame.errors).all()
        kept.append(np.delete(off, frame.blurred))
        frame = frame.cleared(problem.system, frame.blurred)
        assert not len(frame.blurred)
    assert 0 < sum(map(len, kept)) < 800  # some rows were blurred, and some were not
    assert max(off.max(initial=0) for off in kept) < 1e-5


def blurred(n_labels: int = 200, dim: int = 9) -> tuple[Problem, Frame]:
    """A frame that has been stretched until most rows have lost their digits."""
    problem, random = moments(n_labels, dim), np.random.default_rng(0)
    frame = problem.basis.frame
    for _ in range(20):
        if 2 * len(frame.blurred) > n_labels:
            break
        shaping = random.choice(n_labels, 7, replace=False)
        frame = frame.cleared(problem.system, shaping).stretched(shaping)
    return problem, frame


def test_a_look_tells_the_sign_of_every_row_and_makes_some_that_are_broken():
    problem, frame = blurred()
    random = np.random.default_rng(1)
    signs, lost = random.choice([-1.0, 1.0], 200), frame.blurred
    x = random.standard_normal(9)
    made = entries(matrix(problem.system.whole(np.arange(200))[0]) * matrix(np.array(frame.solution(x))[:, None]))
    exact = np.array([(value > 0) - (value < 0) for value in made[:, 0].tolist()])
    assert (np.sign(frame.rows[lost] @ x) != exact[lost]).any()  # floats do not see them
    seen, products = frame.look(problem.system, signs, x, thin=False)
    broken = lost[signs[lost] * exact[lost] <= 0]
    newly = np.flatnonzero(seen.errors < frame.errors)
    assert 0 < len(newly) <= len(broken)
    assert np.isin(newly, broken).all()
    clear = seen.errors <= frame_module._BLUR
    assert (np.sign(products[clear]) == exact[clear]).all()
    assert (products[~clear] == np.inf * signs[~clear]).all()  # as if satisfied: enough of the broken ones are made


def test_a_look_along_a_thin_cone_makes_nothing_and_vouches_for_nothing():
    problem, frame = blurred()
    signs = np.ones(200)
    seen, products = frame.look(problem.system, signs, np.ones(9), thin=True)
    assert seen is frame
    assert (products[frame.blurred] == -np.inf).all()
    assert np.isfinite(np.delete(products, frame.blurred)).all()


def test_cosines_are_exact_in_sign_and_of_the_right_size():
    problem, frame = blurred()
    system, solution = problem.system, frame.solution(np.linspace(-1, 1, 9))
    whole = system.whole(np.arange(200))[0].tolist()
    for row, cosine in zip(whole, system.cosines(solution).tolist(), strict=True):
        exact = Fraction(sum(a * b for a, b in zip(row, solution, strict=True)))
        size = max(map(abs, row)) * max(map(abs, solution))
        assert abs(exact) / size / 4 <= abs(cosine) <= abs(exact) / size
        assert (cosine > 0) == (exact > 0)


@pytest.mark.parametrize("cardinality", [5, 10])
def test_frames_decide_thin_cones_without_the_last_resort(monkeypatch, cardinality):
    def unwanted(*_):
        raise AssertionError("the exact simplex method was called")

    monkeypatch.setattr(simplex, "solve", unwanted)
    problem = moments(500, 11)
    for verdict in decide(problem, problem.layer.pad(random_sets(500, cardinality, 3, seed=0))):
        assert verdict.status != "undecided"
        assert verdict.method == "refine"


def test_a_program_whose_rows_leave_a_thin_cone_asks_for_no_more_rows():
    thin = np.array([[1e-8, 1.0, 0.0], [1e-8, -1.0, 0.0], [1e-8, 0.0, 1.0], [1e-8, 0.0, -1.0]])
    others = np.array([[0.0, 1.0, 0.1], [0.0, -0.1, 1.0]])  # the axis of the cone is on their boundary
    rows = np.vstack([thin, others - [1e-9, 0, 0]])
    optimum = lp.max_margin(rows, np.ones(6), np.ones(6, bool), np.arange(4), Clock())
    assert optimum.working.tolist() == [0, 1, 2, 3]
    assert 0 < optimum.margins[:4].min() < 1e-7
    assert optimum.margins.min() < 0
