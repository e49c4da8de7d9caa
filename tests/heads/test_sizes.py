import numpy as np
import pytest
from scipy.optimize import linprog

import sigfft
from sigfft import heads
from sigfft.heads import sizes


@pytest.mark.parametrize(("n", "k"), [(100, 1), (983, 25), (20_000, 50), (41, 20), (10, 5), (1, 1)])
def test_auto_is_a_number_that_fits(n, k):
    head = sigfft.dft_head(n, k, feature_dim=4, spread="auto")
    assert type(head.arguments["spread"]) is int
    assert head.arguments["spread"] == heads.enough_spread(n, k, head.n_fft)
    assert head.dim <= head.n_fft
    again = heads.make(head.kind, head.arguments)
    assert again == head
    assert hash(again) == hash(head)
    assert again == sigfft.dft_head(n, k, feature_dim=4, spread=head.spread, n_fft=head.n_fft)


def test_auto_grows_with_labels_and_cardinality_and_stops_at_the_room():
    by_n = [heads.enough_spread(n, 10, n) for n in (100, 1000, 10_000)]
    by_k = [heads.enough_spread(10_000, k, 10_000) for k in (1, 5, 20, 80)]
    assert by_n == sorted(set(by_n))
    assert by_k == sorted(set(by_k))
    assert heads.enough_spread(1000, 50, 121) == 10
    assert heads.enough_spread(30, 20, 30) == 0


def test_auto_makes_room_for_more_than_half_of_the_labels_where_it_may():
    head = sigfft.dft_head(10, 7, feature_dim=4, spread="auto")
    assert (head.n_fft, head.spread) == (15, 0)
    assert sigfft.retrofit_head(10, 3, 7, spread="auto").n_fft == 15
    with pytest.raises(ValueError, match="n_fft=10 points have only 9"):
        sigfft.dft_head(10, 7, feature_dim=4, spread="auto", n_fft=10)
    with pytest.raises(ValueError, match="max_cardinality=7"):
        sigfft.dft_head(10, 7, feature_dim=4)


@pytest.mark.loose_types
def test_other_words_are_refused():
    with pytest.raises(ValueError, match="spread='much' must be a whole number"):
        sigfft.dft_head(10, 2, feature_dim=4, spread="much")


@pytest.mark.parametrize(("dim", "n_features"), [(3, 5), (3, 8), (6, 12), (6, 17)])
def test_nonnegative_features_reach_every_z_as_often_as_the_formula_says(dim, n_features):
    random, reached = np.random.default_rng(0), 0
    for _ in range(200):
        kernel = random.normal(size=(dim, n_features))
        # Every z is K x for some x >= 0 iff K has full rank, and a strictly positive vector in its kernel.
        options = {"A_eq": kernel, "b_eq": np.zeros(dim), "bounds": (1, None)}
        reached += linprog(np.zeros(n_features), **options).status == 0
    share = sizes.reaching_share(dim, n_features)
    assert abs(reached / 200 - share) < 3 * np.sqrt(share * (1 - share) / 200)


@pytest.mark.parametrize("dim", [1, 10, 111, 1000])
def test_the_least_number_of_features(dim):
    least = heads.least_features(dim, "nonnegative")
    assert sizes.reaching_share(dim, least) >= 0.999 > sizes.reaching_share(dim, least - 1)
    assert 2 * dim < least < 2 * dim + 5 * np.sqrt(dim) + 12
    assert heads.least_features(dim) == heads.least_features(dim, (-1, 1)) == dim
    assert sizes.reaching_share(dim, dim) == 0
    assert {heads.least_features(dim, domain, centred=True) for domain in ("any", "nonnegative", (0, 1))} == {dim + 1}


@pytest.mark.loose_types
@pytest.mark.parametrize("domain", ["positive", (1, 0), (1,), 3, (float("nan"), 1)])
def test_what_is_no_domain_is_refused(domain):
    with pytest.raises(ValueError, match="'any', 'nonnegative' or two numbers \\(low, high\\)"):
        heads.least_features(3, domain)
