from fractions import Fraction

import numpy as np
import pytest
from argmaxability.claims import system_of
from argmaxability.oracle import dot, exact

from sigfft.argmaxability.search.basis import Basis
from sigfft.argmaxability.search.frame import Frame
from sigfft.argmaxability.search.system import rounded


def thin(gap):
    """Unit rows of three dimensions that differ from a common row by about the gap."""
    rng = np.random.default_rng(3)
    return np.array([[1.0, 2.0, -1.0]]) + gap * rng.standard_normal((12, 3))


def frame_of(system):
    return Frame.of(system.units, np.eye(system.width))


def exact_rows(system, frame):
    """Rows times basis, in fractions, and the length of each squared."""
    columns = [[Fraction(int(v)) for v in column] for column in frame.basis.T.tolist()]
    rows = [[dot(row, column) for column in columns] for row in exact(system.rows)]
    return rows, [dot(row, row) for row in rows]


@pytest.mark.parametrize("gap", [1.0, 1e-9, 1e-15])
def test_sharpened_rows_have_all_their_digits_however_much_cancels(gap):
    system = system_of(thin(gap))
    ids = np.arange(12)
    frame = frame_of(system).sharpened(system, ids)[0]
    for depth in (1, 2, 3):
        frame, sizes, exponents = frame.stretched(ids).sharpened(system, ids)
        assert frame.depth == depth
        for i, (row, square) in enumerate(zip(*exact_rows(system, frame), strict=True)):
            for value, got in zip(row, frame.rows[i].tolist(), strict=True):
                near = Fraction(got) ** 2 * square / value**2
                assert (got > 0) == (value > 0)
                assert abs(near - 1) < 1e-14
            assert float(square / (Fraction(sizes[i]) * Fraction(2) ** int(exponents[i])) ** 2) == pytest.approx(1)


def test_only_the_asked_rows_are_sharpened():
    system = system_of(thin(1e-12))
    before = frame_of(system).stretched(np.arange(12))
    after, sizes, _ = before.sharpened(system, np.array([3, 7]))
    others = np.setdiff1d(np.arange(12), [3, 7])
    np.testing.assert_array_equal(after.rows[others], before.rows[others])
    assert (after.rows[[3, 7]] != before.rows[[3, 7]]).any(axis=1).all()
    assert len(sizes) == 2
    np.testing.assert_array_equal(before.basis, after.basis)


@pytest.mark.parametrize(("gap", "steps"), [(1e-3, 1), (1e-8, 1), (1e-14, 2)])
def test_a_stretch_makes_rows_white_by_a_billion_at_a_time(gap, steps):
    system, ids = system_of(thin(gap)), np.arange(12)
    frame = frame_of(system)
    for step in range(steps):
        assert step == 0 or not white(frame.rows)
        frame = frame.stretched(ids).sharpened(system, ids)[0]
    assert white(frame.rows)


def white(rows):
    singular = np.linalg.svd(rows, compute_uv=False)
    return singular[-1] > 0.01 * singular[0]


def test_the_basis_grows_by_its_depth_alone():
    system, ids = system_of(thin(1.0)), np.arange(12)
    frame = frame_of(system)
    for depth in range(1, 6):
        frame = frame.stretched(ids).sharpened(system, ids)[0]
        widest = [max(int(value).bit_length() for value in column) for column in frame.basis.T]
        assert min(widest) <= 64 + 40 * depth
        np.testing.assert_allclose(np.linalg.norm(frame.rows, axis=1), 1)


@pytest.mark.parametrize("gap", [1.0, 1e-12])
def test_a_solution_in_the_frame_is_one_of_the_system(gap):
    system, ids = system_of(thin(gap)), np.arange(12)
    frame = frame_of(system)
    for _ in range(3):
        frame = frame.stretched(ids).sharpened(system, ids)[0]
    for x in np.random.default_rng(1).standard_normal((20, 3)):
        margins = frame.rows @ x
        solution = [Fraction(value) for value in frame.solution(x)]
        told = np.abs(margins) > 1e-12
        signs = np.array([dot(row, solution) > 0 for row in exact(system.rows)])
        assert ((margins > 0) == signs)[told].all()
        assert told.sum() > 8


def test_whole_numbers_and_floats_mean_the_same_solution():
    frame = Frame(np.array([[3, 1 << 80], [-1, 5]], object), np.eye(2), np.zeros(2))
    assert frame.solution([2, -1]) == [6 - (1 << 80), -7]
    assert frame.solution(np.array([2.0, -1.0])) == [6 - (1 << 80), -7]
    assert frame.solution(np.array([0.5, -0.25])) == [6 - (1 << 80), -7]  # up to a positive factor


def test_a_basis_of_any_size_is_rounded_to_floats():
    basis = np.array([[1 << 5000, -(3 << 4990)], [0, 1]], object)
    floats = Frame(basis, np.eye(2), np.zeros(2)).floats()
    np.testing.assert_array_equal(floats, [[0.5, -3 * 2.0**-11], [0, 0]])


def test_integers_of_any_size_are_rounded_to_unit_rows():
    whole = np.array([[3, 4], [-3 << 3000, 4 << 3000], [0, 0], [1 << 2000, 1]], object)
    units, sizes, exponents = rounded(whole)
    np.testing.assert_allclose(units, [[0.6, 0.8], [-0.6, 0.8], [0, 0], [1, 0]])
    assert [Fraction(s) * Fraction(2) ** int(e) for s, e in zip(sizes, exponents, strict=True)][:3] == [5, 5 << 3000, 0]


def test_a_search_begins_with_the_frame_of_its_basis():
    system = system_of(np.random.default_rng(0).standard_normal((20, 3)))
    basis = Basis.of(system)
    assert basis.exact is None
    np.testing.assert_allclose(basis.frame.rows, basis.rows / np.linalg.norm(basis.rows, axis=1, keepdims=True))
    ratio = np.array(basis.frame.basis, float) / basis.to_solution
    np.testing.assert_allclose(ratio, ratio[0, 0])
