import numpy as np
import pytest
from argmaxability.claims import certificate_holds, system_of, witness_holds

from sigfft.argmaxability.search import interior, newton
from sigfft.argmaxability.search.basis import Basis
from sigfft.argmaxability.search.working_set import search


def thin_cone(seed, n_rows, rank, margin):
    """Unit rows of which a cone is left whose margin is about as given: rank + 1 of them all but cancel."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n_rows, rank))
    rows[rank] = -rng.random(rank) @ rows[:rank]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    axis = np.linalg.qr(rows[:rank].T)[0][:, 0]
    rows += (margin - np.where(np.arange(n_rows) <= rank, rows @ axis, 0))[:, None] * axis
    rows[rank + 1 :] *= np.where(rows[rank + 1 :] @ axis > 0, 1, -1)[:, None]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("margin", [1e-1, 1e-3, 1e-4])
@pytest.mark.parametrize(("n_rows", "rank"), [(12, 2), (100, 20), (300, 60)])
def test_thin_cones_are_separated_with_a_least_product_of_1(margin, n_rows, rank):
    rows = thin_cone(n_rows, n_rows, rank, margin)
    found = interior.minimise(rows)
    assert not found.cancels
    assert (rows @ found.x).min() == pytest.approx(1)
    assert 1 / np.linalg.norm(found.x) <= np.linalg.norm(found.multipliers @ rows) * (1 + 1e-6)  # the margin's bounds
    assert found.multipliers.sum() == pytest.approx(1)


@pytest.mark.parametrize("margin", [1e-6, 1e-9])
def test_a_cone_too_thin_for_floats_is_left_open(margin):
    rows = thin_cone(300, 300, 60, margin)
    found = interior.minimise(rows)
    assert not found.cancels
    assert np.isfinite(found.x).all()
    assert found.multipliers.min() >= 0


@pytest.mark.parametrize(("n_rows", "rank"), [(5, 1), (12, 2), (100, 20), (300, 60)])
def test_rows_that_contradict_each_other_leave_positive_multipliers_that_cancel(n_rows, rank):
    rows = thin_cone(n_rows, n_rows, rank, 1e-3)
    rows = np.vstack([rows, -np.random.default_rng(1).random(rank + 1) @ rows[: rank + 1]])
    found = interior.minimise(rows)
    assert found.cancels
    assert found.multipliers.min() >= 0
    assert np.linalg.norm(found.multipliers @ rows) <= newton.CANCELLED * found.multipliers.sum()


@pytest.mark.parametrize("rows", [[[1.0, 0.0]], [[1.0, 0.0], [-1.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]], np.eye(3)])
def test_few_rows_and_rows_of_lower_rank(rows):
    rows = np.array(rows)
    found = interior.minimise(rows)
    held = [(rows @ found.x).min() > 0, found.cancels]
    assert held == ([True, False] if np.linalg.matrix_rank(rows) == len(rows) else [False, True])


def test_where_newton_gives_up_the_search_still_proves_every_set(monkeypatch):
    rng = np.random.default_rng(2)
    weight, calls = rng.standard_normal((200, 12)), []
    sets = [np.flatnonzero(weight @ rng.standard_normal(12) > 0).tolist() for _ in range(4)]
    sets += [rng.choice(200, 60, replace=False).tolist() for _ in range(4)]
    system = system_of(weight)

    def give_up(rows, x):
        calls.append(len(rows))
        return newton.Minimum(np.zeros(len(x)), np.ones(len(rows)), False)

    monkeypatch.setattr("sigfft.argmaxability.search.newton.minimise", give_up)
    found = search(system, Basis.of(system), system.layer.pad(sets))
    assert len(calls) <= len(sets)  # once a set
    for labels, one in zip(sets, found, strict=True):
        if one.certificate is not None:
            assert certificate_holds(weight, None, "threshold", labels, one.certificate)
        else:
            assert witness_holds(weight, None, "threshold", labels, system.witness(one.solution))
    assert {one.certificate is None for one in found} == {True, False}
