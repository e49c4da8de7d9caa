import jax
import jax.numpy as jnp
import numpy as np
import pytest
from heads.laws import HEADS

import sigfft
from sigfft import heads

FEATURES = 6


@pytest.mark.parametrize("head", [head for head in HEADS.values() if head.kind != "retrofit"], ids=repr)
def test_starts_at_the_prior(head):
    params, features = head.init(jax.random.key(1)), jax.random.normal(jax.random.key(2), (5, head.feature_dim))
    expected = (head.max_cardinality or 1) / head.n_labels
    logits = head.logits(params, jnp.zeros((1, head.feature_dim)))
    np.testing.assert_allclose(jax.nn.sigmoid(logits), min(expected, 0.5), rtol=2e-5)
    assert 0 < jnp.std(head.logits(params, features)) < 0.3


@pytest.mark.parametrize("n", [11, 12])
def test_dft_columns_are_orthonormal(n):
    head = sigfft.dft_head(n, 5, feature_dim=2, n_fft=n)
    weight = head.rows(head.init(jax.random.key(0)), jnp.arange(n))
    np.testing.assert_allclose(weight.T @ weight, np.eye(11), atol=1e-6)


def test_dft_dc_bias_starts_where_the_paper_puts_it():
    head = sigfft.dft_head(1000, 20, feature_dim=FEATURES, spread=3, slack=2)
    z = head.project(head.init(jax.random.key(0)), jnp.zeros((1, FEATURES)))
    np.testing.assert_allclose(z[0, 0], np.log(0.02 / 0.98) * np.sqrt(1000), rtol=1e-6)
    np.testing.assert_array_equal(z[0, 1:], 0)


@pytest.mark.parametrize(
    ("kind", "sizes", "learned", "z_std"),  # of z: the features themselves, or features @ U(±1/5)
    [
        ("sigmoid", {}, {"weight", "bias"}, 1.0),
        ("bottleneck", {"dim": 16}, {"weight"}, np.sqrt(1 / 3)),
        ("dft", {"max_cardinality": 8, "slack": 4}, set(), np.sqrt(1 / 3)),
    ],
)
def test_random_start_is_the_papers(kind, sizes, learned, z_std):
    head = getattr(sigfft, f"{kind}_head")(400, **sizes, feature_dim=25, random_start=True)
    params = head.init(jax.random.key(0))
    features = jax.random.normal(jax.random.key(1), (8, 25))
    z = head.project(params, features) - head.project(params, jnp.zeros_like(features))
    assert float(jnp.std(z)) == pytest.approx(z_std, rel=0.15)
    assert {"weight", "bias"} & params.keys() == learned
    for name in learned:
        bound = 1 / np.sqrt(params["weight"].shape[1])
        assert 0.9 * bound < jnp.abs(params[name]).max() <= bound


def test_prior_is_an_argument():
    for head in (
        sigfft.sigmoid_head(50, feature_dim=3, prior=0.1),
        sigfft.bottleneck_head(50, 5, feature_dim=3, prior=0.1),
        sigfft.dft_head(50, 5, feature_dim=3, prior=0.1),
    ):
        logits = head.logits(head.init(jax.random.key(0)), jnp.zeros((1, 3)))
        np.testing.assert_allclose(jax.nn.sigmoid(logits), 0.1, rtol=1e-5)


def test_n_parameters():
    assert sigfft.dft_head(100, 5, feature_dim=8, spread=10).n_parameters() == 9 * 31
    assert sigfft.dft_head(100, 5, feature_dim=8, slack=7).n_parameters() == 9 * 18 + 700
    assert sigfft.bottleneck_head(100, 5, feature_dim=8).n_parameters() == 9 * 5 + 500
    assert sigfft.sigmoid_head(100, feature_dim=8).n_parameters() == 900


@pytest.mark.loose_types
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sigfft.dft_head(11, 6, feature_dim=3), "lower max_cardinality to at most 5"),
        (lambda: sigfft.dft_head(20, 5, feature_dim=3, spread=5), r"= 21 columns.*lower spread to at most 4"),
        (lambda: sigfft.dft_head(20, 5, feature_dim=3, n_fft=19), "n_fft=19 must be .* at least n_labels=20"),
        (lambda: sigfft.dft_head(20, 0, feature_dim=3), "max_cardinality=0 must be"),
        (lambda: sigfft.dft_head(20, 2.5, feature_dim=3), "max_cardinality=2.5 must be"),
        (lambda: sigfft.dft_head(20, 2, feature_dim=3, slack=-1), "slack=-1 must be"),
        (lambda: sigfft.dft_head(20, 2, feature_dim=3, spread=-1), "spread=-1 must be"),
        (lambda: sigfft.dft_head(4, 1, feature_dim=3, order=[0, 1, 2, 2]), "order must hold each of 0..3 once"),
        (lambda: sigfft.dft_head(4, 1, feature_dim=3, order=[0, 1, 2]), r"given shape \(3,\)"),
        (lambda: sigfft.bottleneck_head(20, 0, feature_dim=3), "dim=0 must be"),
        (lambda: sigfft.sigmoid_head(0, feature_dim=3), "n_labels=0 must be"),
        (lambda: sigfft.sigmoid_head(5, feature_dim=3, prior=1.0), "prior=1.0 must lie strictly between"),
    ],
)
def test_impossible_arguments_raise(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [sigfft.dft_head, sigfft.bottleneck_head, sigfft.sigmoid_head])
def test_a_prior_of_any_float_is_saved(make, tmp_path):
    sizes = () if make is sigfft.sigmoid_head else (3,)
    made = make(13, *sizes, feature_dim=4, prior=np.float32(0.1))
    sigfft.save_head(tmp_path / "head.safetensors", made, made.init(jax.random.key(0)))
    assert sigfft.load_head(tmp_path / "head.safetensors")[0].arguments == made.arguments


def test_the_transform_has_a_fast_length_by_default():
    assert sigfft.dft_head(8921, 80, feature_dim=3).n_fft == 8960
    assert sigfft.dft_head(8921, 80, feature_dim=3, n_fft=8921).n_fft == 8921
    assert sigfft.retrofit_head(8921, 3, 80).n_fft == 8960


@pytest.mark.loose_types
def test_numpy_numbers_are_sizes():
    sizes = np.array([20, 2, 6, 3])
    head = sigfft.dft_head(sizes[0], sizes[1], feature_dim=sizes[2], spread=sizes[3], order=np.arange(20))
    assert head == sigfft.dft_head(20, 2, feature_dim=6, spread=3, order=range(20))
    assert [type(value) for value in (head.n_labels, head.spread, head.order[0])] == [int] * 3


def test_a_head_is_no_smaller_for_a_long_order():
    head = sigfft.dft_head(1000, 2, feature_dim=6, order=np.arange(1000))
    assert repr(head) == (
        "DFTHead(n_labels=1000, max_cardinality=2, feature_dim=6, n_fft=1000, order=<order of 1000 labels>)"
    )


def test_files_of_before_meant_n_labels_by_no_n_fft():
    before = {"n_labels": 13, "max_cardinality": 2, "feature_dim": 3, "n_fft": None}
    assert heads.make("dft", before).n_fft == 13
    old = {"n_labels": 13, "dim": 3, "max_cardinality": 2, "spread": 0, "n_fft": None, "order": None, "bias": False}
    assert heads.make("retrofit", old) == sigfft.retrofit_head(13, 3, 2, n_fft=13, has_bias=False)
