import numpy as np
import pytest

from sigfft import labels
from sigfft.data import SOURCES, Dataset, DenseFeatures, SyntheticSpec, batches, load


def test_a_source_of_ones_own_is_a_function(tmp_path, monkeypatch):
    def squares(cache_dir, *, count=3):
        assert cache_dir == tmp_path
        features = DenseFeatures(np.square(np.arange(2 * count, dtype=np.float32)).reshape(count, 2))
        return {"train": Dataset(features, labels.pad([[i] for i in range(count)], count), count)}

    monkeypatch.setitem(SOURCES, "squares", squares)
    (batch,) = batches(load("squares", str(tmp_path))["train"], 4)
    assert batch["features"].tolist() == [[0, 1], [4, 9], [16, 25], [0, 0]]
    assert batch["labels"].tolist() == [[0], [1], [2], [3]]
    assert len(load("squares", tmp_path, count=5)["train"]) == 5


@pytest.mark.parametrize(
    ("source", "options", "complaint"),
    [
        (
            "xml",
            {},
            "unknown data source 'xml'; expected auto, bioasq, images, mimic3, npy, openimages, syn",
        ),
        (
            "synthetic",
            {"synthetic": SyntheticSpec(), "max_features": 3},
            "takes synthetic: .*'max_features'",
        ),
        ("xmc", {}, "'xmc' takes dir, max_features: missing .*'dir'"),
        ("xmc", {"dir": ""}, "dir is empty"),
        ("xmc", {"dir": "no/such/folder"}, r"no/such/folder holds no train\.txt"),
    ],
)
def test_bad_arguments(tmp_path, source, options, complaint):
    with pytest.raises(ValueError, match=complaint):
        load(source, tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_max_features_below_zero(tmp_path):
    for split in ("train", "test"):
        (tmp_path / f"{split}.txt").write_text("1 2 3\n0 1:1\n")
    with pytest.raises(ValueError, match="max_features must be at least 1; given -1"):
        load("xmc", tmp_path / "cache", dir=tmp_path, max_features=-1)
