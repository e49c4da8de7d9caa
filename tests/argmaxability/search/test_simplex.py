"""The exact simplex against the oracle."""

from fractions import Fraction

import numpy as np
import pytest
from argmaxability import oracle
from argmaxability.claims import system_of

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.search import simplex
from sigfft.argmaxability.search.basis import Basis
from sigfft.argmaxability.search.clock import Clock, OutOfTime
from sigfft.argmaxability.search.frame import Frame
from sigfft.argmaxability.search.system import System


def assert_solved(system, signs, limit=400):
    """Its answer is right and holds exactly; whether there is an x."""
    asks = np.flatnonzero(~system.silent)
    basis = Basis.of(system)
    frame = basis.frame.sharpened(system, np.arange(len(system.rows)))[0]
    end = simplex.solve(system, frame, signs, Steps(limit))
    whole = system.whole(np.arange(len(signs)))[0] * signs.astype(int).astype(object)[:, None]
    rows = [[Fraction(value) for value in row] for row in whole[asks].tolist()]
    if end.x is None:
        assert all(share > 0 for share in end.shares)
        assert len(end.holding) == len(end.shares) <= system.width + 1
        assert not (np.array(end.shares, object) @ whole[end.holding]).any()
    else:
        x = np.array(frame.solution(end.x), object)
        assert (whole[asks] @ x > 0).all()
    assert (end.x is None) == (oracle.solution(rows) is None)
    return end.x is not None


class Steps(Clock):
    """A clock that counts looks: a circle is an error."""

    def __init__(self, limit):
        super().__init__()
        object.__setattr__(self, "looks", iter(range(limit)))

    def look(self):
        assert next(self.looks, None) is not None, "it does not end"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["integers", "floats", "alike", "few", "ties"])
def test_it_finds_what_the_oracle_finds(kind, seed):
    rng = np.random.default_rng(seed)
    both = set()
    for _ in range(4):
        n, d = int(rng.integers(2, 12)), int(rng.integers(1, 5))
        weight = {
            "integers": lambda n, d: rng.integers(-3, 4, (n, d)).astype(float),
            "floats": lambda n, d: rng.standard_normal((n, d)),
            "alike": lambda n, d: 1 + 1e-13 * rng.standard_normal((n, d)),
            "few": lambda n, d: rng.standard_normal((2, d + 1)),
            "ties": lambda n, d: np.vstack([np.eye(d), -np.eye(d), rng.integers(-1, 2, (n, d))]),
        }[kind](n, d)
        if not weight.any():
            continue
        system = system_of(weight)
        signs = np.sign(weight @ rng.standard_normal(weight.shape[1]) + 1e-300)
        both.add(assert_solved(system, signs))
        signs[rng.integers(len(signs))] *= -1
        both.add(assert_solved(system, signs))
    assert both == {True, False} or kind == "few"


def test_blands_rule_alone_finds_what_the_oracle_finds(monkeypatch):
    real, found = simplex._Simplex.entering, set()
    monkeypatch.setattr(simplex._Simplex, "entering", lambda self, x, t, scale, careful: real(self, x, t, scale, True))
    for seed in range(12):
        rng = np.random.default_rng(seed)
        weight = rng.integers(-2, 3, (9, 4)) * 1.0 if seed % 2 else 1 + 1e-9 * rng.standard_normal((9, 4))
        for other in (0, 1):
            signs = np.sign(weight @ rng.standard_normal(4) + 1e-300)
            signs[0] *= 1 - 2 * other
            found.add(assert_solved(system_of(weight), signs))
    assert found == {True, False}


@pytest.mark.parametrize("d", [2, 3, 5])
def test_many_rows_through_one_point_end(d):
    """A pyramid over a cross-polytope, its rows repeated: nearly every step has no length."""
    corners = np.stack(np.meshgrid(*[[-1.0, 1.0]] * (d - 1)), -1).reshape(-1, d - 1)
    rows = np.column_stack([np.repeat(corners, 2, axis=0), np.ones(2 * len(corners))])
    system = system_of(rows)
    assert assert_solved(system, np.ones(len(rows)))
    rows[:, -1] = 0.0
    assert not assert_solved(system_of(rows), np.ones(len(rows)))


@pytest.mark.parametrize("tiny", [1e-5, 1e-100, 1e-200, 1e-300])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_cone_of_any_width_is_told_from_none(tiny, sign):
    """Its optimum is far below the digits in which rows are compared at first."""
    rng = np.random.default_rng(7)
    rows = rng.standard_normal((6, 4)) * (np.arange(4) > 0)
    rows[-1] = -rows[:-1].sum(axis=0)
    rows[:, 0] = tiny
    rows = np.vstack([rows, rng.standard_normal((5, 4)) * [0, tiny, tiny, tiny] + [1.0, 0, 0, 0]])
    rows[6:, 0] *= sign
    frame_rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    system = system_of(rows)
    frame = Frame.of(frame_rows, np.eye(4)).sharpened(system, np.arange(11))[0]  # not made white
    end = simplex.solve(system, frame, np.ones(11), Steps(400))
    assert (end.x is not None) == (oracle.solution(oracle.exact(rows)) is not None) == (sign > 0)


@pytest.mark.parametrize("seed", range(4))
def test_rows_that_512_digits_do_not_tell_from_the_optimum_are_no_circle(seed):
    """A bias that all but vanishes, in a domain away from zero: the optimum is near 1e-300."""
    rng = np.random.default_rng(seed)
    weight, bias = rng.standard_normal((4, 1)) @ rng.standard_normal((1, 2)), 1e-300 * rng.standard_normal(4)
    system = System.of(Layer.of(weight, bias, "argmax", (0.5, 1)))
    found = [assert_solved(system, signs) for signs in system.signs(np.arange(4)[:, None])]
    assert 0 < sum(found) < 4


def test_a_solution_far_beyond_floats_is_found():
    rows = np.array([[1e300, -1.0, 0.0], [0.0, 1e300, -1.0], [0.0, 0.0, 1e-300], [-1e-300, 0.0, 1e300]])
    system = system_of(rows)
    assert assert_solved(system, np.ones(4))


def test_it_stops_when_time_is_up():
    system = system_of(np.eye(3))
    with pytest.raises(OutOfTime):
        simplex.solve(system, Basis.of(system).frame, np.ones(3), Clock(0.0))
