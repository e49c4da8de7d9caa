"""Nearest labels, from a data set on disk to predictions."""

import dataclasses
import gzip
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

from sigfft import serving
from sigfft.data import Dataset, NearestLabels, SparseFeatures, load
from sigfft.data.centroids import LabelCentroids
from sigfft.training import export_run, load_model, run
from sigfft.training.config import DataConfig, EncoderConfig, HeadConfig, OptimConfig
from sigfft.training.log import RunLog
from sigfft.training.nearest import nearest_line, with_nearest
from sigfft.training.prediction import predict_file

N_FEATURES, N_LABELS, POINTS = 150, 60, 120


@pytest.fixture(scope="module")
def xmc_dir(tmp_path_factory):
    """Labels with a few words each, of which their examples have some: near labels tell nearly all."""
    folder, rng = tmp_path_factory.mktemp("xmc"), np.random.default_rng(0)
    words = np.array([rng.choice(N_FEATURES, 5, replace=False) for _ in range(N_LABELS)])
    for split in ("train", "dev", "test"):
        lines = [f"{POINTS} {N_FEATURES} {N_LABELS}"]
        for i in range(POINTS):
            labels = np.unique([i % N_LABELS, rng.integers(N_LABELS)])
            features = np.unique(np.concatenate([rng.choice(words[own], 4, replace=False) for own in labels]))
            lines.append(",".join(map(str, labels)) + "".join(f" {f}:{rng.random() + 0.5:.4f}" for f in features))
        (folder / f"{split}.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    return folder


@pytest.fixture
def config(dft_only, xmc_dir, cache_dir):
    return dataclasses.replace(
        dft_only,
        data=DataConfig(source="xmc", dir=str(xmc_dir), cache_dir=str(cache_dir)),
        encoder=EncoderConfig(kind="bag", dim=32, nearest=8),
        head=HeadConfig(kind="dft", spread=20, slack=2),
        optim=OptimConfig(steps=6, batch_size=32, learning_rate=1e-3, warmup_steps=0),
        eval=dataclasses.replace(dft_only.eval, every=3, threshold="micro F1"),
    )


@pytest.fixture
def finished(config, tmp_path):
    return run(config, tmp_path / "run"), tmp_path / "run"


def test_a_run_starts_from_near_labels(config, finished, xmc_dir, tmp_path):
    """After six steps a bag knows nothing; what near labels tell is there, in tests, predictions and exports."""
    report, workdir = finished
    without = run(dataclasses.replace(config, encoder=EncoderConfig(dim=32)), tmp_path / "without")
    p_at_1, p_at_1_without = (own["heads"][0]["test"]["P@1"] for own in (report, without))
    assert p_at_1 > 0.6
    assert p_at_1_without < 0.2
    assert report["encoder"]["kind"] == "nearest_bag"
    assert report["encoder"]["inputs"]["nearest_ids"]["shape"] == [8]
    assert not (tmp_path / "without" / "label_centroids.npz").exists()

    path = xmc_dir / "test.txt.gz"
    predict_file(workdir, path, tmp_path / "top.jsonl", top=3, batch_size=16)
    lines = [json.loads(line) for line in (tmp_path / "top.jsonl").read_text().splitlines()]
    test = load("xmc", config.data.cache, dir=str(xmc_dir))["test"]
    hits = [line["labels"][0] in labels for line, labels in zip(lines, test.labels, strict=True)]
    assert np.mean(hits) == pytest.approx(p_at_1, abs=1e-6)

    model, params = load_model(workdir)
    nearest = LabelCentroids.load(workdir / "label_centroids.npz").nearest(test.features, 8)
    batch = dataclasses.replace(test, nearest=nearest).gather(np.arange(5))
    inputs = {name: batch[name] for name in model.encoder.inputs}
    logits = model.output.logits(params["head"], model.features(params["encoder"], inputs))
    assert jnp.argmax(logits, 1).tolist() == [line["labels"][0] for line in lines[:5]]
    export_run(workdir, tmp_path / "model.sigfft", max_features=inputs["feature_ids"].shape[1])
    served = serving.load(tmp_path / "model.sigfft")
    assert {spec.name for spec in served.inputs} == set(model.encoder.inputs)
    np.testing.assert_allclose(served.logits(inputs), logits, rtol=1e-4, atol=1e-4)


def test_a_run_that_was_broken_off_goes_on_to_the_same_parameters(config, finished, tmp_path, monkeypatch):
    write = RunLog.write

    def interrupted(self, step, values):
        if step == 5:
            raise KeyboardInterrupt
        write(self, step, values)

    often = dataclasses.replace(config, eval=dataclasses.replace(config.eval, log_every=1))
    monkeypatch.setattr(RunLog, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(often, tmp_path / "parts")
    monkeypatch.setattr(RunLog, "write", write)
    resumed = run(often, tmp_path / "parts", resume="auto")
    assert resumed["heads"][0]["test"] == finished[0]["heads"][0]["test"]
    mine, other = (load_model(folder)[1] for folder in (tmp_path / "parts", finished[1]))
    jax.tree.map(np.testing.assert_array_equal, mine, other)


def test_raw_texts(config, tmp_path, capsys):
    rng = np.random.default_rng(0)
    words = [[f"word{label}{end}" for end in "abcd"] for label in range(30)]
    rows = [
        {
            "text": " ".join(rng.permutation([*words[i % 30][:3], *words[(7 * i) % 30][1:]])),
            "labels": [f"topic {i % 30}"],
        }
        for i in range(150)
    ]
    for split, part in {"train": rows[:90], "dev": rows[90:120], "test": rows[120:]}.items():
        text = "\n".join(json.dumps(row) for row in part)
        (tmp_path / f"{split}.jsonl").write_text(text)
    data = DataConfig(source="text", dir=str(tmp_path), min_count=1, cache_dir=str(tmp_path / "cache"))
    head = dataclasses.replace(config.head, spread=10)
    report = run(dataclasses.replace(config, data=data, head=head), tmp_path / "run", show=True)
    assert (
        "each example comes with the 8 labels whose training examples are nearest (encoder.nearest): the first 5 hit "
    ) in capsys.readouterr().out
    predict_file(tmp_path / "run", tmp_path / "test.jsonl", tmp_path / "top.jsonl", top=1)
    lines = [json.loads(line) for line in (tmp_path / "top.jsonl").read_text().splitlines()]
    names = json.loads((tmp_path / "run" / "label_names.json").read_text())["names"]
    hits = [names[line["labels"][0]] == row["labels"][0] for line, row in zip(lines, rows[120:], strict=True)]
    assert np.mean(hits) == pytest.approx(report["heads"][0]["test"]["P@1"])
    assert np.mean(hits) > 0.5


def test_over_label_shards_and_devices(config, finished, tmp_path):
    optim = dataclasses.replace(config.optim, label_shards=2)
    sharded = run(dataclasses.replace(config, optim=optim), tmp_path / "sharded")
    expected = finished[0]["heads"][0]["test"]
    assert sharded["heads"][0]["test"]["P@1"] == pytest.approx(expected["P@1"], abs=0.02)


def test_a_run_without_its_centroids(finished, xmc_dir, tmp_path):
    (finished[1] / "label_centroids.npz").unlink()
    with pytest.raises(ValueError, match=r"label_centroids.npz, the centroids of a run's labels, is missing"):
        predict_file(finished[1], xmc_dir / "test.txt.gz", tmp_path / "top.jsonl")
    other = LabelCentroids(scipy.sparse.csr_matrix(np.eye(61, N_FEATURES, dtype=np.float32)), np.ones(61, np.int32))
    other.save(finished[1] / "label_centroids.npz")
    with pytest.raises(ValueError, match="it is of 61 labels, and not of 60"):
        predict_file(finished[1], xmc_dir / "test.txt.gz", tmp_path / "top.jsonl")
    assert not list(tmp_path.glob("top*"))


def test_training_examples_are_met_without_themselves_and_others_as_they_are(config, xmc_dir):
    splits = load("xmc", config.data.cache, dir=str(xmc_dir))
    own, centroids = with_nearest(splits, config)
    for name, active in {"train": splits["train"].labels, "dev": None, "test": None}.items():
        expected = centroids.nearest(splits[name].features, 8, active)
        np.testing.assert_array_equal(own[name].nearest.ids, expected.ids)
        np.testing.assert_array_equal(own[name].nearest.scores, expected.scores)


def test_left_open_they_are_where_they_tell_more_than_frequencies(config, xmc_dir, monkeypatch, caplog):
    open_ = dataclasses.replace(config, encoder=EncoderConfig(nearest=-1))
    splits = load("xmc", config.data.cache, dir=str(xmc_dir))

    def found(config, splits=splits):
        own, centroids = with_nearest(splits, config)
        assert (centroids is None) == (own["train"].nearest is None) == (own["test"].nearest is None)
        return 0 if centroids is None else own["test"].nearest.ids.shape[1]

    assert found(open_) == 32
    assert found(dataclasses.replace(open_, encoder=EncoderConfig(nearest=-1, frozen=True))) == 0
    assert found(dataclasses.replace(open_, baseline=HeadConfig(kind="bottleneck", dim=5))) == 0
    assert found(dataclasses.replace(open_, head=HeadConfig(kind="sigmoid"))) == 0
    assert found(dataclasses.replace(open_, encoder=EncoderConfig())) == 0
    monkeypatch.setattr("sigfft.training.nearest._MOST", 1000)
    assert found(open_) == 0
    monkeypatch.undo()
    assert found(open_) == 32
    monkeypatch.setattr("sigfft.training.nearest._MOST_SCORES", 3 * POINTS * N_LABELS - 1)
    assert found(open_) == 0
    monkeypatch.undo()

    shuffled = np.random.default_rng(0).permutation(POINTS)
    others = dataclasses.replace(splits["train"], labels=splits["train"].labels[shuffled])
    with caplog.at_level("INFO", "sigfft"):
        assert found(open_, splits | {"train": others}) == 0  # words tell nothing
    assert "nearest labels hit" in caplog.text
    alike = np.full_like(splits["train"].labels, N_LABELS)
    alike[:, 0] = 7
    assert found(open_, splits | {"train": dataclasses.replace(splits["train"], labels=alike)}) == 0
    with pytest.raises(ValueError, match=r"the train split comes with nearest labels; leave them out, encoder.nearest"):
        with_nearest(with_nearest(splits, config)[0], config)


def test_the_line_compares_them_with_the_most_frequent_labels():
    """Labels 0 and 1 are in 3 and 2 of the 4 examples, which makes 5 hits; nearest labels have 2, and padding none."""
    pad, features = 10, SparseFeatures(np.arange(5), np.zeros(4, np.int32), np.ones(4, np.float32), 3, 1)
    labels = np.array([[0, 1, pad], [0, 1, pad], [0, pad, pad], [7, pad, pad]], np.int32)
    ids = np.array([[1, pad], [3, 4], [5, pad], [2, 7]], np.int32)
    nearest = NearestLabels(ids, np.ones((4, 2), np.float32), np.ones((4, 2), np.float32), pad)
    line = nearest_line(Dataset(features, labels, pad, nearest=nearest))
    assert line.startswith("each example comes with the 2 labels ")
    assert line.endswith("the first 2 hit 0.4 times as many of its own as the 2 most frequent labels")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"encoder": EncoderConfig(nearest=8, frozen=True)}, "is for an encoder that is trained, and encoder.frozen"),
        ({"encoder": EncoderConfig(nearest=8, kind="mlp")}, "is for a bag of sparse features; encoder.kind='mlp'"),
        ({"encoder": EncoderConfig(nearest=61)}, "encoder.nearest=61 must be at most the number of labels, 60"),
        ({"head": HeadConfig(kind="bottleneck", dim=4)}, "is for a DFT head with spread, .* head.kind='bottleneck'"),
        (
            {"head": HeadConfig(kind="dft", slack=4)},
            "is for a DFT head with spread, .* head.spread=0; leave it at 0 or",
        ),
        ({"encoder": EncoderConfig(kind="nearest_bag")}, "takes nearest labels; set encoder.nearest=32, or take 'bag'"),
        ({"baseline": HeadConfig(kind="sigmoid")}, "is for a run of one head, and baseline.kind='sigmoid'"),
        ({"encoder": EncoderConfig(nearest=-2)}, "encoder.nearest=-2 must be at least -1"),
    ],
)
def test_where_they_cannot_be(config, part, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run(dataclasses.replace(config, **part), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_encoder_that_takes_them_where_they_are_left_out(config, tmp_path, monkeypatch):
    monkeypatch.setattr("sigfft.training.nearest._GAIN", 100.0)
    encoder = EncoderConfig(kind="nearest_bag", dim=32, nearest=-1)
    with pytest.raises(ValueError, match=r"nearest=-1 leaves out: they tell little here; set encoder\.nearest=32"):
        run(dataclasses.replace(config, encoder=encoder), tmp_path / "run")


def test_they_are_for_sparse_features(config, dft_only, tmp_path):
    dense = dataclasses.replace(dft_only, encoder=EncoderConfig(nearest=8))
    with pytest.raises(
        ValueError, match=r"encoder.nearest=8 is for sparse features, as tf-idf is; leave it at 0 or -1"
    ):
        run(dense, tmp_path / "run")
