"""Labels that start each at its own prior: what it is by the training sets, and what heads do with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sigfft

SETS = [[i % 12, (i * i + 1) % 12][: 1 + (i % 12 != (i * i + 1) % 12)] for i in range(90)] + [[]]
LOG_ODDS = sigfft.label_priors(SETS, 13)  # the last label has no example
HEADS = [
    sigfft.sigmoid_head(13, feature_dim=5),
    sigfft.bottleneck_head(13, 3, feature_dim=5),
    sigfft.dft_head(13, 2, feature_dim=5, label_priors=True),
    sigfft.dft_head(13, 2, feature_dim=5, spread=2, slack=2, embedding=2, prior=0.2, label_priors=True),
    sigfft.dft_head(13, 2, feature_dim=5, random_start=True, order=list(reversed(range(13))), label_priors=True),
]


def test_priors_are_the_log_odds_of_shares_of_examples():
    shares = np.asarray([(sum(label in own for own in SETS) + 0.5) / (len(SETS) + 1) for label in range(13)])
    np.testing.assert_allclose(LOG_ODDS, np.log(shares / (1 - shares)), rtol=1e-6)
    assert LOG_ODDS.dtype == np.float32
    np.testing.assert_array_equal(LOG_ODDS, sigfft.label_priors(sigfft.labels.pad(SETS, 13), 13))
    with pytest.raises(ValueError, match="take at least one label set; given none"):
        sigfft.label_priors([], 13)
    with pytest.raises(ValueError, match="12"):
        sigfft.label_priors([[12]], 12)


@pytest.mark.parametrize("head", HEADS, ids=repr)
def test_without_features_each_label_is_at_its_prior(head):
    start = head.init(jax.random.key(0))
    params = head.with_priors(start, LOG_ODDS)
    np.testing.assert_allclose(head.logits(params, jnp.zeros(5)), LOG_ODDS, rtol=1e-5, atol=1e-5)
    assert np.ptp(head.logits(start, jnp.zeros(5))) < 1e-5  # all at one
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, start)
    (changed,) = [name for name, value in params.items() if not np.array_equal(value, start[name])]
    assert changed == {"sigmoid": "bias", "bottleneck": "weight", "dft": "label_priors"}[head.kind]


@pytest.mark.parametrize("prior", [0.5, 0.4999, 0.51])
def test_a_bottleneck_whose_labels_are_as_often_active_as_not(prior):
    head = sigfft.bottleneck_head(13, 3, feature_dim=5, prior=prior)
    params = head.with_priors(head.init(jax.random.key(0)), LOG_ODDS)
    np.testing.assert_allclose(head.logits(params, jnp.zeros(5)), LOG_ODDS, rtol=1e-5)
    assert jnp.abs(params["weight"][:, 0]).max() <= np.abs(LOG_ODDS).max() + 1e-6


def test_a_dft_head_gives_them_a_column_without_parameters_per_label():
    head, without = HEADS[2], sigfft.dft_head(13, 2, feature_dim=5)
    assert (head.dim, head.given, head.name) == (without.dim + 1, {"label_priors"}, "dft k=2 priors")
    assert head.n_parameters() == without.n_parameters() + 5 + 1
    params = head.with_priors(head.init(jax.random.key(0)), LOG_ODDS)
    gradient = jax.grad(lambda own: jnp.square(head.logits(own, jnp.ones(5))).sum())(params)
    assert not np.any(gradient["label_priors"])
    assert np.all(gradient["projection_kernel"][:, -1])


def test_the_guarantee_is_that_of_the_other_columns():
    head = sigfft.dft_head(60, 3, feature_dim=56, spread=20, slack=1, label_priors=True, centred=True)
    params = head.with_priors(head.init(jax.random.key(0)), jnp.linspace(-9, 2, 60))
    sets = [[0], [7, 8], [1, 30, 59], list(range(10, 13))]
    report = sigfft.check_head(head, params, sets, domain="nonnegative")
    assert report.truths().splitlines()[-1].split() == ["all", "4", "4", "4", "4", "4"]
    assert sigfft.reach(head, params, domain="nonnegative").status == "every z"


@pytest.mark.parametrize(
    ("head", "log_odds", "message"),
    [
        (HEADS[0], LOG_ODDS[:, None], r"log_odds of .*SigmoidHead.* must be \(13,\); given shape \(13, 1\)"),
        (HEADS[2], LOG_ODDS[:12], r"must be \(13,\); given shape \(12,\)"),
        (
            HEADS[1],
            np.where(np.arange(13) == 4, -np.inf, LOG_ODDS),
            "must be finite; label 4 has -inf. sigfft",
        ),
        (sigfft.dft_head(13, 2, feature_dim=5), LOG_ODDS, "has no priors of labels: a DFT head takes label_priors"),
        (sigfft.bottleneck_head(13, 3, feature_dim=5, random_start=True), LOG_ODDS, "has no priors of labels"),
        (sigfft.sigmoid_head(13, feature_dim=5, random_start=True), LOG_ODDS, "has no priors of labels"),
    ],
)
def test_what_has_no_place_for_them_is_refused(head, log_odds, message):
    with pytest.raises(ValueError, match=message):
        head.with_priors(head.init(jax.random.key(0)), log_odds)


@pytest.mark.loose_types
def test_values_are_no_flag():
    with pytest.raises(ValueError, match="must be True or False, and is of ndarray; with_priors takes"):
        sigfft.dft_head(13, 2, feature_dim=5, label_priors=LOG_ODDS)
