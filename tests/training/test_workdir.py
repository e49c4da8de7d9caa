import os
from pathlib import Path

import pytest

from sigfft.training.config import Config, HeadConfig
from sigfft.training.workdir import Workdir


def test_a_config_that_json_cannot_hold_leaves_nothing(tmp_path):
    config = Config(head=HeadConfig(options={"points": Path("x")}))
    with pytest.raises(ValueError, match="options of a config must be what JSON can hold"):
        Workdir(tmp_path / "run").write_config(config)
    assert not (tmp_path / "run").exists()


def test_a_folder_is_held_by_one_run_and_not_left_behind(tmp_path):
    workdir = Workdir(tmp_path / "new" / "run")
    with workdir.held():
        assert workdir.is_new()
        with (
            pytest.raises(ValueError, match=rf"run is in use by process {os.getpid()} on .*; wait for it, end it, or"),
            Workdir(workdir.path).held(),
        ):
            pass
        assert workdir.lock.exists()
    assert not list(tmp_path.iterdir())
    with workdir.held():
        workdir.write_config(Config())
    assert [path.name for path in workdir.path.iterdir()] == ["config.json"]


def test_a_process_of_another_host_is_left_to_the_user(tmp_path):
    (tmp_path / "lock").write_text('{"host": "elsewhere", "pid": 7}')
    with (
        pytest.raises(ValueError, match=r"in use by process 7 on elsewhere, or .* remove .*lock"),
        Workdir(tmp_path).held(),
    ):
        pass
    assert (tmp_path / "lock").exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(ValueError, match="run is a file; give a folder"), Workdir(tmp_path / "run").held():
        pass
    assert (tmp_path / "run").read_text() == "mine"


def test_a_start_that_was_killed_leaves_a_new_folder(tmp_path):
    workdir = Workdir(tmp_path)
    part = tmp_path / ".config-0123abcd.json"
    for path in (workdir.lock, part):
        path.touch()
    assert workdir.is_new()
    (tmp_path / ".config-mine.json").touch()
    assert not workdir.is_new()


def test_what_a_killed_run_had_begun_to_write_is_removed_and_nothing_else(tmp_path):
    workdir = Workdir(tmp_path)
    left = [".config-0123abcd.json", ".report-0123abcd.json", "figures/.learning_curve-0123abcd.png"]
    left += [".metrics-0123abcd.jsonl", "verdicts/.dft_k5-0123abcd.jsonl", ".report-0123abcd.html"]
    left += ["figures/.learning_curve-0123abcd.svg", "verdicts/.dft_k5.on_features.jsonl-0123abcd.gz"]
    stay = ["config.json", ".model-0123abcd.sigfft", "figures/learning_curve.png", "figures/.mine.png"]
    for name in [*left, *stay]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    workdir.remove_parts()
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()} == set(stay)


def test_a_report_of_another_config_does_not_stay(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.write_config(Config())
    workdir.report.touch()
    workdir.page.touch()
    workdir.write_config(Config())
    assert workdir.report.exists()
    workdir.write_config(Config(seed=1))
    assert not workdir.report.exists()
    assert not workdir.page.exists()
