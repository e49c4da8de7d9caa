import jax
import numpy as np
import pytest

import sigfft
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.of_heads import admm
from sigfft.argmaxability.proofs.witness import proves_witnesses
from sigfft.argmaxability.rules import RULES
from sigfft.argmaxability.theory.sampling import random_sets

HEADS = {
    "dft": sigfft.dft_head(60, 3, feature_dim=2, spread=12),
    "dft longer, ordered, slack": sigfft.dft_head(
        53, 2, feature_dim=2, n_fft=60, spread=8, slack=3, order=[(7 * i) % 53 for i in range(53)]
    ),
    "bottleneck": sigfft.bottleneck_head(30, 12, feature_dim=2, random_start=True),
    "sigmoid": sigfft.sigmoid_head(30, feature_dim=16, random_start=True),
    "retrofit": sigfft.retrofit_head(40, 3, 2, spread=8),
}
PROMISED = ("dft", "dft longer, ordered, slack", "retrofit")


def rows_and_bias(head, params):
    ids = jax.numpy.arange(head.n_labels)
    bias = head.bias(params, ids)
    return np.asarray(head.rows(params, ids)), None if bias is None else np.asarray(bias)


@pytest.mark.parametrize("rule", ["threshold", "top_k"])
@pytest.mark.parametrize("name", HEADS)
def test_found_activations_are_witnesses_and_few_are_missed(name, rule):
    head = HEADS[name]
    params = head.init(jax.random.key(0))
    weight, bias = rows_and_bias(head, params)
    padded = np.concatenate(
        [
            np.pad(random_sets(head.n_labels, j, 6, 0), ((0, 0), (0, 2 - j)), constant_values=head.n_labels)
            for j in (1, 2)
        ]
    )
    z, margin = admm.widen(head, params, padded, rule)
    assert z.shape == (12, head.dim)
    found = margin > 1e-4
    proved = proves_witnesses(Layer.of(weight, bias, rule), padded[found], z[found])
    assert proved.all()
    possible = sigfft.check(weight, padded, bias, rule).status == "argmaxable"
    assert found.sum() >= possible.sum() - 1
    if name in PROMISED:
        assert found.all()


def test_margins_come_near_the_largest():
    head = HEADS["dft"]
    params = head.init(jax.random.key(0))
    padded = np.arange(4, dtype=np.int32)[:, None] * 7
    _, margin = admm.widen(head, params, padded, widen_steps=600)
    rows = rows_and_bias(head, params)[0].astype(np.float64)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    worst = np.sort(units @ units[0])[-2]  # all labels alike: the best plane is halfway to the nearest row
    assert (margin <= 1.01 * np.sqrt((1 - worst) / 2)).all()
    np.testing.assert_allclose(margin, margin[0], rtol=0.05)
    narrow = admm.widen(head, params, padded, widen_steps=0)[1]
    assert (margin > narrow).all()


@pytest.mark.parametrize("rule", ["threshold", "top_k"])
def test_a_zero_row_asks_nothing_of_sets_without_its_label(rule):
    head = sigfft.bottleneck_head(30, 27, feature_dim=2, random_start=True)
    params = head.init(jax.random.key(0))
    params["weight"] = params["weight"].at[4].set(0.0)
    _, margin = admm.widen(head, params, np.array([[1, 30], [2, 9], [4, 9]], np.int32), rule)
    assert (margin[:2] > 0).all()
    assert (margin[2] > 0) == (rule == "top_k")


def test_padding_is_no_wish_about_the_bias():
    head = HEADS["sigmoid"]
    params = head.init(jax.random.key(0))
    rows = admm.Rows.of(head, params, RULES["threshold"])
    padded = jax.numpy.array([[0, 3, 30], [0, 1, 2]])
    dual = admm._first_dual(rows, admm._inverse(rows.gram(), admm.FEASIBLE), padded)
    assert np.flatnonzero(np.asarray(dual)[0]).tolist() == [0, 3]


def test_a_set_that_cannot_be_is_not_found():
    head = sigfft.dft_head(12, 1, feature_dim=2)
    z, margin = admm.widen(head, head.init(jax.random.key(0)), np.array([[0, 6]], np.int32))
    assert margin[0] <= 0
    assert np.isfinite(z).all()
    assert len(admm.widen(head, head.init(jax.random.key(0)), np.zeros((0, 2), np.int32))[1]) == 0


@pytest.mark.parametrize("rule", ["threshold", "top_k"])
@pytest.mark.parametrize("scale", [2.0**-100, 2.0**100, 2.0**119])
@pytest.mark.parametrize("name", ["bottleneck", "sigmoid"])
def test_what_is_found_does_not_depend_on_the_scale_of_the_weights(name, scale, rule):
    head = HEADS[name]
    ordinary = head.init(jax.random.key(0))
    scaled = {name: value * np.float32(scale) for name, value in ordinary.items()}
    padded = random_sets(30, 2, 4, 0)
    of_ordinary, of_scaled = (admm.widen(head, params, padded, rule)[1] for params in (ordinary, scaled))
    assert (of_ordinary > 0).any()
    np.testing.assert_allclose(of_scaled, of_ordinary, atol=2e-3)


@pytest.mark.parametrize("value", [0.0, 1e30, 3e38, np.inf, np.nan])
def test_weights_of_any_size_find_something_or_nothing_and_never_raise(value):
    head = HEADS["bottleneck"]
    params = head.init(jax.random.key(0))
    for first in (5, 0):
        params["weight"] = params["weight"].at[first:].set(value)
        assert not (admm.widen(head, params, random_sets(30, 2, 4, 0))[1] > 0).any()


def test_a_head_with_huge_weights_is_checked():
    head = HEADS["bottleneck"]
    params = {name: value * np.float32(1e37) for name, value in head.init(jax.random.key(0)).items()}
    report = sigfft.check_head(head, params, [[1], [2, 9]], "top_k")
    assert report.status.tolist() == ["argmaxable"] * 2
