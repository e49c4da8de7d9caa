import numpy as np
import pytest
from argmaxability.claims import certificate_holds, system_of, witness_holds

from sigfft.argmaxability.search.basis import Basis, start
from sigfft.argmaxability.search.working_set import search


def layer(seed, n, d):
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((n, d)).astype(np.float32)
    weight[:, 0] = -1 - 0.3 * rng.random(n)
    reachable = np.argsort(-(weight[:, 1:] @ rng.standard_normal(d - 1)) / -weight[:, 0])[:4]
    sets = [sorted(reachable.tolist()), [], *(sorted(rng.choice(n, 4, replace=False).tolist()) for _ in range(5))]
    return weight, sets


@pytest.mark.parametrize(("n", "d"), [(40, 3), (300, 8), (500, 40)])
@pytest.mark.parametrize("rule", ["threshold", "top_k"])
@pytest.mark.parametrize("with_bias", [False, True])
def test_every_finding_of_a_generic_layer_is_a_proof(n, d, rule, with_bias):
    weight, sets = layer(n, n, d)
    bias = np.random.default_rng(9).standard_normal(n).astype(np.float32) / 8 if with_bias else None
    system = system_of(weight, bias, rule)
    found = search(system, Basis.of(system), system.layer.pad(sets))
    for labels, one in zip(sets, found, strict=True):
        assert one.lower <= one.upper
        if one.certificate is not None:
            assert len(one.certificate.labels) <= system.rows.shape[1] + 1
            assert certificate_holds(weight, bias, rule, labels, one.certificate)
            ids, y = np.array(one.certificate.labels), np.array(one.certificate.multipliers)
            stored = system.layer.rows(ids) * np.where(np.isin(ids, [*labels, *range(n, n + 2)]), 1, -1)[:, None]
            assert np.linalg.norm(y @ stored) <= 1e-9 * (y @ np.linalg.norm(stored, axis=1))
        else:
            assert witness_holds(weight, bias, rule, labels, system.witness(one.solution))
    assert with_bias or found[0].lower > 0  # reachable by construction


def test_the_accelerated_form_finds_the_same():
    weight, sets = layer(0, 60, 8)
    system = system_of(weight)
    basis, padded = Basis.of(system), system.layer.pad(sets)
    host, device = (search(system, basis, padded, accelerate=a) for a in (False, True))
    assert [f.certificate is None for f in host] == [f.certificate is None for f in device]
    assert [f.lower > 0 for f in host] == [f.lower > 0 for f in device]


def test_the_basis_is_white():
    system = system_of(np.random.default_rng(6).standard_normal((30, 6)))
    basis = Basis.of(system)
    np.testing.assert_allclose(basis.rows.T @ basis.rows, 30 / 6 * np.eye(6), atol=1e-10)
    np.testing.assert_allclose(system.units @ basis.to_solution, basis.rows)
    assert basis.exact is None


@pytest.mark.parametrize("rank", [1, 3])
def test_a_basis_of_dependent_rows_is_as_small_as_the_rank(rank):
    rng = np.random.default_rng(rank)
    system = system_of(rng.integers(-5, 6, (30, rank)) @ rng.integers(-3, 4, (rank, 6)) * 1.0)
    basis = Basis.of(system)
    assert basis.deficient is system
    assert basis.rows.shape[1] == np.linalg.matrix_rank(system.rows) == rank
    singular = np.linalg.svd(basis.rows, compute_uv=False)
    assert singular[-1] > 1e-3 * singular[0]


def test_the_start_holds_the_active_rows_up():
    weight, sets = layer(3, 400, 40)
    system = system_of(weight)
    basis = Basis.of(system)
    x = start(system, basis, system.layer.pad(sets))
    for labels, one in zip(sets, x, strict=True):
        assert (basis.rows[labels] @ one > 0).all()
    inactive = np.delete(np.arange(400), sets[0])
    assert (basis.rows[inactive] @ x[0] < 0).mean() > 0.9


def test_margin_bounds_hold_the_true_margin():
    """Two rows at ±45° of z: the margin of both on is sin 45°; of three rows all around, it is negative."""
    system = system_of(np.array([[1.0, 1.0], [-1.0, 1.0]]))
    found = search(system, Basis.of(system), system.layer.pad([[0, 1]]))[0]
    assert 0 < found.lower <= np.sqrt(0.5) <= found.upper
    angles = 2 * np.pi * np.arange(3) / 3
    around = system_of(np.column_stack([np.cos(angles), np.sin(angles)]))
    found = search(around, Basis.of(around), around.layer.pad([[0, 1, 2]]))[0]
    assert found.certificate is not None
    assert found.lower <= -0.5 + 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_margin_bounds_hold_the_best_of_all_directions_of_the_plane(seed):
    rng = np.random.default_rng(seed)
    system = system_of(rng.standard_normal((6, 2)))
    angles = np.linspace(0, 2 * np.pi, 20_000)
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    padded = system.layer.pad([np.flatnonzero(system.units @ z > 0).tolist() for z in around[:: 20_000 // 4]])
    centre = np.zeros((len(padded), 2))
    for label_set, found in zip(padded, search(system, Basis.of(system), padded, x=centre), strict=True):
        best = system.margins(np.repeat(label_set[None], len(around), axis=0), around).min(axis=1).max()
        assert 0 < found.lower <= best + 1e-6
        assert best <= found.upper < 1


def test_a_search_cut_short_claims_nothing():
    weight, _ = layer(1, 500, 12)
    system = system_of(weight)
    found = search(system, Basis.of(system), system.layer.pad([[0, 1, 2, 3]]), rounds=0)[0]
    assert found.certificate is None
    assert found.lower == -1
    assert found.upper == 1
