import dataclasses
import json

import jax
import numpy as np
import pytest
from matplotlib.image import imread

import sigfft
from sigfft import cli, training
from sigfft.data import SyntheticSpec
from sigfft.training.events import read_events
from sigfft.training.log import RunLog, read_log
from sigfft.training.workdir import Workdir


def scalars(workdir):
    lines = read_log(Workdir(workdir))
    return [
        {key: value for key, value in line.items() if key not in ("examples_per_second", "seconds")} for line in lines
    ]


def steps_of_events(workdir):
    return [
        (event.step, [value.tag for value in event.summary.value])
        for folder in (workdir / "events").iterdir()
        for event in read_events(folder)
        if event.HasField("summary")
    ]


def test_run_writes_everything_and_repeats_to_the_bit(config, tmp_path, capsys, monkeypatch, caplog):
    content = training.run(config, tmp_path / "a")
    shown = capsys.readouterr().out
    assert content == json.loads((tmp_path / "a" / "report.json").read_text())
    bottleneck, dft = content["heads"]
    assert (bottleneck["kind"], dft["kind"]) == ("bottleneck", "dft")
    assert (bottleneck["steps"], dft["steps"]) == (40, 40)
    for entry in content["heads"]:
        assert entry["name"] in shown
        assert entry["argmaxability"]["checked"] == 30
        assert {"P@1", "F1@5", "nDCG@5", "PSP@1", "macro F1", "exact match"} <= entry["test"].keys()
    assert bottleneck["argmaxability"]["unargmaxable"] > 0
    assert dft["argmaxability"] == {
        **dict.fromkeys(("checked", "argmaxable", "ideal", "deployed"), 30),
        **dict.fromkeys(("unargmaxable", "undecided"), 0),
    }
    assert bottleneck["argmaxability"]["ideal"] is None  # it promises nothing
    assert {entry["check_seconds"] > 0 for entry in content["heads"]} == {True}
    assert all(name.split(".")[0] in dft for name in content["meaning"])
    for entry in content["heads"]:
        deployed, at = entry["thresholds"]["deployed"], entry["test_at_threshold"]
        assert deployed == {"objective": "micro F1", "per_label": False} | {
            name: entry["thresholds"]["for_all_labels"]["micro F1"][name] for name in ("logit", "probability")
        }
        assert at["micro F1"] > entry["test"]["micro F1"]
        assert f"{deployed['probability']:.3f} (micro F1)  {at['micro F1']:.4f}  {at['macro F1']:.4f}" in " ".join(
            shown.replace("    ", "  ").split(" ")
        )
        assert entry["argmaxability_at_threshold"]["argmaxable"] >= entry["argmaxability"]["argmaxable"]
    assert bottleneck["argmaxability_on_features"] == {  # 16 features reach every z of 2 dimensions
        name: bottleneck["argmaxability"][name] for name in ("checked", "argmaxable", "unargmaxable", "undecided")
    }
    on_features = dft["argmaxability_on_features"]  # but not every z of 35
    assert on_features["checked"] == on_features["unargmaxable"] + on_features["argmaxable"] == 30
    assert on_features["unargmaxable"] > 0
    assert dft["parameters"] == sigfft.dft_head(**dft["head"]).n_parameters()
    for figure in ("learning_curve", "metrics_against_k", "argmaxable_share", "conflicting_labels"):
        pixels = imread(tmp_path / "a" / "figures" / f"{figure}.png")
        assert min(pixels.shape[:2]) > 400
        assert np.ptp(pixels[..., :3]) > 0.5  # of one colour it would be 0
        assert "<svg" in (tmp_path / "a" / "figures" / f"{figure}.svg").read_text()
    page = (tmp_path / "a" / "report.html").read_text()
    assert all(
        text in page for text in (bottleneck["name"], dft["name"], "argmaxable on features", "nDCG@5 on the dev")
    )
    assert "What is absent" not in page
    assert content["memory"]["process_peak_bytes"] > 1e7
    assert list((tmp_path / "a" / "events").rglob("events.*"))

    model, params = training.load_model(tmp_path / "a", bottleneck["name"])
    rows = np.asarray(model.head.rows(params["head"], np.arange(60)))
    counts = sigfft.verify(tmp_path / "a" / "verdicts" / "bottleneck_d2.jsonl", rows)
    assert counts == {name: bottleneck["argmaxability"][name] for name in ("argmaxable", "unargmaxable", "undecided")}

    monkeypatch.chdir(tmp_path)  # for messages are cut where paths are long
    run, verdicts = "a", "a/verdicts/bottleneck_d2.jsonl"
    assert cli.main(["verify", verdicts, "--weights", run, "--tensor", bottleneck["name"]]) == 0
    assert cli.main(["verify", verdicts, "--weights", run, "--tensor", dft["name"]]) == 2
    at_threshold = verdicts.replace(".jsonl", ".at_threshold.jsonl")
    of_rule = ["--weights", run, "--tensor", bottleneck["name"], "--threshold"]
    assert cli.main(["verify", at_threshold, *of_rule, "dev"]) == 0
    assert cli.main(["verify", at_threshold, *of_rule, "0.4"]) == 2
    assert "the verdict is about other weights" in capsys.readouterr().err
    on_features = verdicts.replace(".jsonl", ".on_features.jsonl.gz")
    assert cli.main(["verify", on_features, "--weights", run, "--tensor", bottleneck["name"], "--features"]) == 0
    assert cli.main(["verify", verdicts, "--weights", run, "--tensor", "d"]) == 2
    assert "its heads are 'bottleneck d=2', 'dft k=6" in capsys.readouterr().err

    def fails(*_):
        raise KeyError("a page\nthat fails")

    monkeypatch.setattr("sigfft.training.report.write_page", fails)
    training.run(config, tmp_path / "b")
    assert [record.getMessage() for record in caplog.records if "report.html" in record.getMessage()] == [
        f"{tmp_path / 'b' / 'report.html'} cannot be written (KeyError: 'a page\\nthat fails')"
    ]
    assert not (tmp_path / "b" / "report.html").exists()
    assert scalars(tmp_path / "a") == scalars(tmp_path / "b")


def test_resumed_run_equals_the_uninterrupted_one(dft_only, tmp_path, monkeypatch):
    whole = training.run(dft_only, tmp_path / "whole")
    write = RunLog.write

    def interrupted(self, step, values):
        if step == 25:
            raise KeyboardInterrupt
        write(self, step, values)

    monkeypatch.setattr(RunLog, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.run(dft_only, tmp_path / "parts")
    monkeypatch.setattr(RunLog, "write", write)
    resumed = training.run(dft_only, tmp_path / "parts", resume="auto")
    assert scalars(tmp_path / "parts") == scalars(tmp_path / "whole")
    assert steps_of_events(tmp_path / "parts") == steps_of_events(tmp_path / "whole")
    assert resumed["heads"][0]["test"] == whole["heads"][0]["test"]
    mine, other = (training.load_model(tmp_path / folder)[1] for folder in ("parts", "whole"))
    jax.tree.map(np.testing.assert_array_equal, mine, other)
    logged = dataclasses.replace(dft_only, eval=dataclasses.replace(dft_only.eval, log_every=7))
    again = training.run(logged, tmp_path / "parts", resume=True)
    assert again["heads"][0]["test"] == whole["heads"][0]["test"]


def test_labels_in_the_order_of_their_co_occurrence(dft_only, tmp_path):
    config = dataclasses.replace(
        dft_only,
        head=dataclasses.replace(dft_only.head, order="chains"),
        optim=dataclasses.replace(dft_only.optim, block_size=13),
    )
    (entry,) = training.run(config, tmp_path / "run")["heads"]
    assert entry["name"].endswith(" ordered")
    assert sorted(entry["head"]["order"]) == list(range(60))
    assert entry["head"]["order"] != list(range(60))
    assert training.load_model(tmp_path / "run", entry["name"])[0].head.arguments["order"] == entry["head"]["order"]
    (as_given,) = training.run(dft_only, tmp_path / "as_given")["heads"]
    assert entry["test"]["P@1"] > 0.8 * as_given["test"]["P@1"]  # labels and points have not been mixed up


def test_heads_of_one_name_would_share_checkpoints(dft_only, tmp_path):
    twin = dataclasses.replace(dft_only, baseline=dataclasses.replace(dft_only.head, random_start=True))
    with pytest.raises(ValueError, match="baseline and head are both 'dft k=6 spread=10 slack=2'"):
        training.run(twin, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_line_that_a_killed_run_left_half_written_is_left_out(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"head": "a", "step": 1}\n{"head": "a", "st')
    assert read_log(Workdir(tmp_path)) == [{"head": "a", "step": 1}]


def test_patience_stops_and_the_best_step_is_reported(dft_only, tmp_path):
    stuck = dataclasses.replace(
        dft_only,
        optim=dataclasses.replace(dft_only.optim, learning_rate=1e-12, steps=400),
        eval=dataclasses.replace(dft_only.eval, patience=2),
    )
    entry = training.run(stuck, tmp_path / "run")["heads"][0]
    assert (entry["steps"], entry["best_step"]) == (30, 30)  # of equal ones the later


def test_non_finite_loss_names_its_step(dft_only, tmp_path):
    wild = dataclasses.replace(dft_only, optim=dataclasses.replace(dft_only.optim, learning_rate=1e38, warmup_steps=7))
    with pytest.raises(FloatingPointError, match=r"the loss of step [2-9] is nan; lower optim.learning_rate"):
        training.run(wild, tmp_path / "run")
    assert not (tmp_path / "run" / "report.json").exists()


def test_without_dev_split_the_last_step_is_the_best(dft_only, tmp_path, capsys):
    spec = dataclasses.replace(dft_only.data.synthetic, n_dev=0)
    config = dataclasses.replace(dft_only, data=dataclasses.replace(dft_only.data, synthetic=spec))
    config = dataclasses.replace(config, eval=dataclasses.replace(config.eval, threshold="micro F1"))
    (entry,) = training.run(config, tmp_path / "run")["heads"]
    assert (entry["best_step"], entry["thresholds"], entry["test_at_threshold"]) == (40, None, None)
    assert "no threshold was chosen: that takes a dev split (data.dev_share)" in capsys.readouterr().out
    patient = dataclasses.replace(config, eval=dataclasses.replace(config.eval, patience=3))
    with pytest.raises(ValueError, match="needs a dev split"):
        training.run(patient, tmp_path / "patient")
    assert not (tmp_path / "patient").exists()
    held_out = dataclasses.replace(patient, data=dataclasses.replace(config.data, dev_share=0.2, synthetic=spec))
    content = training.run(held_out, tmp_path / "held_out")
    assert content["data"]["examples"] == {"train": 320, "test": 90, "dev": 80}


def test_workdir_of_another_run_is_left_alone(dft_only, tmp_path):
    workdir = tmp_path / "run"
    with pytest.raises(ValueError, match="holds no run to resume"):
        training.run(dft_only, workdir, resume=True)
    training.run(dft_only, workdir)
    before = {path: path.stat().st_mtime_ns for path in workdir.rglob("*")}
    with pytest.raises(ValueError, match="holds a run already; resume it"):
        training.run(dft_only, workdir)
    other = dataclasses.replace(dft_only, seed=1, head=dataclasses.replace(dft_only.head, spread=3))
    with pytest.raises(ValueError, match=r"another config; it differs in head.spread \(3, not 10\), seed \(1, not 0\)"):
        training.run(other, workdir, resume=True)
    assert {path: path.stat().st_mtime_ns for path in workdir.rglob("*")} == before
    origin = json.loads((workdir / "config.json").read_text())
    origin["origin"]["data"]["test"] = "another"
    (workdir / "config.json").write_text(json.dumps(origin))
    with pytest.raises(ValueError, match=r"data of the run in .*run have been replaced: test not as it was"):
        training.run(dft_only, workdir, resume="auto")
    with Workdir(workdir).held(), pytest.raises(ValueError, match=r"run is in use by process \d+ on "):
        training.run(dft_only, workdir, resume="auto")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty and holds no run"):
        training.run(dft_only, tmp_path / "full")


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("optim", {"batch_size": 30}, "optim.batch_size=30 must be a multiple of the 8 devices; try 32"),
        ("head", {"max_cardinality": 30}, "lower max_cardinality to at most 29"),
        ("head", {"kind": "dct"}, "head.kind='dct' must be one of: bottleneck, dft"),
        ("head", {"order": "alphabet"}, "head.order='alphabet' must be empty or chains"),
        (
            "data",
            {"source": "csv"},
            "data.source='csv' must be one of: bioasq, images, mimic3, npy, openimages, synthetic, text, xmc",
        ),
        ("data", {"source": "xmc", "synthetic": SyntheticSpec()}, "dir is empty"),
        ("eval", {"metric": "P@2"}, "eval.metric='P@2' is not one of: P@1"),
        ("eval", {"threshold": "F2"}, "eval.threshold='F2' must be one of: micro F1, macro F1, sample F1, exact match"),
        ("eval", {"threshold_per_label": True}, "eval.threshold_per_label goes with eval.threshold=micro F1 or macro"),
        ("eval", {"every": -1}, "eval.every=-1 must be at least 0"),
        ("optim", {"steps": 0}, "optim.steps=0 and optim.epochs=0 leave training without an end"),
        ("optim", {"head_learning_rate": -1.0}, "optim.head_learning_rate=-1.0 must be at least 0"),
    ],
)
def test_impossible_configs_write_nothing(dft_only, tmp_path, part, change, message):
    config = dataclasses.replace(dft_only, **{part: dataclasses.replace(getattr(dft_only, part), **change)})
    with pytest.raises(ValueError, match=message):
        training.run(config, tmp_path / "run")
    with pytest.raises(ValueError, match="seed=-1 must be at least 0"):
        training.run(dataclasses.replace(dft_only, seed=-1), tmp_path / "run")
    assert not (tmp_path / "run").exists()
