"""Training on arrays of one's own: in a folder of .npy files, or in memory."""

import dataclasses
import json

import numpy as np
import pytest

from sigfft import labels, training
from sigfft.data import Dataset, DenseFeatures, SparseFeatures
from sigfft.training.config import DataConfig, EncoderConfig
from sigfft.training.prediction import predict_file


def split(count, n_labels=20, feature_dim=6, seed=0):
    rng = np.random.default_rng(seed)
    sets = [rng.choice(n_labels, rng.integers(1, 4), replace=False).tolist() for _ in range(count)]
    return rng.normal(size=(count, feature_dim)), sets


def dataset(features, sets, n_labels=20):
    return Dataset(DenseFeatures(features), labels.pad(sets, n_labels), n_labels)


@pytest.fixture
def short(dft_only):
    optim = dataclasses.replace(dft_only.optim, steps=20)
    return dataclasses.replace(
        dft_only, optim=optim, encoder=EncoderConfig(dim=0), head=dataclasses.replace(dft_only.head, spread=1, slack=0)
    )


def test_arrays_in_memory_and_in_files_train_alike_and_are_checked(short, tmp_path):
    splits = {"train": split(64), "test": split(16, seed=1)}
    for name, (features, sets) in splits.items():
        np.save(tmp_path / f"{name}.npy", features)
        (tmp_path / f"{name}.txt").write_text("".join(",".join(map(str, ids)) + "\n" for ids in sets))
    checked = dataclasses.replace(short, check=dataclasses.replace(short.check, max_sets=5))
    of_files = dataclasses.replace(
        checked, data=DataConfig(source="npy", dir=str(tmp_path), n_labels=20, dev_share=0.25)
    )
    from_files = training.run(of_files, tmp_path / "files")
    given = dataclasses.replace(checked, data=DataConfig(dev_share=0.25))
    in_memory = {name: dataset(*arrays) for name, arrays in splits.items()}
    from_memory = training.run(given, tmp_path / "memory", splits=in_memory)
    assert from_files["data"]["examples"] == from_memory["data"]["examples"] == {"train": 48, "dev": 16, "test": 16}
    assert from_files["heads"][0]["test"] == from_memory["heads"][0]["test"]
    assert from_files["heads"][0]["argmaxability"]["checked"] == 5
    assert from_files["heads"][0]["argmaxability"]["argmaxable"] == 5
    assert json.loads((tmp_path / "memory" / "config.json").read_text())["data"]["source"] == "given"
    assert predict_file(tmp_path / "memory", tmp_path / "test.npy", tmp_path / "top.tsv").points == 16
    assert "dev" not in in_memory
    with pytest.raises(ValueError, match=r"it differs in data.source \('synthetic', not 'given'\)"):
        training.run(given, tmp_path / "memory", resume=True)


def labelled(data, label):
    """The data with another label in example 3."""
    labels = data.labels.copy()
    labels[3, 0] = label
    return dataclasses.replace(data, labels=labels)


def featured(data, value):
    values = data.features.values.copy()
    values[3, 1] = value
    return dataclasses.replace(data, features=dataclasses.replace(data.features, values=values))


def test_splits_that_do_not_fit_write_nothing(short, tmp_path):
    train, test = dataset(*split(32)), dataset(*split(8, seed=1))
    sparse = SparseFeatures(np.array([0, 1]), np.array([0], np.int32), np.ones(1, np.float32), n_features=6, width=1)
    none = np.zeros((0, 6))
    for splits, message in [
        ({"train": train}, "splits must be train, test and perhaps dev; given train"),
        ({"train": train, "test": test, "valid": test}, "given train, test, valid"),
        ({"train": train, "test": dataset(*split(8), n_labels=21)}, "test split has n_labels=21, the train split 20"),
        (
            {"train": train, "test": dataset(*split(8, feature_dim=7))},
            "test split has feature_dim=7, the train split 6",
        ),
        ({"train": train, "test": Dataset(sparse, test.labels[:1], 20)}, "n_features=6, the train split None"),
        ({"train": train, "test": test, "dev": dataset(none, [])}, "the dev split has no example"),
        (
            {"train": train, "test": labelled(test, 21)},
            "example 3 of the test split has label 21; expected 0 to 19",
        ),
        ({"train": labelled(train, -1), "test": test}, "example 3 of the train split has label -1; expected 0 to 19"),
        (
            {"train": train, "test": featured(test, np.nan)},
            "must be finite; those of example 3 of the test split",
        ),
        ({"train": dataset(split(32)[0], [[]] * 32), "test": test}, "training examples have 0 of 20 labels on average"),
    ]:
        with pytest.raises(ValueError, match=message):
            training.run(short, tmp_path / "run", splits=splits)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_wrong_is_named_before_the_run(short, tmp_path):
    config = dataclasses.replace(short, data=DataConfig(source="npy", dir=str(tmp_path)))
    with pytest.raises(ValueError, match=r"holds no train\.npy"):
        training.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_cut_offs_beyond_all_labels_are_named(short, tmp_path):
    beyond = dataclasses.replace(short, eval=dataclasses.replace(short.eval, ks=(50, 60)))
    splits = {"train": dataset(*split(32)), "test": dataset(*split(8, seed=1))}
    with pytest.raises(ValueError, match=r"eval\.ks=\(50, 60\) must have a cut-off of at most the 20 labels"):
        training.run(beyond, tmp_path / "run", splits=splits)
    assert not (tmp_path / "run").exists()
