import gzip
import json

import numpy as np
import pytest
import scenes

from sigfft.cli import main
from sigfft.data import load
from sigfft.data.conversion import convert
from sigfft.files import xmc


def test_texts_as_xmc_are_the_features_that_training_sees(tmp_path, capsys):
    folder = scenes.write_texts(tmp_path / "texts")
    assert main(["convert", str(folder), "--out", str(tmp_path / "xmc"), "--ngrams", "2"]) == 0
    assert "7 labels from labels; 36 train; 12 dev; 12 test" in capsys.readouterr().out
    raw, converted = (
        load("auto", tmp_path / "cache", dir=tmp_path / name, **own)
        for name, own in {"texts": {"ngrams": 2}, "xmc": {}}.items()
    )
    for split, own in raw.items():
        np.testing.assert_array_equal(own.labels, converted[split].labels)
        for name in ("indptr", "ids", "values"):
            np.testing.assert_array_equal(getattr(own.features, name), getattr(converted[split].features, name))
        assert own.origin.names == converted[split].origin.names
    words = (tmp_path / "xmc" / "features.txt").read_text().splitlines()
    assert words == list(raw["train"].origin.intake["words"])


def test_xmc_to_json_lines_and_back_is_exact(tmp_path):
    rng = np.random.default_rng(0)
    floats = rng.integers(0, 2**32, 4000, np.uint32).view(np.float32)
    floats = floats[np.isfinite(floats)]
    source = tmp_path / "source"
    source.mkdir()
    lines = [
        f"{i % 5} {' '.join(f'{j}:{v!r}' for j, v in enumerate(own.tolist()))}"
        for i, own in enumerate(np.array_split(floats, 50))
    ]
    (source / "train.txt").write_text(f"53 100 5\n 3:1e-45\n{chr(10).join(lines)}\n4,0\n \n")
    (source / "test.txt").write_text("1 100 5\n1 0:2\n")
    (source / "labels.txt").write_text("a\nb\nc\nd\ne, f\n")
    assert "100 features; 5 labels; 53 train; 1 test" in convert(source, tmp_path / "lines")
    with gzip.open(tmp_path / "lines" / "train.jsonl.gz", "rt") as file:
        assert json.loads(file.readline()) == {"labels": [], "feature_ids": [3], "feature_values": [1e-45]}
    convert(tmp_path / "lines", tmp_path / "back")
    for split in ("train", "test"):
        before, after = xmc.parse(source / f"{split}.txt"), xmc.parse(tmp_path / "back" / f"{split}.txt.gz")
        for name, value in vars(before).items():
            np.testing.assert_array_equal(value, getattr(after, name))
    assert json.loads((tmp_path / "back" / "label_names.json").read_text()) == ["a", "b", "c", "d", "e, f"]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"labels": [2], "feature_ids": [], "feature_values": []}, "expected a list of distinct ids below 2; given"),
        ({"labels": [0, 0], "feature_ids": [], "feature_values": []}, "expected a list of distinct ids below 2; given"),
        ({"labels": [0], "feature_ids": [1], "feature_values": []}, "a finite float32 number for each of feature_ids"),
        ({"labels": [0], "feature_ids": [1], "feature_values": [1e39]}, "a finite float32 number"),
        ({"labels": [0], "feature_ids": [1]}, "there is no 'feature_values'"),
        ({"labels": [0], "feature_ids": [1], "feature_values": [10**400]}, "too large"),
    ],
)
def test_bad_json_lines_leave_no_folder(tmp_path, row, complaint):
    source = tmp_path / "lines"
    source.mkdir()
    (source / "sizes.json").write_text('{"n_labels": 2, "n_features": 3}')
    for split in ("train", "test"):
        (source / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(ValueError, match=rf"train\.jsonl:1: .*{complaint}"):
        convert(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["lines"]


@pytest.mark.parametrize("sizes", ['{"n_labels": 0, "n_features": 3}', '{"n_labels": 5.9, "n_features": 1e999}', "[]"])
def test_sizes_that_no_file_has(tmp_path, sizes):
    source = tmp_path / "lines"
    source.mkdir()
    (source / "sizes.json").write_text(sizes)
    (source / "train.jsonl").write_text("{}\n")
    (source / "test.jsonl").write_text("{}\n")
    with pytest.raises(ValueError, match=r"sizes\.json must be {\"n_labels\": \.\.\., \"n_features\": \.\.\.}: "):
        convert(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["lines"]


def test_wrong_arguments(tmp_path, capsys):
    images = scenes.write_images(tmp_path / "images", 3)
    with pytest.raises(ValueError, match="is of the source 'images'; only texts, the XMC format and its JSON lines"):
        convert(images, tmp_path / "out")
    with pytest.raises(ValueError, match="images must be a new folder, in one that exists"):
        convert(images, images)
    with pytest.raises(ValueError, match="there is no folder"):
        convert(tmp_path / "none", tmp_path / "out")
    assert main(["convert", str(images), "--out", str(tmp_path / "out"), "--ngrams", "0"]) == 2
    assert "--ngrams 0 and --min-count 3 must be at least 1" in capsys.readouterr().err
