import numpy as np
import pytest
from argmaxability.claims import system_of
from argmaxability.oracle import dot, exact

from sigfft.argmaxability.proofs.exact import independent_columns, integers
from sigfft.argmaxability.search import whitening
from sigfft.argmaxability.search.basis import Basis
from sigfft.argmaxability.search.frame import Frame


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    """A loop that does not end is an error."""
    real = Frame.stretched

    def stretched(frame, ids):
        assert frame.depth < 60
        return real(frame, ids)

    monkeypatch.setattr(Frame, "stretched", stretched)


def condition(rows):
    singular = np.linalg.svd(rows, compute_uv=False)
    return singular[0] / singular[-1]


def alike(gap):
    rng = np.random.default_rng(0)
    return np.array([[1.0, -2.0, 0.5]]) + gap * rng.integers(-5, 6, (30, 3))


@pytest.mark.parametrize("gap", [2.0**-24, 2.0**-40, 2.0**-51])
def test_rows_that_are_all_but_equal_become_white(gap):
    system = system_of(alike(gap))
    assert condition(system.units) > 1 / whitening.WELL
    frame = whitening.exactly(system)
    assert condition(frame.rows) < 1 / whitening.WELL
    assert frame.rows.shape == (30, 3)


@pytest.mark.parametrize("tiny", [1e-9, 1e-30, 1e-300])
def test_columns_of_any_scale_become_white(tiny):
    rows = np.random.default_rng(1).standard_normal((30, 3)) * [1.0, tiny, tiny**0.5]
    frame = whitening.exactly(system_of(rows))
    assert condition(frame.rows) < 1 / whitening.WELL


@pytest.mark.parametrize("tiny", [1e-8, 1e-30])
def test_a_direction_that_one_row_of_many_has_is_kept(tiny):
    """Every sample of the rows is likely to miss it."""
    rows = np.zeros((1000, 2))
    rows[:, 0], rows[7, 1] = 1.0, tiny
    frame = whitening.exactly(system_of(rows))
    assert frame.rows.shape[1] == 2
    assert condition(frame.rows) < 1 / whitening.WELL


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_rank_is_that_over_the_rationals(rank):
    rng = np.random.default_rng(rank)
    rows = (rng.integers(-3, 4, (20, rank)) @ rng.integers(-3, 4, (rank, 5))).astype(float)
    frame = whitening.exactly(system_of(rows))
    assert frame.rows.shape[1] == rank == np.linalg.matrix_rank(rows)
    kept = np.array(frame.basis != 0).any(axis=1)
    assert kept.sum() == rank
    assert np.linalg.matrix_rank(rows[:, kept]) == rank


def test_rank_is_not_a_matter_of_rounding():
    """The last row differs from the first two's sum by one bit."""
    rows = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 2.0 + 2.0**-51]])
    assert whitening.exactly(system_of(rows)).rows.shape[1] == 3
    rows[2, 2] = 2.0
    assert whitening.exactly(system_of(rows)).rows.shape[1] == 2


def test_white_rows_have_the_signs_of_the_stored_ones():
    system = system_of(alike(2.0**-51))
    frame = whitening.exactly(system)
    for x in np.random.default_rng(2).standard_normal((20, 3)):
        solution = exact(np.zeros(3)) if not x.any() else frame.solution(x)
        signs = np.array([dot(row, solution) > 0 for row in exact(system.rows)])
        margins = frame.rows @ x
        assert ((margins > 0) == signs)[np.abs(margins) > 1e-12].all()


def test_a_basis_is_exact_where_floats_see_rounding_only():
    assert Basis.of(system_of(alike(2.0**-40))).exact is not None
    assert Basis.of(system_of(alike(1.0))).exact is None
    assert Basis.of(system_of(np.zeros((4, 2)))).exact is None


@pytest.mark.parametrize("rows", [np.ones((5, 2)), np.eye(2, 5), alike(0.0), alike(2.0**-51)])
def test_where_floats_see_fewer_directions_the_search_has_those_and_the_frame_has_all(rows):
    basis = Basis.of(system_of(rows))
    assert basis.exact is None
    assert basis.is_sharp
    rank = basis.rows.shape[1]
    assert rank == np.linalg.matrix_rank(rows, tol=1e-10) < rows.shape[1]
    np.testing.assert_allclose(basis.rows.T @ basis.rows, len(rows) / rank * np.eye(rank), atol=1e-10)
    assert basis.frame.rows.shape[1] == len(independent_columns(integers(rows)))
    assert condition(basis.frame.rows) < 1 / whitening.WELL
