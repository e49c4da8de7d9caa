import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sigfft import labels

SETS = [[3, 1], [], [1, 3], [0, 4, 2]]


def test_pad_sorts_and_fills():
    np.testing.assert_array_equal(labels.pad(SETS, 5), [[1, 3, 5], [5, 5, 5], [1, 3, 5], [0, 2, 4]])
    assert labels.pad(SETS, 5).dtype == np.int32
    assert labels.pad([], 5).shape == (0, 1)
    assert labels.pad([[], []], 5, 3).shape == (2, 3)


def test_pad_accepts_padded_arrays_of_any_width():
    wide = np.array([[5, 3, 5, 1], [5, 5, 5, 5]])
    np.testing.assert_array_equal(labels.pad(wide, 5), [[1, 3], [5, 5]])


def test_pad_accepts_padded_arrays_of_jax():
    np.testing.assert_array_equal(labels.pad(jnp.array([[1, 8], [2, 3]]), 8), [[1, 8], [2, 3]])


def test_round_trips():
    padded = labels.pad(SETS, 5)
    assert labels.unpack(padded, 5) == [sorted(s) for s in SETS]
    np.testing.assert_array_equal(labels.from_csr(*labels.to_csr(padded, 5), 5), padded)
    np.testing.assert_array_equal(labels.cardinality(padded, 5), [2, 0, 2, 3])


def test_sparse_rows_are_those_of_the_dense_matrix():
    padded = labels.pad(SETS, 5)
    sparse = labels.to_sparse(padded, 5, np.float32)
    assert sparse.dtype == np.float32
    assert sparse.nnz == sum(map(len, SETS))
    np.testing.assert_array_equal(sparse.toarray(), labels.to_multi_hot(padded, 5))
    assert labels.to_sparse(labels.pad([], 5), 5).shape == (0, 5)


def test_dedupe_keeps_first_appearance():
    padded = labels.pad([[2], [0, 1], [2], [], [1, 0]], 3)
    distinct, inverse, counts = labels.dedupe(padded)
    assert labels.unpack(distinct, 3) == [[2], [0, 1], []]
    np.testing.assert_array_equal(distinct[inverse], padded)
    np.testing.assert_array_equal(counts, [2, 2, 1])


def test_digest_is_stable_and_ignores_padding():
    assert labels.digest(labels.pad([[1, 3]], 5), 5) == ["2943bb17f0f997ef34914d92367f386e"]
    assert labels.digest(labels.pad([[3, 1]], 900, 7), 900) == ["2943bb17f0f997ef34914d92367f386e"]
    random = np.random.default_rng(0)
    sets = labels.pad([random.choice(50, 4, replace=False).tolist() for _ in range(500)], 50)
    assert len(set(labels.digest(sets, 50))) == len(labels.dedupe(sets)[0])


@pytest.mark.loose_types
@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([[0, 5]], "label id 5 in set 0 is not one of the 5 labels"),
        ([[1], [-1]], "label id -1 in set 1"),
        ([[1, 2, 1]], "label id 1 is repeated in set 0"),
        ([[1], [0, 1, 2]], "set 1 has 3 labels, more than max_cardinality=2"),
        ([[0.5]], "must be integers"),
    ],
)
def test_bad_sets_raise(sets, message):
    with pytest.raises(ValueError, match=message):
        labels.pad(sets, 5, 2 if "max_cardinality" in message else None)


@pytest.mark.loose_types
@pytest.mark.parametrize("indptr", [[0, 2], [1, 3], [0, 2, 1, 3], []])
def test_indptr_must_describe_indices(indptr):
    with pytest.raises(ValueError, match="indptr must rise from 0"):
        labels.from_csr(np.array(indptr), np.array([0, 1, 2]), 5)


def test_multi_hot_and_back_when_traced():
    padded = labels.pad(SETS, 5)
    dense = labels.to_multi_hot(padded, 5)
    there = jax.jit(lambda ids: labels.to_multi_hot(ids, 5))
    np.testing.assert_array_equal(there(padded), dense)
    np.testing.assert_array_equal(there(np.where(padded == 5, -1, padded)), dense)
    for width in (3, 7):
        back = jax.jit(lambda matrix, width=width: labels.from_multi_hot(matrix, width))(dense)
        np.testing.assert_array_equal(back, labels.pad(SETS, 5, width))
        assert back.dtype == np.int32


def test_a_traced_matrix_needs_a_width():
    with pytest.raises(ValueError, match="give max_cardinality"):
        jax.jit(labels.from_multi_hot)(np.zeros((2, 5), bool))


def test_once_drops_repeated_ids_and_what_is_no_label():
    given = np.array([[3, 1, 3, 3], [-1, 9, 2, 5], [0, 0, 0, 0]])
    np.testing.assert_array_equal(labels.once(given, 5), [[1, 3, 5, 5], [2, 5, 5, 5], [0, 5, 5, 5]])


def test_lists_become_label_sets():
    np.testing.assert_array_equal(labels.from_lists(SETS, 5), labels.pad(SETS, 5))
