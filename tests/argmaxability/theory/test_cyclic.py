import math
from itertools import product

import numpy as np
import pytest
from argmaxability.brute_force import argmaxable_sets, layers

from sigfft import labels
from sigfft.argmaxability import check
from sigfft.argmaxability.theory import cyclic, oriented

SHAPES = [(n, k) for n, k in product(range(1, 11), range(5)) if 2 * k < n]


def every_set(n):
    return [[i for i in range(n) if code >> i & 1] for code in range(1 << n)]


def changes(active, n):
    signs = [i in active for i in range(n)]
    return sum(signs[i] != signs[i - 1] for i in range(n))


@pytest.mark.parametrize("n", range(1, 9))
def test_sign_changes_count_switches_around_the_circle(n):
    sets = every_set(n)
    assert cyclic.sign_changes(labels.pad(sets, n), n).tolist() == [changes(s, n) for s in sets]
    assert cyclic.sign_changes(labels.pad(sets, n, max_cardinality=n + 3), n).tolist() == [changes(s, n) for s in sets]


@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_counts_agree_with_the_alternation_rule(n, k):
    sets = every_set(n)
    realised = [len(s) for s, ok in zip(sets, cyclic.argmaxable(labels.pad(sets, n), n, k), strict=True) if ok]
    assert cyclic.count_general(n, 2 * k + 1) == len(realised) == cyclic.count_at_most(n, k, n)
    for j in range(n + 2):
        assert cyclic.count_exactly(n, k, j) == realised.count(j)
        assert cyclic.count_at_most(n, k, j) == sum(size <= j for size in realised)
    assert cyclic.count_at_most(n, k, k) == cyclic.count_sets(n, k)  # up to k labels, no set is missing


@pytest.mark.parametrize(("n", "k"), [(n, k) for n, k in SHAPES if n <= 10 and k in (1, 2)] + [(7, 3), (8, 3)])
def test_stored_rows_realise_what_the_rule_says(n, k):
    """Exact regions of the float64 matrix: its rounding is far smaller than these margins."""
    found = argmaxable_sets(cyclic.rows(n, k), None, "threshold")
    sets = every_set(n)
    ok = cyclic.argmaxable(labels.pad(sets, n), n, k)
    assert {tuple(s) for s, o in zip(sets, ok, strict=True) if o} == set(found)


@pytest.mark.parametrize(("n", "k"), SHAPES)
def test_rows_are_orthonormal_and_witnesses_work(n, k):
    rows = cyclic.rows(n, k)
    np.testing.assert_allclose(rows.T @ rows, np.eye(2 * k + 1), atol=1e-14)
    for active in every_set(n):
        if changes(active, n) > 2 * k:
            with pytest.raises(ValueError, match="changes sign"):
                cyclic.witness(active, n, k)
            continue
        z, log_margin = cyclic.witness(active, n, k)
        margins = rows @ z / np.linalg.norm(rows, axis=1)
        assert np.flatnonzero(margins > 0).tolist() == active
        assert np.linalg.norm(z) == pytest.approx(1)
        assert np.log10(np.abs(margins).min()) == pytest.approx(log_margin, abs=1e-9)


def test_witness_on_a_longer_grid_and_at_paper_size():
    rows = cyclic.rows(8921, 10, n_fft=9000)
    assert rows[7, [0, 3, 4]] == pytest.approx(
        [
            1 / math.sqrt(9000),
            math.sqrt(2 / 9000) * math.cos(28 * math.pi / 9000),
            math.sqrt(2 / 9000) * math.sin(28 * math.pi / 9000),
        ]
    )
    active = list(range(0, 8920, 892))
    z, log_margin = cyclic.witness(active, 8921, 10, n_fft=9000)
    logits = rows @ z
    assert np.flatnonzero(logits > 0).tolist() == active
    assert np.log10(np.abs(logits).min() / np.linalg.norm(rows[0])) == pytest.approx(log_margin, abs=1e-6)
    _, hopeless = cyclic.witness(range(0, 20, 2), 8921, 10)
    assert -80 < hopeless < -40  # true of real numbers, out of reach of floats


def test_roots_lie_midway_also_across_the_gap_of_a_longer_grid():
    z, _ = cyclic.witness([0], 3, 1, n_fft=12)  # neighbours 0 and 1; 2 and 12, which is 0 again
    ring = cyclic.rows(24, 1) @ z
    np.testing.assert_allclose(ring[[1, 14]], 0, atol=1e-15)


def test_large_counts_are_exact_and_shares_are_accurate():
    n, k, j = 200, 6, 9
    by_arcs = sum(n * math.comb(j - 1, r - 1) * math.comb(n - j - 1, r - 1) // r for r in range(1, k + 1))
    assert cyclic.count_exactly(n, k, j) == by_arcs
    assert cyclic.count_general(8921, 51) == 2 * sum(math.comb(8920, i) for i in range(51))
    assert cyclic.count_general(5, 9) == 32
    assert cyclic.count_sets(8921, 80) == sum(math.comb(8921, i) for i in range(81))
    assert cyclic.log10_share(0, 7) == -math.inf
    assert cyclic.log10_share(7, 7) == 0
    assert cyclic.log10_share(10**4000, 10**5000) == pytest.approx(-1000)
    assert cyclic.log10_share(10**30 - 1, 10**30) == pytest.approx(-1e-30 / math.log(10), rel=1e-12)
    with pytest.raises(ValueError, match="share"):
        cyclic.log10_share(8, 7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cyclic.rows(6, 3), "at least 7 points"),
        (lambda: cyclic.rows(6, 1, n_fft=5), "at least 6 points"),
        (lambda: cyclic.rows(6, -1), "frequencies"),
        (lambda: cyclic.count_general(0, 3), "n_labels must be at least 1; given 0"),
        (lambda: cyclic.count_general(3, 0), "dim must be at least 1; given 0"),
        (lambda: cyclic.witness([0, 9], 6, 2), "label id 9"),
        (lambda: oriented.circuits(np.array([[np.nan]])), "finite"),
        (lambda: oriented.circuits(np.ones(3)), "weight must be"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("name", layers())
def test_sign_vectors_are_the_regions_and_what_the_checker_says(name):
    weight = layers()[name]
    vectors = oriented.sign_vectors(weight)
    assert (vectors != 0).all()
    sets = [tuple(np.flatnonzero(v > 0).tolist()) for v in vectors]
    assert sorted(sets) == sorted(argmaxable_sets(weight, None, "threshold"))
    every = every_set(len(weight))
    possible = check(weight, every).status == "argmaxable"
    assert sorted(sets) == sorted(tuple(s) for s, ok in zip(every, possible, strict=True) if ok)


@pytest.mark.parametrize("name", layers())
def test_circuits_say_which_sets_are_unargmaxable(name):
    weight = layers()[name]
    reachable, found = argmaxable_sets(weight, None, "threshold"), oriented.circuits(weight)
    for labels_on in every_set(len(weight)):
        signs = np.where(np.isin(np.arange(len(weight)), labels_on), 1, -1)
        agree = ((found == 0) | (found == signs)).all(axis=1)
        on = ((found != 0) & (weight.any(axis=1) | (signs > 0))).any(axis=1)  # a zero row alone, only where it is on
        assert (agree & on).any() == (tuple(labels_on) not in reachable)


@pytest.mark.parametrize("name", layers())
def test_circuits_and_cocircuits_are_orthogonal_and_dual(name):
    weight = layers()[name]
    complement = oriented.orthogonal_complement(weight)
    exact = np.vectorize(oriented.Fraction, otypes=[object])(weight.astype(np.float64))
    assert not (exact.T @ complement).any()
    assert complement.shape[1] == len(weight) - np.linalg.matrix_rank(weight.astype(np.float64))
    for c in oriented.circuits(weight).astype(int):
        assert np.linalg.matrix_rank(weight[c != 0].astype(np.float64)) == np.count_nonzero(c) - 1
        for v in oriented.sign_vectors(weight, strict=False).astype(int):
            terms = set((c * v).tolist())
            assert {1, -1} <= terms or terms == {0}


@pytest.mark.parametrize("name", layers())
def test_supports_of_cocircuits_are_minimal(name):
    supports = {frozenset(np.flatnonzero(v).tolist()) for v in oriented.cocircuits(layers()[name])}
    assert not any(a < b for a in supports for b in supports)


def test_oriented_matroid_of_the_octahedron():
    """Three squares through the centre: each pair of opposite vertices balances each other pair."""
    weight = layers()["octahedron"].astype(int)
    found = oriented.circuits(weight)
    assert len(found) == 6
    assert (np.count_nonzero(found, axis=1) == 4).all()
    assert sorted(oriented.circuits([[1, 0], [2, 0], [0, 0], [-1, 1]]).tolist()) == sorted(
        [[-1, 1, 0, 0], [1, -1, 0, 0], [0, 0, 1, 0], [0, 0, -1, 0]]
    )


@pytest.mark.parametrize(("n", "k"), [(6, 1), (7, 2)])
def test_circuits_of_the_cyclic_matrix_alternate(n, k):
    found = oriented.circuits(cyclic.rows(n, k))
    assert len(found) == 2 * math.comb(n, 2 * k + 2)
    for circuit in found.astype(int):
        support = circuit[circuit != 0]
        assert (support[1:] == -support[:-1]).all()
