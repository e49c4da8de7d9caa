import numpy as np
import pytest

from sigfft.argmaxability.search.support import null_vector, reduce_support


def cancelling(rng, n_rows, rank, dim):
    """Unit rows in general position within `rank` dimensions, and positive multipliers that cancel them."""
    rows = rng.standard_normal((n_rows - 1, rank)) @ np.linalg.qr(rng.standard_normal((dim, rank)))[0].T
    multipliers = rng.uniform(0.1, 1, n_rows)
    rows = np.vstack([rows, -(multipliers[:-1] @ rows) / multipliers[-1]])
    return rows, multipliers


@pytest.mark.parametrize(("n_rows", "rank", "dim"), [(2, 1, 1), (9, 2, 2), (30, 10, 10), (30, 4, 9), (150, 40, 40)])
def test_support_is_positive_small_and_cancels(n_rows, rank, dim):
    rows, multipliers = cancelling(np.random.default_rng(n_rows), n_rows, rank, dim)
    support, y = reduce_support(rows, multipliers)
    assert len(np.unique(support)) == len(support) <= rank + 1
    assert (y > 0).all()
    np.testing.assert_allclose(y @ rows[support], 0, atol=1e-12)


def test_rows_without_multiplier_are_left_out():
    rows = np.array([[1.0, 0], [-1.0, 0], [0, 1.0], [1.0, 1.0]])
    support, y = reduce_support(rows, np.array([2.0, 2.0, 0, 0]))
    assert sorted(support.tolist()) == [0, 1]
    np.testing.assert_allclose(y, 0.5)


@pytest.mark.parametrize("multipliers", [np.zeros(3), np.array([1.0, 1.0, 1.0])])
def test_multipliers_that_do_not_cancel_give_nothing(multipliers):
    assert reduce_support(np.eye(3), multipliers) is None


def test_a_null_vector_with_a_negative_entry_is_refused():
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert null_vector(rows, np.arange(3)) is None
