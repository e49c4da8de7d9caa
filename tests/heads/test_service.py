import dataclasses

import pytest

import sigfft
from sigfft.heads import Service, least_features


def head(feature_dim, **options):
    return sigfft.dft_head(1000, 5, feature_dim=feature_dim, spread=20, slack=2, **options)  # dim = 53


@pytest.mark.parametrize("domain", ["any", "nonnegative", (0, 1)])
def test_features_serve_from_the_least_on(domain):
    least = Service(head(1), domain).least
    assert least == least_features(53, domain)
    assert Service(head(least), domain).serves
    assert not Service(head(least - 1), domain).serves


def test_a_centred_head_asks_for_one_feature_more_than_dimensions():
    assert Service(head(54, centred=True), "nonnegative").serves
    assert not Service(head(53, centred=True)).serves
    assert Service(head(30, centred=True), "nonnegative").cardinality > Service(head(30), "nonnegative").cardinality


@pytest.mark.parametrize(("domain", "n_features"), [("any", 40), ("nonnegative", 90)])
def test_a_smaller_cardinality_is_named_and_is_served(domain, n_features):
    service = Service(head(n_features), domain)
    k = service.cardinality
    assert 0 < k < 5
    for smaller, serves in ((k, True), (k + 1, False)):
        own = sigfft.dft_head(1000, smaller, feature_dim=n_features, spread="auto", slack=2)
        assert Service(own, domain).serves is serves
    assert f"so many serve a guarantee for {k} labels" in str(service)


def test_what_is_said_names_the_numbers():
    assert str(Service(head(60))) == "60 features of any sign reach every z of 53 dimensions; it takes 53"
    few = str(Service(head(4), "nonnegative"))
    assert "4 nonnegative features do not reach every z of 53 dimensions: it takes 1" in few
    assert few.endswith("so few serve no guarantee at all")
    bounded = str(Service(head(60), (-1, 1)))
    assert "60 features in (-1.0, 1.0) reach every direction of z, where a bias centres them" in bounded


def test_retrofitted_heads_count_their_spectrums_features():
    retrofitted = sigfft.retrofit_head(1000, 30, 5, spread=20)
    assert not Service(retrofitted).serves
    assert Service(dataclasses.replace(retrofitted, extra_features=51)).serves
    assert "so few serve no guarantee" in str(Service(retrofitted))
