import dataclasses

import numpy as np
import pytest

from sigfft.data.dataset import Dataset, DenseFeatures, SparseFeatures, keep_largest
from sigfft.data.digests import fingerprint

INDPTR = np.array([0, 2, 2, 5])
IDS = np.array([1, 4, 0, 2, 3], np.int32)
VALUES = np.array([0.5, -2.0, 1.0, -3.0, 1.0], np.float32)
LABELS = np.array([[0, 2], [3, 3], [1, 3]], np.int32)


@pytest.fixture
def sparse():
    return Dataset(SparseFeatures(INDPTR, IDS, VALUES, n_features=5, width=4), LABELS, n_labels=3)


@pytest.fixture
def dense():
    return Dataset(DenseFeatures(np.arange(6, dtype=np.float32).reshape(3, 2)), LABELS, n_labels=3)


@pytest.mark.parametrize("wrong", [5, -1])
def test_ids_that_no_feature_has_are_refused(wrong):
    ids = np.where(IDS == 4, wrong, IDS).astype(np.int32)
    with pytest.raises(
        ValueError, match=f"ids must be of features 0 to 4; given ids from {min(0, wrong)} to {max(3, wrong)}$"
    ):
        SparseFeatures(INDPTR, ids, VALUES, n_features=5, width=4)


def test_gather_sparse(sparse):
    batch = sparse.gather(np.array([2, 1, 0, 3]))
    assert batch["feature_ids"].tolist() == [[0, 2, 3, 5], [5, 5, 5, 5], [1, 4, 5, 5], [5, 5, 5, 5]]
    assert batch["feature_values"].tolist() == [[1, -3, 1, 0], [0, 0, 0, 0], [0.5, -2, 0, 0], [0, 0, 0, 0]]
    assert batch["labels"].tolist() == [[1, 3], [3, 3], [0, 2], [3, 3]]
    assert batch["mask"].tolist() == [True, True, True, False]
    assert {name: array.dtype for name, array in batch.items()} == {
        "feature_ids": np.int32,
        "feature_values": np.float32,
        "labels": np.int32,
        "mask": np.bool_,
    }


def test_gather_dense(dense):
    batch = dense.gather(np.array([1, 3, 2]))
    assert batch["features"].tolist() == [[2, 3], [0, 0], [4, 5]]
    assert batch["features"].dtype == np.float32
    assert batch["mask"].tolist() == [True, False, True]
    assert batch["labels"].tolist() == [[3, 3], [3, 3], [1, 3]]


def test_counts(sparse, dense):
    assert sparse.label_counts().tolist() == [1, 1, 1]
    assert sparse.mean_cardinality == 1.0
    assert (len(sparse), sparse.max_cardinality, sparse.n_features, sparse.feature_dim) == (3, 2, 5, None)
    assert (len(dense), dense.max_cardinality, dense.n_features, dense.feature_dim) == (3, 2, None, 2)


def test_mismatched_parts_are_refused(sparse):
    with pytest.raises(ValueError, match="a point has 3 features, more than width=2"):
        SparseFeatures(INDPTR, IDS, VALUES, n_features=5, width=2)
    with pytest.raises(ValueError, match="3 rows of features do not match 2 label sets"):
        Dataset(sparse.features, LABELS[:2], 3)


@pytest.mark.parametrize(
    ("max_features", "indptr", "ids"),
    [(3, [0, 2, 2, 5], [1, 4, 0, 2, 3]), (2, [0, 2, 2, 4], [1, 4, 0, 2]), (1, [0, 1, 1, 2], [4, 2])],
)
def test_keep_largest(max_features, indptr, ids):
    kept = keep_largest(INDPTR, IDS, VALUES, max_features)
    assert kept[0].tolist() == indptr
    assert kept[1].tolist() == ids
    assert kept[2].tolist() == [VALUES[IDS.tolist().index(i)] for i in ids]


def test_keep_largest_against_a_loop():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 12, 100)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    ids = np.concatenate([np.sort(rng.permutation(30)[:c]) for c in counts]).astype(np.int32)
    values = rng.integers(-3, 4, len(ids)).astype(np.float32)  # many ties
    kept_indptr, kept_ids, kept_values = keep_largest(indptr, ids, values, 5)
    for i in range(100):
        row, weight = ids[indptr[i] : indptr[i + 1]], values[indptr[i] : indptr[i + 1]]
        chosen = np.sort(np.argsort(-np.abs(weight), kind="stable")[:5])
        assert kept_ids[kept_indptr[i] : kept_indptr[i + 1]].tolist() == row[chosen].tolist()
        assert kept_values[kept_indptr[i] : kept_indptr[i + 1]].tolist() == weight[chosen].tolist()


def test_keep_largest_refuses_none():
    with pytest.raises(ValueError, match="max_features must be at least 1"):
        keep_largest(INDPTR, IDS, VALUES, 0)


@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_hold_out_parts_the_points(kind, request):
    data = request.getfixturevalue(kind)
    rest, held = data.hold_out(1 / 3, seed=0)
    assert (len(rest), len(held)) == (2, 1)
    whole, everything = data.gather(np.arange(3)), [split.gather(np.arange(len(split))) for split in (rest, held)]
    for name, rows in whole.items():
        together = np.concatenate([split[name] for split in everything])
        assert sorted(together.tolist()) == sorted(rows.tolist())
    again = data.hold_out(1 / 3, seed=0)[1]
    assert again.labels.tolist() == held.labels.tolist()
    for share in (0.0, 0.01, 1.0):
        with pytest.raises(ValueError, match="leaves one split empty"):
            data.hold_out(share, seed=0)


def test_a_fingerprint_tells_every_difference(sparse, dense, tmp_path, monkeypatch):
    monkeypatch.setattr("sigfft.data.digests._BYTES", 8)  # of several blocks
    np.save(tmp_path / "x.npy", dense.features.values)
    mapped = DenseFeatures(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert fingerprint({"a": dense, "b": sparse}) == fingerprint(
        {"a": dataclasses.replace(dense, features=mapped), "b": sparse}
    )
    changes = [dense, sparse, dataclasses.replace(dense, n_labels=4)]
    changes += [dataclasses.replace(dense, labels=LABELS[[1, 0, 2]])]
    changes += [dataclasses.replace(dense, features=DenseFeatures(dense.features.values.astype(np.float64)))]
    last = VALUES * np.array([1, 1, 1, 1, -1], np.float32)
    changes += [dataclasses.replace(sparse, features=dataclasses.replace(sparse.features, values=last))]
    assert len({fingerprint({"a": split})["a"] for split in changes}) == len(changes)
