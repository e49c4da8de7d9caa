import jax
import numpy as np
import pytest

import sigfft

HEADS = {
    "sigmoid": sigfft.sigmoid_head(30, feature_dim=6),
    "bottleneck": sigfft.bottleneck_head(30, 3, feature_dim=6),
    "dft": sigfft.dft_head(30, 2, feature_dim=6, spread=4, slack=1, order=list(range(29, -1, -1)), n_fft=32),
    "retrofit": sigfft.retrofit_head(30, 3, 2, spread=1, extra_features=2),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_the_layer_gives_the_logits_of_features(head):
    start = head.init(jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), len(start))
    params = {name: jax.random.normal(key, start[name].shape) for name, key in zip(start, keys, strict=True)}
    features = np.asarray(jax.random.normal(jax.random.key(2), (5, head.feature_dim)))
    weight, bias = sigfft.feature_layer(head, params)
    assert (weight.shape, weight.dtype, bias.dtype) == ((30, head.feature_dim), np.float64, np.float64)
    np.testing.assert_allclose(features @ weight.T + bias, head.logits(params, features), rtol=2e-5, atol=2e-5)


def test_few_features_do_not_reach_a_set_that_z_yields():
    head = sigfft.dft_head(30, 3, feature_dim=2)
    params = head.init(jax.random.key(0))
    label_sets = [[0, 10, 20]]
    assert sigfft.check_head(head, params, label_sets).status.tolist() == ["argmaxable"]
    weight, bias = sigfft.feature_layer(head, params)
    assert sigfft.check(weight, label_sets, bias).status.tolist() == ["unargmaxable"]
    enough = sigfft.dft_head(30, 3, feature_dim=7)
    weight, bias = sigfft.feature_layer(enough, enough.init(jax.random.key(0)))
    assert sigfft.check(weight, label_sets, bias).status.tolist() == ["argmaxable"]
