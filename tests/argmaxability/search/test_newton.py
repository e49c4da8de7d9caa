import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sigfft.argmaxability.search import newton


def working_set(rng, n_rows, rank, separable):
    rows = rng.standard_normal((n_rows, rank))
    if separable:
        rows[:, 0] = np.abs(rows[:, 0]) + 0.05
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n_rows", "rank"), [(40, 3), (60, 25), (300, 50)])
def test_it_ends_with_a_separating_x_or_multipliers_that_cancel(seed, n_rows, rank):
    rng = np.random.default_rng(seed)
    rows = working_set(rng, n_rows, rank, separable=True)
    found = newton.minimise(rows, np.zeros(rank))
    assert (rows @ found.x).min() > 0
    assert not found.cancels
    contradictory = np.vstack([rows, -rows[: rank + 1].sum(axis=0)])
    found = newton.minimise(contradictory, np.zeros(rank))
    assert found.cancels
    assert found.multipliers.min() >= 0
    assert np.linalg.norm(found.multipliers @ contradictory) <= 1e-11 * found.multipliers.sum()


def test_any_multipliers_bound_the_margin_from_above():
    rows = working_set(np.random.default_rng(5), 50, 4, separable=True)
    found = newton.minimise(rows, np.zeros(4))
    margin = (rows @ found.x).min() / np.linalg.norm(found.x)
    assert found.multipliers.any()
    assert 0 < margin <= np.linalg.norm(found.multipliers @ rows) / found.multipliers.sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_batch_form_leads_the_host_to_the_same_verdicts(dtype):
    rng = np.random.default_rng(6)
    sets = [working_set(rng, n, 8, separable=n % 2 == 0) for n in (30, 41, 50, 61)]
    sets[1], sets[3] = (np.vstack([a, -a[:9].sum(axis=0)]) for a in (sets[1], sets[3]))
    rows, given = np.zeros((4, 64, 8)), np.zeros((4, 64), bool)
    for i, a in enumerate(sets):
        rows[i, : len(a)], given[i, : len(a)] = a, True
    with jax.enable_x64(dtype == np.float64):
        arrays = jnp.asarray(rows.astype(dtype)), jnp.asarray(given), jnp.zeros((4, 8), dtype)
        found = np.asarray(newton.minimise_batch(*arrays), np.float64)
    for a, x, separable in zip(sets, found, [True, False, True, False], strict=True):
        assert ((a @ x).min() > 0) == separable
        assert newton.minimise(a, x).cancels != separable
