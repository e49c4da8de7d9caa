import jax
import jax.numpy as jnp
import numpy as np
import pytest
from heads.laws import FEATURES, HEADS, random_params

import sigfft
from sigfft import inference
from sigfft.heads.offset import OffsetHead, offset_of
from sigfft.losses import binary_cross_entropy, of_head


@pytest.fixture(
    params=["dft slack", "dft embedding", "dft centred", "dft order", "dft folding, longer"], scope="module"
)
def head(request):
    return OffsetHead(HEADS[request.param])


@pytest.fixture(scope="module")
def params(head):
    return random_params(head)


@pytest.fixture(scope="module")
def entries(head):
    return jax.random.normal(jax.random.key(2), (5, head.feature_dim))


def test_the_offset_is_added_to_the_first_entries_of_z(head, params, entries):
    features, offset = entries[:, :FEATURES], entries[:, FEATURES:]
    expected = head.within.project(params, features) + jnp.pad(offset, ((0, 0), (0, head.dim - head.known_dim)))
    np.testing.assert_allclose(head.project(params, entries), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(head.logits(params, entries), head.within.decode(params, expected), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match=rf"must be \(..., {head.feature_dim}\); given shape \(5, {FEATURES}\)"):
        head.project(params, features)


def test_losses_and_predictions_by_blocks(head, params, entries):
    logits = head.logits(params, entries)
    labels = jnp.array([[0, 4], [3, 99], [99, 99], [1, 2], [5, 6]]).clip(max=head.n_labels)
    loss = binary_cross_entropy()
    whole, blocked = (of_head(loss, head, params, entries, labels, size) for size in (None, 5))
    np.testing.assert_allclose(whole, blocked, rtol=1e-5)
    found = inference.top_k(head, params, entries, 3, block_size=5).scores
    np.testing.assert_allclose(found, -np.sort(-logits)[:, :3], rtol=1e-4, atol=1e-5)


def test_in_all_else_it_is_the_head_within(head, params):
    within = head.within
    for name in (
        *("kind", "name", "arguments", "n_labels", "dim", "max_cardinality", "per_label", "given"),
        *("known_dim", "learning_rate", "centred", "circle"),
    ):
        assert getattr(head, name) is getattr(within, name) or getattr(head, name) == getattr(within, name)
    assert head.n_parameters() == within.n_parameters()
    assert head == OffsetHead(within)
    assert hash(head) == hash(OffsetHead(within))
    assert repr(head) == f"OffsetHead({within!r})"
    labels = jnp.array([3, 0, 7])
    np.testing.assert_array_equal(head.rows(params, labels), within.rows(params, labels))


def test_known_rows_are_the_first_entries_of_all_rows(head, params):
    labels = jnp.arange(head.n_labels)
    np.testing.assert_array_equal(head.known_rows(labels), head.rows(params, labels)[:, : head.known_dim])


def test_labels_that_are_raised_and_others():
    """The raised labels' logits rise by about their raises; the others' by what is left of nearly orthogonal rows."""
    head = sigfft.dft_head(500, 3, feature_dim=8, n_fft=500, spread=60, slack=4)
    params = head.init(jax.random.key(0))
    labels, raises = jnp.array([[7, 450, 12], [31, 500, 500], [500, 500, 500]]), jnp.array([[6.0, 2, -1]] * 3)
    z = jnp.pad(offset_of(head, labels, raises), ((0, 0), (0, 4)))
    logits = np.asarray(head.decode(params, z))
    np.testing.assert_allclose(logits[0, [7, 450, 12]], [6, 2, -1], atol=1.2)
    assert logits[1, 31] == pytest.approx(6, abs=1e-3)  # alone
    others = np.delete(logits[:2], [7, 450, 12, 31], axis=1)
    assert np.sqrt(np.mean(others**2)) < 1.5 * 6 / np.sqrt(head.known_dim)
    assert not logits[2].any()


def test_a_head_without_known_columns_takes_no_offset():
    with pytest.raises(ValueError, match="'bottleneck d=3' learns all of its columns; an offset takes a DFT head"):
        OffsetHead(HEADS["bottleneck"])
    assert HEADS["retrofit"].known_rows(jnp.arange(3)).shape == (3, 0)
