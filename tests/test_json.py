"""`--json`: one document on stdout for every command."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from sigfft import bottleneck_head, cli, dft_head, save_head
from sigfft.argmaxability.of_heads.planning import Plan
from sigfft.argmaxability.of_heads.trials import Sample, Trial
from sigfft.training.sweep.tables import Tables

COMMANDS = {
    "check": "check --weights W.npz --labels sets.txt --out v.jsonl --epsilon 1e-8",
    "verify": "verify v.jsonl --weights W.npz --labels sets.txt",
    "count": "count --labels 8921 --dim 51 --cardinality 80",
    "plan": "plan --labels 41 --cardinality 20 --samples 20 --share 0.5",
    "reach": "reach --weights head.safetensors",
    "import": "import --weights layer.safetensors --out imported.safetensors",
    "retrofit": "retrofit --weights W.npz --cardinality 1 --sets sets.txt --out fitted.safetensors",
    "explore": "explore --weights W.npz",
    "doctor": "doctor --workdir . --labels 20011",
}
OF_TRAINING = {
    "train": "train --config=demo --config.optim.steps=5 --workdir=run",
    "predict": "predict --workdir run --input test.npy --output top.tsv",
    "export": "export --workdir run --out served.zip",
    "convert": "convert texts.jsonl --out xmc",
    "report": "report run --out page.html",
    "sweep": "sweep --workdir run --tables-only",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("json")
    np.savez(path / "W.npz", weight=np.array([[1.0, 0], [2, 0], [0, 1], [1, 1]], np.float32))
    save_file({"clf.weight": np.ones((4, 3), np.float32)}, path / "layer.safetensors")
    (path / "sets.txt").write_text("0,1,3\n\n0,2\n1\n")
    head = bottleneck_head(6, 2, feature_dim=3)
    shapes = jax.eval_shape(head.init, jax.random.key(0))
    params = {name: jax.numpy.ones(value.shape) for name, value in shapes.items()}
    save_head(path / "head.safetensors", head, params)
    return path


def answer(folder, command, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert cli.main([*command.split(), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_check_and_verify(folder, capsys, monkeypatch):
    checked = answer(folder, COMMANDS["check"], capsys, monkeypatch)
    assert (checked["n_labels"], checked["dim"], checked["dtype"], checked["bias"]) == (4, 2, "float32", False)
    assert (checked["checked"], checked["argmaxable"], checked["unargmaxable"], checked["undecided"]) == (4, 2, 2, 0)
    assert [row["cardinality"] for row in checked["by_cardinality"]] == [0, 1, 2, 3]
    assert [row["ε-argmaxable"] for row in checked["by_cardinality"]] == [1, 0, 0, 1]
    verified = answer(folder, COMMANDS["verify"], capsys, monkeypatch)
    assert verified == {"verified": {"argmaxable": 2, "unargmaxable": 2, "undecided": 0}, "label_sets": 4}


def test_count(folder, capsys, monkeypatch):
    whole, exactly, most = answer(folder, COMMANDS["count"], capsys, monkeypatch)["counts"]
    assert (whole["argmaxable"], whole["total"]) == ("1.900637e+133", "3.080288e+2685")
    assert whole["log10_share"] == pytest.approx(-2552.21, abs=0.01)
    assert (exactly["sets"], most["sets"]) == ("sets of exactly 80", "sets of at most 80")


def test_plan_and_reach(folder, capsys, monkeypatch):
    head = dft_head(41, 3, feature_dim=5, spread=2)
    trial = Trial(head, Sample(20, 20, 0.8, 1.0), None)
    for chosen in (None, trial):
        plan = Plan("float32", 0.5, 0.95, [trial], chosen)
        monkeypatch.setattr("sigfft.argmaxability.plan", lambda *_, plan=plan, **__: plan)
        planned = answer(folder, COMMANDS["plan"], capsys, monkeypatch)
        assert (planned["n_labels"], planned["max_cardinality"], planned["share"]) == (41, 3, 0.5)
        sample = {"reproduced": 20, "of": 20, "low": 0.8, "high": 1.0}
        assert planned["trials"] == [{"spread": 2, "random": sample, "given": None}]
    assert (planned["chosen"]["dim"], planned["chosen"]["features_needed"]) == (11, 11)
    assert (planned["chosen"]["features_serve"], planned["chosen"]["head"]["spread"]) == (False, 2)
    reached = answer(folder, COMMANDS["reach"], capsys, monkeypatch)
    assert (reached["head"], reached["status"], reached["rank"]) == ("bottleneck d=2", "part", 1)


def test_retrofit(folder, capsys, monkeypatch):
    found = answer(folder, COMMANDS["retrofit"], capsys, monkeypatch)
    assert (found["dim"], found["head_dim"], found["before"]["unargmaxable"]) == (2, 5, 2)
    assert found["after"]["checked"] == 4
    assert {"ideal", "deployed", "features"} <= found["after"].keys()


def test_explore(folder, capsys, monkeypatch):
    monkeypatch.setattr("sigfft.explorer.server.serve", lambda session, port, told: told("http://127.0.0.1:1/x/"))
    assert answer(folder, COMMANDS["explore"], capsys, monkeypatch) == {"address": "http://127.0.0.1:1/x/"}


def test_doctor(folder, capsys, monkeypatch):
    before = sorted(folder.iterdir())
    told = answer(folder, COMMANDS["doctor"], capsys, monkeypatch)
    assert {name: part["works"] for name, part in told["parts"].items()} == dict.fromkeys(
        ("devices", "heads", "checker", "folder", "length"), True
    )
    assert (told["versions"]["jax"], told["missing"], told["system"]["cores"] > 0) == (jax.__version__, {}, True)
    assert told["parts"]["devices"]["found"] == "8 × cpu (cpu)"
    assert told["parts"]["length"]["found"].startswith("n_fft=20160 for 20011 labels: 20011 has the prime factor 20011")
    assert sorted(folder.iterdir()) == before


def test_import(folder, capsys, monkeypatch):
    found = answer(folder, COMMANDS["import"], capsys, monkeypatch)
    assert (found["kind"], found["head"]["n_labels"], found["out"]) == ("sigmoid", 4, "imported.safetensors")


def test_train_and_predict(folder, capsys, monkeypatch):
    def run(config, workdir, *, resume, show):
        assert (config.name, config.optim.steps, str(workdir), resume, show) == ("demo", 5, "run", "auto", False)
        return {"name": config.name, "heads": []}

    monkeypatch.setattr("sigfft.training.command.run", run)
    trained = answer(folder, OF_TRAINING["train"], capsys, monkeypatch)
    assert trained == {"workdir": "run", "name": "demo", "heads": []}
    monkeypatch.setattr("sigfft.training.prediction.predict_file", lambda *_, **__: (3, 0))
    assert answer(folder, OF_TRAINING["predict"], capsys, monkeypatch)["examples"] == 3
    monkeypatch.setattr("sigfft.training.export_run", lambda _, out, **__: out.write_bytes(b"served"))
    assert answer(folder, OF_TRAINING["export"], capsys, monkeypatch) == {"out": "served.zip", "bytes": 6}
    monkeypatch.setattr("sigfft.data.conversion.convert", lambda *_, **__: "3 texts")
    assert answer(folder, OF_TRAINING["convert"], capsys, monkeypatch) == {"out": "xmc", "about": "3 texts"}
    tables = Tables(Path("sweep.csv"), Path("sweep_curves.csv"), 6, 1, 30, ["a note"], ["sigmoid"])
    monkeypatch.setattr("sigfft.training.sweep.tables_of", lambda workdir, csv: tables)
    swept = answer(folder, OF_TRAINING["sweep"], capsys, monkeypatch)
    assert swept == {**tables._asdict(), "path": "sweep.csv", "curves": "sweep_curves.csv"}
    monkeypatch.setattr("sigfft.training.page.write_page", lambda _, out: out.write_bytes(b"page"))
    told = {"out": "page.html", "bytes": 4, "runs": ["run"]}
    assert answer(folder, OF_TRAINING["report"], capsys, monkeypatch) == told


def test_every_command_is_tried():
    assert cli._COMMANDS.keys() == COMMANDS.keys() | OF_TRAINING.keys()
