import jax
import jax.numpy as jnp
import numpy as np
import pytest
from heads.laws import FEATURES, HEADS, random_params

from sigfft import inference
from sigfft.heads.offset import OffsetHead
from sigfft.losses import binary_cross_entropy, of_head

OFFSET = 2


@pytest.fixture(params=["bottleneck", "dft slack", "dft centred", "dft folding, longer"], scope="module")
def head(request):
    return OffsetHead(HEADS[request.param], OFFSET)


@pytest.fixture(scope="module")
def params(head):
    return random_params(head)


@pytest.fixture(scope="module")
def entries():
    return jax.random.normal(jax.random.key(2), (5, FEATURES + OFFSET))


def test_the_offset_is_added_to_the_first_entries_of_z(head, params, entries):
    features, offset = entries[:, :FEATURES], entries[:, FEATURES:]
    expected = head.within.project(params, features) + jnp.pad(offset, ((0, 0), (0, head.dim - OFFSET)))
    np.testing.assert_allclose(head.project(params, entries), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(head.logits(params, entries), head.within.decode(params, expected), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match=rf"must be \(..., {FEATURES + OFFSET}\); given shape \(5, {FEATURES}\)"):
        head.project(params, features)


def test_losses_and_predictions_by_blocks(head, params, entries):
    logits = head.logits(params, entries)
    labels = jnp.array([[0, 4], [3, 99], [99, 99], [1, 2], [5, 6]]).clip(max=head.n_labels)
    loss = binary_cross_entropy()
    whole, blocked = (of_head(loss, head, params, entries, labels, size) for size in (None, 5))
    np.testing.assert_allclose(whole, blocked, rtol=1e-5)
    np.testing.assert_allclose(inference.top_k(head, params, entries, 3, block_size=5).scores, -np.sort(-logits)[:, :3],
                               rtol=1e-4, atol=1e-5)  # fmt: skip


def test_in_all_else_it_is_the_head_within(head):
    within = head.within
    for name in ("kind", "name", "arguments", "n_labels", "dim", "max_cardinality", "per_label"):
        assert getattr(head, name) == getattr(within, name)
    assert head.n_parameters() == within.n_parameters()
    assert head == OffsetHead(within, OFFSET)
    assert hash(head) == hash(OffsetHead(within, OFFSET))


@pytest.mark.parametrize("offset_dim", [0, 4])
def test_offsets_that_do_not_fit(offset_dim):
    with pytest.raises(ValueError, match=rf"offset_dim={offset_dim} must be at least 1 and at most dim=3"):
        OffsetHead(HEADS["bottleneck"], offset_dim)
