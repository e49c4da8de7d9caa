import dataclasses
import gzip
import json

import jax.numpy as jnp
import numpy as np
import pytest

from sigfft.cli import main
from sigfft.files import xmc
from sigfft.training import load_model, run
from sigfft.training.config import DataConfig
from sigfft.training.prediction import predict_file

N_FEATURES, N_LABELS, POINTS = 30, 25, 40


@pytest.fixture(scope="module")
def xmc_dir(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("xmc"), np.random.default_rng(0)
    for split in ("train", "test"):
        lines = [f"{POINTS} {N_FEATURES} {N_LABELS}"]
        for _ in range(POINTS):
            labels = np.sort(rng.choice(N_LABELS, rng.integers(1, 4), replace=False))
            features = np.sort(rng.choice(N_FEATURES, rng.integers(1, 9), replace=False))
            lines.append(",".join(map(str, labels)) + "".join(f" {f}:{rng.random():.4f}" for f in features))
        (folder / f"{split}.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    return folder


@pytest.fixture
def sparse_run(dft_only, xmc_dir, tmp_path):
    data = DataConfig(source="xmc", dir=str(xmc_dir), cache_dir=str(tmp_path / "cache"))
    run(dataclasses.replace(dft_only, data=data, head=dataclasses.replace(dft_only.head, spread=5)), tmp_path / "run")
    return tmp_path / "run"


def expected_probabilities(workdir, path):
    """By the dense way: all features of all points, all logits."""
    model, params = load_model(workdir)
    data = xmc.parse(path)
    counts = np.diff(data.feature_indptr)
    ids = np.full((len(data), counts.max()), N_FEATURES, np.int32)
    values = np.zeros(ids.shape, np.float32)
    for i, (start, stop) in enumerate(zip(data.feature_indptr[:-1], data.feature_indptr[1:], strict=True)):
        ids[i, : stop - start], values[i, : stop - start] = (
            data.feature_ids[start:stop],
            data.feature_values[start:stop],
        )
    batch = {"feature_ids": jnp.asarray(ids), "feature_values": jnp.asarray(values)}
    logits = model.head.logits(params["head"], model.features(params["encoder"], batch, None))
    return 1 / (1 + np.exp(-np.asarray(logits, np.float64)))


def test_top_labels_and_sets_of_a_file(sparse_run, xmc_dir, tmp_path, capsys):
    path = xmc_dir / "test.txt.gz"
    probabilities = expected_probabilities(sparse_run, path)
    assert predict_file(sparse_run, path, tmp_path / "top.jsonl", top=4, batch_size=16, block_size=7) == (POINTS, 0)
    lines = [json.loads(line) for line in (tmp_path / "top.jsonl").read_text().splitlines()]
    assert [line["labels"] for line in lines] == np.argsort(-probabilities, axis=1, kind="stable")[:, :4].tolist()
    np.testing.assert_allclose([line["scores"] for line in lines], -np.sort(-probabilities)[:, :4], rtol=1e-4)

    threshold = float(np.quantile(probabilities, 0.9))
    command = f"predict --workdir {sparse_run} --input {path} --output {tmp_path}/sets.tsv --top 5"
    assert main([*command.split(), "--threshold", str(threshold)]) == 0
    sizes = (probabilities > threshold).sum(1)
    header, *rows = (tmp_path / "sets.tsv").read_text().splitlines()
    assert header == "labels\tscores\tcut"
    assert [len(row.split("\t")[0].split(",")) if row[0] != "\t" else 0 for row in rows] == np.minimum(
        sizes, 5
    ).tolist()
    said = capsys.readouterr()
    assert f"sets.tsv: labels of {POINTS} examples" in said.out
    assert f"{(sizes > 5).sum()} examples have more than 5 labels above the threshold; raise --top" in said.err


def test_dense_examples_come_from_an_array(dft_only, tmp_path):
    run(dft_only, tmp_path / "run")
    examples = np.random.default_rng(0).standard_normal((5, 12), np.float32)
    np.save(tmp_path / "examples.npy", examples)
    assert predict_file(tmp_path / "run", tmp_path / "examples.npy", tmp_path / "out.jsonl", top=100).points == 5
    model, params = load_model(tmp_path / "run")
    logits = model.head.logits(params["head"], model.features(params["encoder"], {"features": examples}, None))
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert sorted(first["labels"]) == list(range(60))
    assert first["labels"][0] == int(logits[0].argmax())

    np.save(tmp_path / "narrow.npy", examples[:, :3])
    np.save(tmp_path / "complex.npy", examples.astype(complex))
    np.save(tmp_path / "words.npy", examples.astype(str))
    np.save(tmp_path / "objects.npy", examples.astype(object), allow_pickle=True)
    (tmp_path / "short.npy").write_bytes((tmp_path / "examples.npy").read_bytes()[:-4])
    for bad in (np.nan, np.inf, 1e39):
        rows = examples.astype(np.float64)
        rows[4, 7] = bad
        np.save(tmp_path / f"{bad}.npy", rows)
    for name, options, message in [
        ("narrow.npy", {}, r"shape \(5, 3\); the model takes \(examples, 12\)"),
        ("examples.npy", {"threshold": 1.5}, "threshold=1.5 must be a probability"),
        ("examples.txt", {}, "must be an .npy array"),
        ("complex.npy", {}, r"complex\.npy holds complex128; the model takes real numbers"),
        ("words.npy", {}, r"words\.npy holds <U\d+; the model takes real numbers"),
        ("objects.npy", {}, r"objects\.npy: pickled arrays are refused"),
        ("short.npy", {}, r"short\.npy: damaged or truncated"),
        ("nan.npy", {"batch_size": 2}, r"nan\.npy: row 4 must be finite in float32; it has nan at 7"),
        ("inf.npy", {"batch_size": 5}, "row 4 must be finite in float32; it has inf at 7"),
        ("1e+39.npy", {}, r"row 4 must be finite in float32; it has 1e\+39 at 7"),
    ]:
        with pytest.raises(ValueError, match=message):
            predict_file(tmp_path / "run", tmp_path / name, tmp_path / "bad.tsv", **options)
    with pytest.raises(ValueError, match=r"must be a .tsv or .jsonl file"):
        predict_file(tmp_path / "run", tmp_path / "examples.npy", tmp_path / "out.csv")
    assert not list(tmp_path.glob("*bad*"))
    for name in ("whole", "wide"):
        np.save(tmp_path / f"{name}.npy", np.arange(60).reshape(5, 12).astype(int if name == "whole" else np.float64))
        assert predict_file(tmp_path / "run", tmp_path / f"{name}.npy", tmp_path / f"{name}.tsv").points == 5
    assert (tmp_path / "whole.tsv").read_text() == (tmp_path / "wide.tsv").read_text()


def test_an_output_that_cannot_be_written_is_told_before_the_work(tmp_path):
    path = tmp_path / f"{'v' * 300}.tsv"
    with pytest.raises(OSError, match=f"'{path}'$"):  # not that there is no run
        predict_file(tmp_path / "none", tmp_path / "none.npy", path)


def test_the_examples_are_not_written_over(tmp_path):
    path = tmp_path / "examples.jsonl"
    path.write_text("{}\n")
    with pytest.raises(ValueError, match=r"examples\.jsonl is read here, and would be lost"):
        predict_file(tmp_path, path, path)
    assert path.read_text() == "{}\n"
