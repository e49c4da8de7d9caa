"""Features in .npy files, with label sets beside them."""

import gzip

import numpy as np
import pytest

from sigfft.data import batches, load

SETS = {"train": [[0, 3], [], [2], [1, 2, 4]], "test": [[4], [0]]}


@pytest.fixture
def folder(tmp_path):
    for split, sets in SETS.items():
        values = np.arange(3 * len(sets), dtype=np.float64).reshape(-1, 3) / 4
        np.save(tmp_path / f"{split}.npy", values)
        (tmp_path / f"{split}.txt").write_text("".join(",".join(map(str, ids)) + "\n" for ids in sets))
    return tmp_path


def rewrite(folder, name, content):
    if isinstance(content, str):
        (folder / name).write_text(content)
    else:
        np.save(folder / name, content)


def test_rows_and_label_sets_meet(folder):
    splits = load("npy", folder / "cache", dir=folder)
    assert {name: len(split) for name, split in splits.items()} == {"train": 4, "test": 2}
    assert {(split.n_labels, split.max_cardinality, split.feature_dim) for split in splits.values()} == {(5, 3, 3)}
    (batch,) = batches(splits["train"], 5)
    assert batch["features"].dtype == np.float32
    assert batch["features"].tolist() == [[0, 0.25, 0.5], [0.75, 1, 1.25], [1.5, 1.75, 2], [2.25, 2.5, 2.75], [0, 0, 0]]
    assert batch["labels"].tolist() == [[0, 3, 5], [5, 5, 5], [2, 5, 5], [1, 2, 4], [5, 5, 5]]
    assert not (folder / "cache").exists()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8, np.uint16, ">f8"])
def test_features_stay_in_their_file_until_a_batch_asks(folder, dtype):
    values = np.arange(12).reshape(4, 3).astype(dtype)
    np.save(folder / "train.npy", np.asfortranarray(values))
    train = load("npy", folder, dir=str(folder))["train"]
    assert isinstance(train.features.values, np.memmap)
    assert train.features.values.dtype == dtype
    got = train.gather(np.array([3, 0, 4]))["features"]
    assert (got.dtype, got.tolist()) == (np.float32, [[9, 10, 11], [0, 1, 2], [0, 0, 0]])
    kept, held = train.hold_out(0.25, seed=0)
    assert (len(kept), len(held)) == (3, 1)


@pytest.mark.parametrize("name", ["train.jsonl", "train.json.gz", "train.txt.gz", "xmc"])
def test_label_sets_of_any_format(folder, name):
    (folder / "train.txt").unlink()
    if name == "xmc":
        rewrite(folder, "train.txt", "4 9 5\n0,3 1:1\n 2:1\n2 3:1\n1,2,4 1:1\n")
    else:
        lines = [str(ids) if "json" in name else ",".join(map(str, ids)) for ids in SETS["train"]]
        text = "\n".join(lines) + "\n"
        (folder / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    train = load("npy", folder, dir=folder)["train"]
    assert train.labels.tolist() == [[0, 3, 5], [5, 5, 5], [2, 5, 5], [1, 2, 4]]


def test_a_dev_split_and_labels_that_no_set_has(folder):
    np.save(folder / "dev.npy", np.zeros((1, 3), np.float32))
    (folder / "dev.txt").write_text("0,1,2,3\n")
    splits = load("npy", folder, dir=folder, n_labels=9)
    assert {name: (split.n_labels, split.labels.shape) for name, split in splits.items()} == {
        "train": (9, (4, 4)),
        "dev": (9, (1, 4)),
        "test": (9, (2, 4)),
    }


def test_one_file_that_states_the_number_of_labels_is_enough(folder):
    rewrite(folder, "test.txt", "2 9 7\n4 1:1\n0 1:1\n")
    assert {split.n_labels for split in load("npy", folder, dir=folder).values()} == {7}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.npy", np.zeros((3, 3)), r"train\.npy and train\.txt: 3 rows do not match 4 label sets"),
        ("test.npy", np.zeros((2, 4)), r"rows of .*test\.npy have 4 numbers, those of train\.npy 3"),
        ("train.npy", np.zeros(4), r"train\.npy has the shape \(4,\); expected \(examples, feature_dim\)"),
        ("train.npy", np.zeros((4, 3), complex), r"train\.npy holds complex128; expected real numbers"),
        ("train.npy", np.array([[1, 2, 3.0]] * 3 + [[1, np.nan, 2]]), r"train\.npy: row 3 must be finite .*nan at 1"),
        (
            "test.npy",
            np.array([[0, 0, 1e300], [0, 0, 0]]),
            r"test\.npy: row 0 must be finite in float32; it has 1e\+300",
        ),
        ("train.txt", "0\nx\n2\n3\n", r"train\.txt, line 2: expected label ids"),
        ("train.jsonl", "[0]\n", r"holds train\.txt and train\.jsonl; give one file"),
        ("dev.npy", np.zeros((1, 3)), r"holds no dev\.txt, dev\.jsonl or one of them as \.gz; give one file"),
        ("dev.txt", "0\n", r"holds no dev\.npy"),
    ],
)
def test_what_is_wrong_is_named(folder, name, content, message):
    rewrite(folder, name, content)
    with pytest.raises(ValueError, match=message):
        load("npy", folder, dir=folder)


def test_what_is_missing_is_named(folder):
    with pytest.raises(ValueError, match="dir is empty"):
        load("npy", folder, dir="")
    with pytest.raises(ValueError, match=r"label id 3 in set 0 is not one of the 3 labels"):
        load("npy", folder, dir=folder, n_labels=3)
    rewrite(folder, "train.txt", "4 9 6\n0,3 1:1\n 2:1\n2 3:1\n1,2,4 1:1\n")
    with pytest.raises(ValueError, match=r"n_labels says 5, .*train\.txt says 6; they must agree"):
        load("npy", folder, dir=folder, n_labels=5)
    (folder / "train.txt").unlink()
    with pytest.raises(ValueError, match=r"holds no train\.txt, train\.jsonl"):
        load("npy", folder, dir=folder)
    (folder / "train.npy").unlink()
    with pytest.raises(ValueError, match=r"holds no train\.npy"):
        load("npy", folder, dir=folder)
