import dataclasses

import numpy as np
import pytest

from sigfft import labels
from sigfft.data.synthetic import SyntheticSpec, features_of, hierarchy, label_sets, load_synthetic

SPEC = SyntheticSpec(n_labels=500, feature_dim=32)


def generate(spec, n_points, seed=0):
    rng = np.random.default_rng(seed)
    tree = hierarchy(spec.n_labels, rng)
    sets = label_sets(spec, tree, n_points, rng)
    return tree, sets, features_of(spec, sets, rng)


@pytest.mark.parametrize("n_labels", [27, 500, 20_000])
def test_hierarchy_has_three_levels(n_labels):
    tree = hierarchy(n_labels, np.random.default_rng(0))
    areas = np.flatnonzero(tree.parent < 0)
    assert sorted([*areas, *tree.topics, *tree.leaves]) == list(range(n_labels))
    assert set(tree.parent[tree.topics]) == set(areas)
    assert set(tree.parent[tree.leaves]) == set(tree.topics)
    for topic, (first, last) in zip(tree.topics, zip(tree.first_leaf, tree.first_leaf[1:], strict=False), strict=True):
        assert (tree.parent[tree.leaves[first:last]] == topic).all()


@pytest.mark.parametrize("changes", [{}, {"n_labels": 20_000, "mean_cardinality": 20.0, "max_cardinality": 80}])
def test_cardinality(changes):
    spec = dataclasses.replace(SPEC, **changes)
    _, sets, _ = generate(spec, 4000)
    cardinality = labels.cardinality(sets, spec.n_labels)
    assert cardinality.min() >= 1
    assert 0.8 * spec.max_cardinality < cardinality.max() <= spec.max_cardinality
    assert cardinality.mean() == pytest.approx(spec.mean_cardinality, rel=0.05)


def test_label_sets_hold_all_parents():
    tree, sets, _ = generate(SPEC, 500)
    for ids in labels.unpack(sets, SPEC.n_labels):
        assert {int(tree.parent[i]) for i in ids} - {-1} <= set(ids)


def test_label_frequencies_follow_a_power_law():
    tree, sets, _ = generate(SPEC, 8000)
    counts = np.bincount(sets.ravel(), minlength=SPEC.n_labels + 1)[: SPEC.n_labels]
    assert counts[tree.topics].max() > 10 * np.median(counts[tree.topics])
    counts = np.sort(counts[counts >= 5])[::-1]
    slope, _ = np.polyfit(np.log(np.arange(1, len(counts) + 1)), np.log(counts), 1)
    assert -1.6 < slope < -0.8
    assert np.corrcoef(np.log(np.arange(1, len(counts) + 1)), np.log(counts))[0, 1] < -0.9


def test_leaves_of_one_topic_occur_together():
    tree, sets, _ = generate(SPEC, 8000)
    topic = tree.topics[np.argmax(np.bincount(sets.ravel(), minlength=SPEC.n_labels + 1)[tree.topics])]
    first, second = np.flatnonzero(tree.parent == topic)[:2]
    has_first, has_second = (sets == first).any(axis=1), (sets == second).any(axis=1)
    assert has_second[has_first].mean() > 2 * has_second.mean()


def test_a_linear_classifier_learns_from_the_features():
    _, sets, features = generate(SPEC, 4000)
    targets = np.zeros((len(sets), SPEC.n_labels + 1))
    np.put_along_axis(targets, sets, 1.0, axis=1)
    targets = targets[:, : SPEC.n_labels]
    inputs = np.concatenate([features, np.ones((len(sets), 1), np.float32)], axis=1)
    weight = np.linalg.lstsq(inputs[:3000], targets[:3000])[0]
    predicted = np.argmax(inputs[3000:] @ weight, axis=1)
    precision = targets[3000:][np.arange(1000), predicted].mean()
    assert precision > targets[:3000].mean(axis=0).max() + 0.2
    assert features.std() == pytest.approx(1.0, abs=0.15)


def test_records_hold_what_was_generated(tmp_path):
    fields = {"n_labels": 60, "feature_dim": 5, "n_train": 30, "n_dev": 10, "n_test": 20, "seed": 3}
    spec = SyntheticSpec(**fields)
    splits = load_synthetic(tmp_path, synthetic=spec)
    _, sets, features = generate(spec, 60, seed=3)
    start = 0
    for name, size in {"train": 30, "dev": 10, "test": 20}.items():
        np.testing.assert_array_equal(splits[name].features.values, features[start : start + size])
        assert labels.unpack(splits[name].labels, 60) == labels.unpack(sets[start : start + size], 60)
        start += size


def test_seed_and_size_make_new_records(tmp_path):
    fields = {"n_labels": 60, "feature_dim": 5, "n_train": 30, "n_dev": 0, "n_test": 20}
    one, again, other = (load_synthetic(tmp_path, synthetic=SyntheticSpec(seed=seed, **fields)) for seed in (1, 1, 2))
    assert set(one) == {"train", "test"}
    np.testing.assert_array_equal(one["train"].features.values, again["train"].features.values)
    assert not np.array_equal(one["train"].features.values, other["train"].features.values)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"n_labels": 26}, "n_labels=26 is too few"),
        ({"n_train": 0}, "n_train=0 must be at least 1"),
        ({"noise": -1.0}, "noise=-1.0 must be at least 0"),
        ({"mean_cardinality": 20.0}, "mean_cardinality=20.0 <= max_cardinality=16"),
        ({"max_cardinality": 501}, "max_cardinality=501 <= n_labels // 2 = 500"),
    ],
)
def test_impossible_specs(fields, complaint):
    with pytest.raises(ValueError, match=complaint):
        SyntheticSpec(**fields)
