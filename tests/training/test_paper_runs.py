"""The configs of the paper's three data sets, with tiny encoders: trained on 8 devices, checked, asked to predict."""

import dataclasses
import json
import math

import paper_data
import pytest
from least_encoders import Columns, MeanOfTokens
from scenes import LABELS

from sigfft.encoders import ENCODERS
from sigfft.training import run
from sigfft.training.config import CheckConfig, EncoderConfig, HeadConfig
from sigfft.training.config_files import config_of
from sigfft.training.prediction import predict_file

WRITERS = {
    "bioasq": paper_data.write_bioasq,
    "mimic3": paper_data.write_mimic3,
    "openimages": paper_data.write_openimages,
}
ASKED = {
    "bioasq": {"journal": "Drawings", "title": "a red circle", "abstractText": None},
    "mimic3": {"TEXT": "A red circle, 12 times."},
    "openimages": {"path": "train_1/1000.jpg"},
}


@pytest.mark.parametrize("name", list(WRITERS))
def test_published_configs_train_check_and_predict(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(ENCODERS, "mean of tokens", MeanOfTokens)
    monkeypatch.setitem(ENCODERS, "columns", Columns)
    folder = WRITERS[name](tmp_path / "data")
    flags = [f"--config.data.dir={folder}", "--config.optim.steps=20", "--config.eval.every=10"]
    if name != "mimic3":
        flags.append(f"--config.data.cache_dir={tmp_path / 'cache'}")
    config = config_of(name, flags)
    if name == "openimages":
        config.data.image_size = 16
    head = HeadConfig(kind="sigmoid")  # the labels are too few for another one
    ks = tuple(k for k in config.eval.ks if k <= len(LABELS))
    metric = "P@1" if config.eval.metric == "P@8" else config.eval.metric
    evaluation = dataclasses.replace(config.eval, ks=ks, metric=metric, threshold="", log_every=10)
    baseline, check = HeadConfig(kind="none"), CheckConfig(max_sets=3)
    encoder = EncoderConfig(kind="columns" if name == "openimages" else "mean of tokens", dim=16)
    config = dataclasses.replace(config, encoder=encoder, head=head, baseline=baseline, eval=evaluation, check=check)
    report = run(config, tmp_path / "run")
    assert report["heads"][0]["argmaxability"]["argmaxable"] == 3
    assert report["heads"][0]["steps"] == 20
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["dev loss"] for line in lines if "dev loss" in line]
    assert len(losses) == (2 if metric == "loss" else 0)
    assert all(0 < loss < len(LABELS) * math.log(4) for loss in losses)
    asked = folder / "asked.jsonl"
    asked.write_text(json.dumps(ASKED[name]) + "\n")
    assert predict_file(tmp_path / "run", asked, tmp_path / "out.jsonl", top=7).points == 1
    names = json.loads((tmp_path / "out.jsonl").read_text())["names"]
    shown = {"mimic3": paper_data.SHOWN, "openimages": [label.title() for label in LABELS]}.get(name, LABELS)
    assert sorted(names) == sorted(shown)
    assert "circle" not in capsys.readouterr().out.lower()


def test_published_settings():
    made = {name: config_of(name, []) for name in WRITERS}
    optim = {name: own.optim for name, own in made.items()}
    assert [own.batch_size for own in optim.values()] == [32, 16, 64]
    assert [own.steps for own in optim.values()] == [50_000, 100 * 2983, 50_000]
    assert [(own.learning_rate, own.head_learning_rate or own.learning_rate) for own in optim.values()] == [
        *((5e-5, 1e-3), (1e-3, 1e-3), (1e-4, 1e-3))
    ]
    assert [own.eval.metric for own in made.values()] == ["loss", "P@8", "loss"]
    assert [own.head.max_cardinality for own in made.values()] == [50, 80, 50]
    assert {(own.eval.patience, own.optim.schedule, own.optim.warmup_steps) for own in made.values()} == {
        (10, "constant", 0)
    }
    assert made["mimic3"].encoder.activation == "tanh"
