import dataclasses

import numpy as np
import pytest
import scipy.sparse

from sigfft.data import Dataset, DenseFeatures, SparseFeatures
from sigfft.data.centroids import LabelCentroids

N_LABELS, N_FEATURES = 12, 20


def split(points, seed=0):
    """Sparse rows, some of which are empty, and label sets, of which label 11 is in none."""
    rng = np.random.default_rng(seed)
    dense = rng.random((points, N_FEATURES)) * (rng.random((points, N_FEATURES)) < 0.3)
    dense[1] = 0
    rows = scipy.sparse.csr_matrix(dense.astype(np.float32))
    features = SparseFeatures(
        rows.indptr.astype(np.int64), rows.indices.astype(np.int32), rows.data, N_FEATURES, N_FEATURES
    )
    labels = np.full((points, 3), N_LABELS, np.int32)
    for row in labels:
        size = rng.integers(0, 4)
        row[:size] = np.sort(rng.choice(N_LABELS - 1, size, replace=False))
    return Dataset(features, labels, N_LABELS), dense


def by_hand(dense, labels, point, without=None):
    """Cosines of a point with the centroids of all labels, and how many examples each has; 0 without a direction."""
    lengths = np.linalg.norm(dense, axis=1, keepdims=True)
    unit = dense / np.where(lengths > 0, lengths, 1)
    there = np.arange(len(dense)) != (-1 if without is None else without)
    counts = np.array([((labels == label).any(1) & there).sum() for label in range(N_LABELS)])
    sums = np.stack([unit[(labels == label).any(1) & there].sum(0) for label in range(N_LABELS)])
    length = np.linalg.norm(sums, axis=1)
    return sums @ point / np.where(length > 0, length, 1), counts


def test_cosines_with_centroids_best_first():
    (train, dense), (test, points) = split(40), split(9, seed=1)
    found = LabelCentroids.fit(train).nearest(test.features, 5)
    for i, row in enumerate(points):
        length = np.linalg.norm(row)
        cosines, counts = by_hand(dense, train.labels, row / (length or 1))
        order = np.argsort(-cosines, kind="stable")[:5]
        near = cosines[order] > 0
        np.testing.assert_array_equal(found.ids[i], np.where(near, order, N_LABELS))
        np.testing.assert_allclose(found.scores[i], np.where(near, cosines[order], 0), atol=1e-5)
        np.testing.assert_array_equal(found.counts[i], np.where(near, counts[order], 0))
    assert (found.ids[1] == N_LABELS).all()  # an example without a feature is near to nothing
    assert (np.diff(found.scores) <= 0).all()


def test_a_training_example_is_met_as_a_new_one():
    train, dense = split(40)
    found = LabelCentroids.fit(train).nearest(train.features, N_LABELS, train.labels)
    for i, row in enumerate(dense):
        cosines, counts = by_hand(dense, train.labels, row / (np.linalg.norm(row) or 1), without=i)
        expected = {label: (cosines[label], counts[label]) for label in np.flatnonzero(cosines > 1e-6)}
        pairs = zip(found.scores[i].tolist(), found.counts[i].tolist(), strict=True)
        got = {int(label): pair for label, pair in zip(found.ids[i], pairs, strict=True) if label < N_LABELS}
        assert got.keys() == expected.keys()
        for label, (score, count) in expected.items():
            assert got[label] == (pytest.approx(score, abs=2e-4), count)


def test_no_label_is_near_where_none_is_active():
    train, _ = split(40)
    none = LabelCentroids.fit(dataclasses.replace(train, labels=np.full((40, 1), N_LABELS, np.int32)))
    assert (none.nearest(train.features, 3).ids == N_LABELS).all()


def test_a_label_of_this_example_alone_is_not_near_to_it():
    train, _ = split(40)
    labels = np.full((40, 1), 3, np.int32)
    labels[0] = 5
    centroids = LabelCentroids.fit(dataclasses.replace(train, labels=labels))
    assert 5 not in centroids.nearest(train.features, 2, labels).ids[0]
    assert centroids.nearest(train.features, 2).ids[0][0] == 5


def test_all_points_at_once_or_in_parts(monkeypatch):
    train, _ = split(40)
    centroids = LabelCentroids.fit(train)
    whole = centroids.nearest(train.features, 4, train.labels)
    monkeypatch.setattr("sigfft.data.centroids._SCORES", 7 * N_LABELS)
    parts = centroids.nearest(train.features, 4, train.labels)
    for name in ("ids", "scores", "counts"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_kept_in_a_file(tmp_path):
    train, _ = split(40)
    centroids, path = LabelCentroids.fit(train), tmp_path / "centroids.npz"
    centroids.save(path)
    again = LabelCentroids.load(path)
    found, expected = (own.nearest(train.features, 4) for own in (again, centroids))
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.scores, expected.scores)
    other, kept = tmp_path / "other.npz", dict(np.load(path).items())
    for content in (b"", b"no archive", path.read_bytes()[:-40]):
        other.write_bytes(content)
        with pytest.raises(ValueError, match=r"other.npz is not a whole .npz archive"):
            LabelCentroids.load(other)
    wrong = {
        "counts": np.zeros(3, np.int32),
        "counts ": -kept["counts"],
        "counts  ": kept["counts"].astype("U4"),
        "shape ": np.array([2**64 - 1, N_FEATURES], np.uint64),
        "data ": kept["data"].astype(np.float64),
        "indices": kept["indices"] + N_FEATURES,
        "shape": np.array([N_LABELS]),
        "data": np.full_like(kept["data"], np.nan),
    }
    for name, value in wrong.items():
        np.savez(other, **kept | {name.strip(): value})
        with pytest.raises(ValueError, match=r"other.npz holds no centroids of labels"):
            LabelCentroids.load(other)
    np.savez(other, **{name: value for name, value in kept.items() if name != "indptr"})
    with pytest.raises(ValueError, match="holds no centroids of labels: 'indptr' is missing"):
        LabelCentroids.load(other)
    for sizes, message in {(13, None): "of 12 labels, and not of 13", (12, 7): "of 20 features, and not of 7"}.items():
        with pytest.raises(ValueError, match=message):
            LabelCentroids.load(path, *sizes)
    with pytest.raises(ValueError, match=r"nothing.npz, the centroids of a run's labels, is missing"):
        LabelCentroids.load(tmp_path / "nothing.npz")


def test_an_own_label_that_shares_nothing_with_its_other_examples_is_not_near():
    """Its cosine is 0, and what rounding leaves of it would tell that it is the example's own."""
    rng = np.random.default_rng(0)
    points, n_labels = 600, 300
    ids = np.concatenate([np.sort(rng.choice(3000, 3, replace=False)) for _ in range(points)]).astype(np.int32)
    values = rng.random(3 * points, np.float32) + 0.5
    labels = rng.permutation(np.repeat(np.arange(n_labels), 2)).astype(np.int32)[:, None]
    data = Dataset(SparseFeatures(3 * np.arange(points + 1), ids, values, 3000, 3), labels, n_labels)
    found = LabelCentroids.fit(data).nearest(data.features, 32, labels)
    assert (found.scores > 0).any()
    assert found.scores[found.scores > 0].min() > 1e-3


def test_what_cannot_be_asked():
    train, _ = split(40)
    centroids = LabelCentroids.fit(train)
    for n in (0, -1, 13):
        with pytest.raises(ValueError, match=f"n={n} must be at least 1 and at most the number of labels, 12"):
            centroids.nearest(train.features, n)
    with pytest.raises(ValueError, match="points of 21 features; the centroids have 20"):
        centroids.nearest(dataclasses.replace(train.features, n_features=21, width=21), 2)
    with pytest.raises(ValueError, match="centroids are of SparseFeatures; given DenseFeatures"):
        LabelCentroids.fit(dataclasses.replace(train, features=DenseFeatures(np.ones((40, 2)))))
    nearest = centroids.nearest(train.features, 2)
    with pytest.raises(ValueError, match="nearest labels of 40 points do not match 39"):
        Dataset(train.features.select(np.arange(39)), train.labels[:39], N_LABELS, nearest=nearest)


def test_batches_hold_the_nearest_labels():
    train, _ = split(40)
    nearest = LabelCentroids.fit(train).nearest(train.features, 4)
    data = dataclasses.replace(train, nearest=nearest)
    batch = data.gather(np.array([3, 40]))
    np.testing.assert_array_equal(batch["nearest_ids"], [nearest.ids[3], np.full(4, N_LABELS)])
    np.testing.assert_array_equal(batch["nearest_scores"], [nearest.scores[3], np.zeros(4)])
    np.testing.assert_array_equal(batch["nearest_counts"], [nearest.counts[3], np.zeros(4)])
    kept, held = data.hold_out(0.25, seed=0)
    assert (len(kept.nearest.ids), len(held.nearest.ids)) == (30, 10)
    assert "nearest_ids" not in train.gather(np.array([0]))
