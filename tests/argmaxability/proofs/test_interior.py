from fractions import Fraction

import numpy as np
import pytest

from sigfft.argmaxability.proofs.interior import has_full_row_rank, has_solution
from sigfft.domains import domain_of


def kernel_and_point(rng, dim, n, low, high):
    """M with an exact small-integer solution of M h = target inside (low, high)."""
    m = rng.integers(-3, 4, (dim, n)).astype(np.float64)
    m[:, :dim] += 7 * np.eye(dim)
    h = rng.uniform(low + 0.1 * (high - low), high - 0.1 * (high - low), n)
    return m, m @ h, h


def test_a_solution_is_proved_from_floats_near_it():
    rng = np.random.default_rng(0)
    for _ in range(50):
        m, target, h = kernel_and_point(rng, 4, 9, -1.0, 2.0)
        near = h + 1e-9 * rng.standard_normal(9)
        assert has_solution(m, target, near, np.arange(4), domain_of((-1, 2)))


def test_what_leaves_the_domain_is_not_proved():
    m, h = np.array([[1.0, 1.0]]), np.array([1.0, 1.0])
    assert has_solution(m, np.array([2.0]), h, np.array([0]), domain_of((0, 2)))
    # moving the first entry alone would take 2.5 and -0.5
    assert not has_solution(m, np.array([3.5]), h, np.array([0]), domain_of((0, 2)))
    assert not has_solution(m, np.array([0.5]), h, np.array([0]), domain_of("nonnegative"))
    # on the bound, exactly
    assert not has_solution(m, np.array([3.0]), h, np.array([0]), domain_of((0, 2)))
    assert has_solution(m, np.array([3.0 - 2.0**-40]), h, np.array([0]), domain_of((0, 2)))
    # the floats themselves are outside
    assert not has_solution(m, np.array([2.0]), np.array([-1.0, 3.0]), np.array([0]), domain_of("nonnegative"))


def test_badly_conditioned_columns_are_solved_exactly():
    close = 1.0 + 2.0**-50
    m = np.array([[1.0, 1.0, 1.0], [1.0, close, 1.0]])
    h = np.array([1.0, 1.0, 1.0])
    exact = [Fraction(v) for v in (m @ h).tolist()]
    target = np.array([float(v) for v in exact])
    assert has_solution(m, target, h, np.array([0, 1]), domain_of("nonnegative"))
    # half a unit in the last place more asks for a second entry of 1.5 and a first of 0.5, then of -1 and 3
    assert has_solution(m, target + np.array([0.0, 2.0**-51]), h, np.array([0, 1]), domain_of("nonnegative"))
    assert not has_solution(m, target + np.array([0.0, 2.0**-49]), h, np.array([0, 1]), domain_of("nonnegative"))
    dependent = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 2.0]])
    assert not has_solution(dependent, np.ones(2), h, np.array([0, 1]), domain_of("nonnegative"))


@pytest.mark.parametrize("columns", [None, np.array([0, 1])])
def test_rank_is_exact(columns):
    assert has_full_row_rank(np.array([[1.0, 1.0, 0.0], [1.0, 1.0 + 2.0**-52, 0.0]]), columns)
    assert not has_full_row_rank(np.array([[0.1, 0.2, 0.3], [0.2, 0.4, 0.6]]), columns)
    assert not has_full_row_rank(np.zeros((2, 3)), columns)
