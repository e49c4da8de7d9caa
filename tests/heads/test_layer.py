import jax

import sigfft


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
