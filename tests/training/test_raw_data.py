"""Raw texts and images from a folder to predictions: trained on 8 devices, checked, asked by the same raw input."""

import dataclasses
import io
import json

import jax
import numpy as np
import pytest
import scenes
from least_encoders import Columns, MeanOfTokens

from sigfft.cli import main
from sigfft.encoders import ENCODERS
from sigfft.training import load_model, run
from sigfft.training.config import CheckConfig, DataConfig, EncoderConfig, HeadConfig
from sigfft.training.experiment import load_splits
from sigfft.training.prediction import predict_file
from sigfft.training.workdir import Workdir


@pytest.fixture
def short(dft_only, tmp_path, monkeypatch):
    """20 steps on what the folder holds, by the first encoder that reads it."""
    monkeypatch.setitem(ENCODERS, "mean of tokens", MeanOfTokens)
    monkeypatch.setitem(ENCODERS, "columns", Columns)
    return dataclasses.replace(
        dft_only,
        data=DataConfig(source="auto", dir=str(tmp_path / "data"), cache_dir=str(tmp_path / "cache")),
        optim=dataclasses.replace(dft_only.optim, steps=20),
        head=HeadConfig(kind="sigmoid"),  # the labels are too few for another one
        eval=dataclasses.replace(dft_only.eval, every=20),
        check=CheckConfig(max_sets=3),
    )


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_texts_as_tf_idf(short, tmp_path, monkeypatch, capsys):
    scenes.write_texts(tmp_path / "data")
    report = run(short, tmp_path / "run")
    assert "text from title; 7 labels from labels; 36 train; 12 dev; 12 test" in capsys.readouterr().out
    assert report["heads"][0]["argmaxability"]["argmaxable"] == 3
    assert Workdir(tmp_path / "run").label_names() == sorted(scenes.LABELS)
    table = tmp_path / "data" / "scenes.jsonl"
    assert predict_file(tmp_path / "run", table, tmp_path / "all.jsonl", top=7).points == 60
    found = lines_of(tmp_path / "all.jsonl")
    assert all(line["names"] == [sorted(scenes.LABELS)[i] for i in line["labels"]] for line in found)
    first = json.loads(table.read_text().splitlines()[0])
    model, params = load_model(tmp_path / "run")
    batch = load_splits(short)["train"].gather(np.arange(1))  # what training saw of the first row
    logits = model.head.logits(params["head"], model.features(params["encoder"], batch))
    np.testing.assert_allclose(found[0]["scores"], np.sort(jax.nn.sigmoid(logits[0]))[::-1], rtol=1e-4)

    typed = f"{first['title']}\nunknown words\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
    command = f"predict --workdir {tmp_path}/run --input - --output {tmp_path}/typed.tsv --top 2 --threshold 0.01"
    assert main(command.split()) == 0
    header, one, two = (line.split("\t") for line in (tmp_path / "typed.tsv").read_text().splitlines())
    assert header == ["labels", "scores", "names", "cut"]
    assert json.loads(one[2]) == found[0]["names"][:2]
    assert [float(score) for score in one[1].split(",")] == pytest.approx(found[0]["scores"][:2], rel=1e-5)
    assert int(one[3]) == sum(score > 0.01 for score in found[0]["scores"]) - 2 > 0
    assert len(two) == 4

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"title": "a"}\n{"headline": "a"}\n')))
    assert main(command.split()) == 2
    assert "standard input:2: there is no column title; the columns are headline" in capsys.readouterr().err


def test_texts_as_tokens_where_the_encoder_reads_them(short, tmp_path):
    scenes.write_texts(tmp_path / "data")
    report = run(dataclasses.replace(short, encoder=EncoderConfig(kind="mean of tokens", dim=16)), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "intake.json").read_text())["kind"] == "tokens"
    assert report["heads"][0]["argmaxability"]["argmaxable"] == 3
    (tmp_path / "new.csv").write_text("n,title\n1,there is a red circle\n2,\n")
    assert predict_file(tmp_path / "run", tmp_path / "new.csv", tmp_path / "out.jsonl", top=1).points == 2
    _, params = load_model(tmp_path / "run")
    assert len(params["encoder"]["table"]) == report["data"]["n_features"] == 2 + 4 + 3 + 4
    assert "cut" not in lines_of(tmp_path / "out.jsonl")[0]


def test_images(short, tmp_path):
    folder = scenes.write_images(tmp_path / "data", 40)
    short.data.image_size = 16
    report = run(dataclasses.replace(short, encoder=EncoderConfig(kind="columns", dim=16)), tmp_path / "run")
    assert report["heads"][0]["argmaxability"]["argmaxable"] == 3
    assert report["data"]["about"].startswith("images from path; 7 labels")
    assert predict_file(tmp_path / "run", folder / "test.csv", tmp_path / "out.jsonl", top=2).points == 13
    (folder / "new").write_text("pictures/0.png\npictures/none.png\n")
    with pytest.raises(ValueError, match=r"new:2: the image \S*none\.png does not decode: .*No such file"):
        predict_file(tmp_path / "run", folder / "new", tmp_path / "bad.jsonl")
    assert not list(tmp_path.glob("*bad*"))


def test_unlabelled_files_of_sparse_features_are_predicted(short, tmp_path):
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        (tmp_path / "data" / f"{split}.txt").write_text("8 4 2\n" + "0 0:1 2:.5\n1 1:1\n" * 4)
    (tmp_path / "data" / "labels.txt").write_text("man, old\nwoman\n")
    run(dataclasses.replace(short, check=CheckConfig(max_sets=-1)), tmp_path / "run")
    outputs = []
    for name, text in {
        "labelled": "2 4 2\n0 0:1 2:.5\n1 1:1\n",
        "none": "2 4 0\n0:1 2:.5\n1:1\n",
        "spaced": "2 4 0\n 0:1 2:.5\n 1:1\n",
        "of other labels": "2 4 9\n7,8 0:1 2:.5\n 1:1\n",
    }.items():
        (tmp_path / name).write_text(text)
        predict_file(tmp_path / "run", tmp_path / name, tmp_path / f"{name}.tsv", top=1)
        outputs.append((tmp_path / f"{name}.tsv").read_text())
    assert set(outputs) == {outputs[0]}
    assert outputs[0].splitlines()[0] == "labels\tscores\tnames"
    assert '\t["man, old"]\n' in outputs[0]
    (tmp_path / "bad").write_text("1 4 0\n0:1 x\n")
    with pytest.raises(ValueError, match="bad:2: feature 'x' is not `id:value`"):
        predict_file(tmp_path / "run", tmp_path / "bad", tmp_path / "bad.tsv")
