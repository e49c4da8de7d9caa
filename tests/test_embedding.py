"""What an embedding of labels is made of, and what heads and training do with it: they use it, and leave it alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import sigfft

SETS = [[i % 12, (i + 1) % 12] for i in range(90)]
FEATURES = np.random.default_rng(0).normal(size=(90, 10)) + np.arange(90)[:, None] % 3
TWO_DIRECTIONS = np.repeat(FEATURES[:, :2], 5, axis=1)


def reference(features, label_sets, n_labels, size):
    """The same by dense arithmetic."""
    rows = features / np.linalg.norm(features, axis=1, keepdims=True)
    sums, counts = np.zeros((n_labels, features.shape[1])), np.zeros(n_labels)
    for row, own in zip(rows, label_sets, strict=True):
        for label in own:
            sums[label] += row
            counts[label] += 1
    left = np.linalg.svd(sums / np.sqrt(counts + 20)[:, None])[0][:, 1 : size + 1]
    return left * np.sign(left[np.abs(left).argmax(axis=0), np.arange(size)]) * np.sqrt(n_labels)


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix, scipy.sparse.csr_array])
def test_columns_are_the_singular_vectors_after_the_first(kind):
    found = sigfft.label_embedding(kind(FEATURES), SETS, 12, 5)
    assert (found.shape, found.dtype) == ((12, 5), np.float32)
    np.testing.assert_allclose(found, reference(FEATURES, SETS, 12, 5), atol=1e-5)
    np.testing.assert_allclose(np.square(found).mean(axis=0), 1, rtol=1e-5)
    np.testing.assert_array_equal(found, sigfft.label_embedding(kind(FEATURES), SETS, 12, 5))


def test_examples_without_features_and_labels_without_examples_say_nothing():
    features, sets = np.vstack([FEATURES, np.zeros((2, 10))]), [*SETS, [0], [13]]
    found = sigfft.label_embedding(features, sets, 14, 5)
    np.testing.assert_allclose(found[12:], 0, atol=1e-6)
    assert np.linalg.norm(found[:12], axis=1).min() > 0.1


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix, scipy.sparse.coo_array])
def test_whole_numbers_are_features_too(kind):
    counts = (np.abs(FEATURES) * 60).astype(np.uint8)
    expected = sigfft.label_embedding(counts.astype(float), SETS, 12, 3)
    np.testing.assert_allclose(sigfft.label_embedding(kind(counts), SETS, 12, 3), expected, atol=1e-5)


@pytest.mark.loose_types
def test_features_may_be_lists_and_have_a_row_for_each_example():
    expected = sigfft.label_embedding(FEATURES, SETS, 12, 3)
    np.testing.assert_array_equal(sigfft.label_embedding(FEATURES.tolist(), SETS, 12, 3), expected)
    with pytest.raises(ValueError, match=r"features must be a row for each example; given shape \(90,\)"):
        sigfft.label_embedding(FEATURES[:, 0], SETS, 12, 3)


@pytest.mark.parametrize(
    ("features", "label_sets", "size", "message"),
    [
        (FEATURES, SETS, 0, "size=0 must be a whole number of at least 1"),
        (FEATURES, SETS, 9, "size=9 must be at most 8: 12 labels by 10 features have no more directions"),
        (FEATURES[:5], SETS, 3, "5 rows of features do not match 90 label sets"),
        (FEATURES * np.nan, SETS, 3, "features must be finite; those of example 0 are not"),
        (FEATURES * 0, SETS, 3, "no label has an example with a feature other than 0"),
        (FEATURES, [[]] * 90, 3, "no label has an example with a feature other than 0"),
        (TWO_DIRECTIONS, SETS, 4, "size=4 is more than the 1 directions in which"),
        (TWO_DIRECTIONS, SETS, 2, "size=2 is more than the 1 directions in which"),
        (FEATURES, [[12]] * 90, 3, "12"),
    ],
)
def test_what_gives_no_embedding_is_refused(features, label_sets, size, message):
    with pytest.raises(ValueError, match=message):
        sigfft.label_embedding(features, label_sets, 12, size)


def test_a_saved_head_has_its_values_in_whatever_order_they_lie_in_memory(tmp_path):
    columns, head = sigfft.label_embedding(FEATURES, SETS, 12, 5), sigfft.dft_head(12, 2, feature_dim=10, embedding=5)
    for own in (columns, np.asfortranarray(columns), np.repeat(columns, 2, axis=1)[:, ::2]):
        params = head.init(jax.random.key(0)) | {"embedding": own}
        sigfft.save_head(tmp_path / "head.safetensors", head, params)
        np.testing.assert_array_equal(sigfft.load_head(tmp_path / "head.safetensors")[1]["embedding"], columns)


def test_a_head_is_not_saved_without_its_columns(tmp_path):
    head = sigfft.dft_head(12, 2, feature_dim=10, embedding=5)
    params = head.init(jax.random.key(0))
    with pytest.raises(
        ValueError, match=r"a dft head has the parameters .*'embedding': \(12, 5\).*; given {'projection"
    ):
        sigfft.save_head(tmp_path / "head.safetensors", head, {n: v for n, v in params.items() if n != "embedding"})
    assert not list(tmp_path.iterdir())


def test_the_last_direction_is_one():
    assert sigfft.label_embedding(TWO_DIRECTIONS, SETS, 12, 1).shape == (12, 1)


def test_a_head_uses_it_and_gives_it_no_gradient():
    head = sigfft.dft_head(12, 2, feature_dim=10, slack=1, embedding=5)
    without = sigfft.dft_head(12, 2, feature_dim=10, slack=1)
    assert (head.dim, head.given, head.name) == (without.dim + 5, {"embedding"}, "dft k=2 slack=1 embedding=5")
    assert head.n_parameters() == without.n_parameters() + 5 * 11  # of the projection alone
    params = head.init(jax.random.key(0)) | {"embedding": jnp.asarray(sigfft.label_embedding(FEATURES, SETS, 12, 5))}
    z = jnp.zeros(head.dim).at[-5:].set(jnp.arange(5.0))
    expected = params["embedding"] @ jnp.arange(5.0) / np.sqrt(head.n_fft)
    np.testing.assert_allclose(head.decode(params, z), expected, rtol=1e-5, atol=1e-6)
    gradient = jax.grad(lambda own: jnp.square(head.logits(own, jnp.ones(10))).sum())(params)
    assert not np.any(gradient["embedding"])
    assert all(np.any(gradient[name]) for name in ("projection_kernel", "slack"))


def test_the_guarantee_is_that_of_the_fixed_columns():
    head = sigfft.dft_head(60, 3, feature_dim=70, spread=20, embedding=9, centred=True)
    params = head.init(jax.random.key(0))
    sets = [[0], [7, 8], [1, 30, 59], list(range(10, 13))]
    report = sigfft.check_head(head, params, sets, domain="nonnegative")
    assert report.truths().splitlines()[-1].split() == ["all", "4", "4", "4", "4", "4"]
    assert sigfft.reach(head, params, domain="nonnegative").status == "every z"
