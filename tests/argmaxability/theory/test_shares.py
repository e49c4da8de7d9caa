import math

import numpy as np
import pytest

import sigfft
from sigfft.argmaxability.theory import cyclic
from sigfft.argmaxability.theory.sampling import clopper_pearson, every_set, random_sets
from sigfft.argmaxability.theory.shares import Share


@pytest.mark.parametrize(
    ("successes", "trials", "expected"),
    [(0, 10, (0, 0.3084971)), (10, 10, (0.6915029, 1)), (7, 20, (0.1539092, 0.5921885)), (1, 1, (0.025, 1))],
)
def test_clopper_pearson_matches_the_tables(successes, trials, expected):
    np.testing.assert_allclose(clopper_pearson(successes, trials), expected, atol=1e-6)


def test_clopper_pearson_ends_solve_the_binomial_tails():
    low, high = clopper_pearson(3, 12, 0.9)

    def at_most(j, p):
        return sum(math.comb(12, i) * p**i * (1 - p) ** (12 - i) for i in range(j + 1))

    np.testing.assert_allclose([1 - at_most(2, low), at_most(3, high)], 0.05, rtol=1e-9)


@pytest.mark.parametrize("arguments", [(3, 2), (0, 0), (-1, 4), (1, 2, 1.0)])
def test_clopper_pearson_refuses(arguments):
    with pytest.raises(ValueError, match="given"):
        clopper_pearson(*arguments)


def test_coverage_of_a_small_cyclic_matrix_is_its_closed_form():
    n, k = 11, 2
    for share in sigfft.coverage(cyclic.rows(n, k), 5):
        count = cyclic.count_exactly(n, k, share.cardinality)
        assert (share.checked, share.argmaxable) == (math.comb(n, share.cardinality), count)
        assert share.exact
        assert share.low == share.high == count / share.checked


def test_samples_have_intervals_and_undecided_sets_widen_them():
    status = np.repeat(["argmaxable", "undecided", "unargmaxable"], [20, 20, 60])
    single, pair = Share.of(1, status, True, 0.95), Share.of(2, status[::2], False, 0.95)
    assert (single.checked, single.argmaxable, single.undecided, single.low, single.high) == (100, 20, 20, 0.2, 0.4)
    assert pair.checked == 50
    assert not pair.exact
    assert pair.low == clopper_pearson(pair.argmaxable, 50)[0]
    assert pair.high == clopper_pearson(pair.argmaxable + pair.undecided, 50)[1]
    assert "undecided" in str(pair)
    assert "all" in str(single)


def test_sets_are_distinct_labels_and_repeatable():
    sets = random_sets(30, 4, 50, seed=1)
    assert sets.shape == (50, 4)
    assert (np.diff(sets, axis=1) > 0).all()
    np.testing.assert_array_equal(sets, random_sets(30, 4, 50, seed=1))
    assert (sets != random_sets(30, 4, 50, seed=2)).any()
    assert len(np.unique(every_set(6, 3), axis=0)) == 20
    counts = np.bincount(random_sets(10, 3, 3000, seed=0).ravel(), minlength=10)
    assert abs(counts - 900).max() < 130  # five standard deviations


def test_larger_sets_are_sampled_where_they_are_many():
    single, pair = sigfft.coverage(cyclic.rows(40, 1), 2, samples=30, exhaustive=100)
    assert (single.exact, single.checked, single.low) == (True, 40, 1.0)
    assert (pair.exact, pair.checked) == (False, 30)
    assert pair.low < cyclic.count_exactly(40, 1, 2) / math.comb(40, 2) < pair.high


@pytest.mark.parametrize("k", [0, 9])
def test_sizes_that_cannot_be(k):
    with pytest.raises(ValueError, match=r"max_cardinality must be in 1 .. n_labels=8"):
        sigfft.coverage(np.eye(8), k)
