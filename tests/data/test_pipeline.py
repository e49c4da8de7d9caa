import itertools
import subprocess
import sys

import numpy as np
import pytest

from sigfft.data import SyntheticSpec, batches, load

SPEC = SyntheticSpec(n_labels=60, feature_dim=5, n_train=50, n_dev=0, n_test=21)


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    return load("synthetic", tmp_path_factory.mktemp("cache"), synthetic=SPEC)


@pytest.fixture(scope="module")
def sparse_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    (folder / "train.txt").write_text("3 10 5\n0,3 2:0.5 7:-0.9 8:0.1\n 9:1\n4\n")
    (folder / "test.txt").write_text("2 10 5\n0,1,2 0:2\n1 0:1 1:4 2:3 3:2\n")
    return folder


def equal(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


@pytest.mark.parametrize("prefetch", [0, 2])
def test_batches_hold_every_point_once(splits, prefetch):
    dataset = splits["test"]
    stream = list(batches(dataset, 8, prefetch=prefetch))
    assert {batch["labels"].shape for batch in stream} == {(8, dataset.max_cardinality)}
    mask = np.concatenate([batch["mask"] for batch in stream])
    assert mask.tolist() == [True] * 21 + [False] * 3
    for name, expected in {"labels": dataset.labels, "features": dataset.features.values}.items():
        np.testing.assert_array_equal(np.concatenate([batch[name] for batch in stream])[mask], expected)


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("step", [0, 1, 6, 7, 13])
def test_a_stream_started_at_a_step_goes_on_as_the_whole_one(splits, step, prefetch):
    options = {"seed": 5, "shuffle": True, "num_epochs": None}
    whole = list(itertools.islice(batches(splits["train"], 8, **options), 20))
    rest = batches(splits["train"], 8, start_step=step, prefetch=prefetch, **options)
    equal(list(itertools.islice(rest, 20 - step)), whole[step:])


def test_iterator_state_resumes(splits):
    options = {"seed": 5, "shuffle": True, "num_epochs": 2}
    iterator = iter(batches(splits["train"], 8, **options))
    for _ in range(9):
        next(iterator)
    state = iterator.get_state()
    rest = list(iterator)
    other = iter(batches(splits["train"], 8, **options))
    other.set_state(state)
    equal(list(other), rest)
    assert len(rest) == 4


def test_start_step_at_and_beyond_the_end(splits):
    assert list(batches(splits["train"], 8, start_step=7)) == []
    with pytest.raises(ValueError, match="start_step=8 lies outside the stream, which has 7 batches"):
        batches(splits["train"], 8, start_step=8)


def test_processes_see_disjoint_shares_of_everything(splits):
    shares = [
        list(batches(splits["train"], 8, shuffle=True, process_index=index, process_count=4)) for index in range(4)
    ]
    assert {len(share) for share in shares} == {7}
    rows = [batch["features"][batch["mask"]] for share in shares for batch in share]
    together = {tuple(row) for row in np.concatenate(rows).tolist()}
    assert sum(map(len, rows)) == 50
    assert together == {tuple(row) for row in splits["train"].features.values.tolist()}


def test_sparse_splits_share_their_widths(sparse_dir, tmp_path):
    splits = load("xmc", tmp_path, dir=sparse_dir)
    assert {split.features.width for split in splits.values()} == {4}
    assert {split.max_cardinality for split in splits.values()} == {3}
    (batch,) = batches(splits["train"], 4)
    assert batch["feature_ids"].tolist() == [[2, 7, 8, 10], [9, 10, 10, 10], [10] * 4, [10] * 4]
    assert batch["labels"].tolist() == [[0, 3, 5], [5, 5, 5], [4, 5, 5], [5, 5, 5]]


def test_max_features_keeps_the_largest(sparse_dir, tmp_path):
    splits = load("xmc", tmp_path, dir=sparse_dir, max_features=2)
    (batch,) = batches(splits["test"], 2)
    assert batch["feature_ids"].tolist() == [[0, 10], [1, 2]]
    assert batch["feature_values"].tolist() == [[2, 0], [4, 3]]
    for max_features in (0, 9):
        wide = load("xmc", tmp_path, dir=sparse_dir, max_features=max_features)
        assert wide["train"].features.width == 4


def test_bibtex(data_dir, tmp_path):
    splits = load("xmc", tmp_path, dir=data_dir / "bibtex")
    train, test = splits["train"], splits["test"]
    assert (len(train), len(test), train.n_labels, train.n_features) == (4880, 2515, 159, 1836)
    assert train.max_cardinality == 28
    assert train.label_counts().sum() == round(train.mean_cardinality * 4880)
    stream = list(batches(train, 256, shuffle=True))
    mask = np.concatenate([batch["mask"] for batch in stream])
    ids = np.concatenate([batch["feature_ids"] for batch in stream])[mask]
    assert mask.sum() == 4880
    assert (ids < 1836).sum() == len(train.features.ids)


def test_tensorflow_is_never_imported(tmp_path, sparse_dir):
    program = f"""
import sys
from sigfft.data import SyntheticSpec, batches, load
for source, options in {{"xmc": {{"dir": {str(sparse_dir)!r}}}, "synthetic": {{"synthetic": {SPEC}}}}}.items():
    splits = load(source, {str(tmp_path)!r}, **options)
    list(batches(splits["train"], 2, shuffle=True))
sys.exit("tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
