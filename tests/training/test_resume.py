"""What a run goes on with, and what may have changed since it began."""

import dataclasses
import json
import re

import pytest

from sigfft.training.config import Config, HeadConfig
from sigfft.training.resume import begun_run, check_origin
from sigfft.training.workdir import Workdir


def began(path, config, **changes):
    """A folder in which another version began a run: its config.json has no format, nor the keys of today."""
    stored = dataclasses.asdict(config)
    for part in ("data", "encoder", "head", "baseline"):
        del stored[part]["options"]
    del stored["optim"]["loss"], stored["optim"]["loss_options"], stored["encoder"]["kind"]
    (path / "config.json").write_text(json.dumps(stored | changes))
    return Workdir(path)


def test_a_run_of_before_goes_on_where_its_keys_mean_the_same(tmp_path):
    config = Config(head=HeadConfig(kind="bottleneck", dim=3))
    workdir = began(tmp_path, config)
    assert begun_run(workdir, config, True) == {}
    with pytest.raises(ValueError, match=r"differs in optim.loss \('asymmetric', not 'bce'\)"):
        begun_run(
            workdir, dataclasses.replace(config, optim=dataclasses.replace(config.optim, loss="asymmetric")), True
        )
    exact = Config(head=HeadConfig(kind="dft", n_fft=1000))
    assert begun_run(began(tmp_path, exact), exact, True) == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": HeadConfig(kind="dft")}, "another version .*, and head.n_fft=0 meant the number of labels there"),
        ({"head": HeadConfig("sigmoid"), "baseline": HeadConfig("dft")}, "baseline.n_fft=0 meant the number of labels"),
        (
            {"head": HeadConfig("sigmoid"), "optim": {"clip_norm": 1.0}},
            "its checkpoints keep clipping in another place",
        ),
    ],
)
def test_a_run_of_before_whose_keys_meant_something_else_is_refused(tmp_path, changes, message):
    config = Config()
    optim = dataclasses.replace(config.optim, **changes.pop("optim", {}))
    config = dataclasses.replace(config, optim=optim, **changes)
    with pytest.raises(ValueError, match=message + ".*finish it with that version, or train anew in another folder"):
        begun_run(began(tmp_path, config), config, True)


def test_a_run_of_a_later_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match="its format 99 is later than"):
        begun_run(began(tmp_path, Config(), format=99), Config(), True)


def changed(config, **values):
    """The config with some values set, by keys such as `optim__steps`."""
    for key, value in values.items():
        part, own = key.split("__")
        config = dataclasses.replace(config, **{part: dataclasses.replace(getattr(config, part), **{own: value})})
    return config


@pytest.fixture
def run(tmp_path):
    """The folder of a run of the default config."""
    workdir = Workdir(tmp_path / "run")
    workdir.write_config(Config(), {"train": "ab", "test": "cd"})
    return workdir


def test_auto_starts_where_there_is_nothing_and_goes_on_where_there_is_a_run(tmp_path, run):
    new = Workdir(tmp_path / "new")
    assert begun_run(new, Config(), "auto") is None
    assert begun_run(new, Config(), "never") is None
    assert begun_run(run, Config(), "auto")["data"] == {"train": "ab", "test": "cd"}
    with pytest.raises(ValueError, match="holds no run to resume"):
        begun_run(new, Config(), "always")
    with pytest.raises(ValueError, match="run holds a run already; resume it, or give another workdir"):
        begun_run(run, Config(), "never")
    with pytest.raises(ValueError, match="resume='yes' must be one of: auto, always, never"):
        begun_run(run, Config(), "yes")
    (tmp_path / "mine").touch()
    with pytest.raises(ValueError, match="is not empty and holds no run"):
        begun_run(Workdir(tmp_path), Config(), "auto")


def test_what_does_not_change_results_may_differ_and_all_else_is_named(run, caplog):
    free = {"data__cache_dir": "elsewhere", "optim__block_size": 7, "optim__label_shards": 2}
    free |= {"eval__log_every": 3, "eval__patience": 4}
    begun_run(run, changed(Config(), **free), "auto")
    assert not caplog.records
    other = changed(Config(), **free, optim__batch_size=8, optim__steps=999, eval__every=3)
    differing = "eval.every (3, not 0), optim.batch_size (8, not 256), optim.steps (999, not 1000)"
    with pytest.raises(ValueError, match=re.escape(f"run of another config; it differs in {differing}") + "$"):
        begun_run(run, other, "auto")


def test_more_steps_than_those_that_a_config_left_open(tmp_path, caplog):
    folder = Workdir(tmp_path / "open")
    folder.write_config(changed(Config(), optim__steps=-1))
    begun_run(folder, changed(Config(), optim__steps=2000), "auto")
    assert "optim.steps is 2000, and was left open: the cosine" in caplog.text
    with pytest.raises(ValueError, match=r"differs in optim.steps \(1400, not -1\)"):
        begun_run(folder, changed(Config(), optim__steps=1400), "auto")


def test_more_steps_are_taken_with_a_warning(run, caplog):
    begun_run(run, changed(Config(), optim__steps=2000), "auto")
    assert "optim.steps is 2000, and was 1000: the cosine of the learning rate depends on it" in caplog.text


def test_data_that_were_replaced_are_refused(run):
    origin = begun_run(run, Config(), "auto")
    check_origin(run, origin, {"train": "ab", "test": "cd"})
    with pytest.raises(ValueError, match=r"data of the run in .* have been replaced: test not as it was; bring them"):
        check_origin(run, origin, {"train": "ab", "test": "ef"})
    with pytest.raises(ValueError, match="replaced: dev not as"):
        check_origin(run, origin, {"train": "ab", "test": "cd", "dev": "ef"})
    check_origin(run, {}, {"train": "ef"})  # of a version that kept no fingerprint


@pytest.mark.parametrize("damage", [{"origin": {"data": 7}}, {"origin": {"versions": [1]}}, {"optim": {"steps": []}}])
def test_a_config_of_other_types_is_a_line(run, damage):
    run.config.write_text(json.dumps(json.loads(run.config.read_text()) | damage))
    with pytest.raises(ValueError, match=r"as a run writes them|differs in optim\.steps"):
        begun_run(run, Config(), "auto")


def test_other_software_is_said_in_one_line(run, caplog, monkeypatch):
    monkeypatch.setattr("sigfft.training.resume.versions", lambda: {"sigfft": "0.1", "jax": "9", "flax": "9"})
    content = json.loads(run.config.read_text())
    content["origin"]["versions"] = {"sigfft": "0.1", "jax": "8"}
    run.config.write_text(json.dumps(content))
    origin = begun_run(run, Config(), "auto")
    check_origin(run, origin, {"train": "ab", "test": "cd"})
    (warning,) = (record.getMessage() for record in caplog.records)
    assert warning.endswith("may round otherwise: jax 9, not 8, flax 9, not None")
