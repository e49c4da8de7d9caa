import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import sigfft

FEATURES = 6
HEADS = {
    "sigmoid": sigfft.sigmoid_head(13, feature_dim=FEATURES),
    "bottleneck": sigfft.bottleneck_head(13, 4, feature_dim=FEATURES),
    "bottleneck of one": sigfft.bottleneck_head(13, 1, feature_dim=FEATURES),
    "dft odd prime": sigfft.dft_head(13, 3, feature_dim=FEATURES),
    "dft even": sigfft.dft_head(12, 3, feature_dim=FEATURES),
    "dft all columns": sigfft.dft_head(13, 6, feature_dim=FEATURES),
    "dft spread": sigfft.dft_head(101, 3, feature_dim=FEATURES, spread=20),
    "dft slack": sigfft.dft_head(13, 2, feature_dim=FEATURES, slack=3),
    "dft longer": sigfft.dft_head(97, 3, feature_dim=FEATURES, n_fft=105, spread=5, slack=2),
    "dft order": sigfft.dft_head(13, 2, feature_dim=FEATURES, slack=1, order=[(5 * i) % 13 for i in range(13)]),
}


@pytest.fixture(params=HEADS, scope="module")
def head(request):
    return HEADS[request.param]


@pytest.fixture
def params(head):
    return head.init(jax.random.key(1))


@pytest.fixture
def features():
    return jax.random.normal(jax.random.key(2), (5, FEATURES))


def test_decode_is_the_affine_map_of_rows_and_bias(head, params):
    labels = jnp.arange(head.n_labels)
    z = jax.random.normal(jax.random.key(3), (5, head.dim))
    expected = z @ head.rows(params, labels).T
    bias = head.bias(params, labels)
    if bias is not None:
        expected = expected + bias[None, :]
    np.testing.assert_allclose(head.decode(params, z), expected, atol=5e-6)


def test_rows_of_some_labels(head, params):
    some = jnp.array([7, 0, 11, 7])
    np.testing.assert_array_equal(head.rows(params, some), head.rows(params, jnp.arange(head.n_labels))[some])


def test_shapes_dtypes_and_leading_axes(head, params, features):
    for dtype in (jnp.float32, jnp.bfloat16):
        z = head.project(params, features.astype(dtype))
        logits = head.decode(params, z)
        assert (z.shape, z.dtype) == ((5, head.dim), dtype)
        assert (logits.shape, logits.dtype) == ((5, head.n_labels), dtype)
    np.testing.assert_allclose(head.logits(params, features[None])[0], head.logits(params, features), atol=1e-6)


def test_starts_at_the_prior(head, params, features):
    expected = (head.max_cardinality or 1) / head.n_labels
    logits = head.logits(params, jnp.zeros((1, FEATURES)))
    np.testing.assert_allclose(jax.nn.sigmoid(logits), min(expected, 0.5), rtol=2e-5)
    assert 0 < jnp.std(head.logits(params, features)) < 0.3


def test_decode_gradient_matches_finite_differences(head, params):
    z = jax.random.normal(jax.random.key(3), (2, head.dim))
    check_grads(lambda p, z: jnp.tanh(head.decode(p, z)), (params, z), order=1, modes=["rev"], eps=1e-2)


def test_kind_and_arguments_make_the_head_again(head, params):
    again = getattr(sigfft, f"{head.kind}_head")(**head.arguments)
    for mine, other in zip(head.init(jax.random.key(1)).values(), again.init(jax.random.key(1)).values(), strict=True):
        np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(again.rows(params, jnp.arange(5)), head.rows(params, jnp.arange(5)))


@pytest.mark.parametrize("n", [11, 12])
def test_dft_columns_are_orthonormal(n):
    head = sigfft.dft_head(n, 5, feature_dim=2)
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


def test_counts_are_features_too(head, params):
    counts = jnp.arange(5 * FEATURES, dtype=jnp.int32).reshape(5, FEATURES) % 4
    expected = head.logits(params, counts.astype(jnp.float32))
    assert head.logits(params, counts).dtype == jnp.float32
    np.testing.assert_array_equal(head.logits(params, counts), expected)


def test_rows_of_narrow_parameters_are_the_stored_values(head, params):
    narrow = jax.tree.map(lambda p: p.astype(jnp.bfloat16), params)
    wide = jax.tree.map(lambda p: p.astype(jnp.float32), narrow)
    labels = jnp.arange(head.n_labels)
    np.testing.assert_array_equal(np.asarray(head.rows(narrow, labels), np.float32), head.rows(wide, labels))


@pytest.mark.parametrize("make", [sigfft.dft_head, sigfft.bottleneck_head, sigfft.sigmoid_head])
def test_a_prior_of_any_float_is_saved(make, tmp_path):
    sizes = () if make is sigfft.sigmoid_head else (3,)
    made = make(13, *sizes, feature_dim=4, prior=np.float32(0.1))
    sigfft.save_head(tmp_path / "head.safetensors", made, made.init(jax.random.key(0)))
    assert sigfft.load_head(tmp_path / "head.safetensors")[0].arguments == made.arguments
