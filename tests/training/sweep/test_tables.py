"""The tables of a sweep: what is in a row, of runs that finished, failed, or are not there yet."""

import numpy as np
import pytest
from swept_folders import Trainer, rows_of, sweep_of

from sigfft.training.sweep import runs
from sigfft.training.sweep.folder import read_sweep
from sigfft.training.sweep.tables import write_tables


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Two heads of three rates and two seeds; one rate of the first head failed."""
    sweep = sweep_of(tmp_path / "sweep", seeds=(0, 1))
    fails = {"bottleneck_d3_rate0.5_seed0": FloatingPointError("the loss, of step 3, is nan")}
    Trainer(best=2.0, fails=fails).placed(monkeypatch)
    runs.work(sweep, list(sweep.heads), lambda line: None)
    return sweep


def test_a_row_holds_what_the_runs_folder_tells(trained, tmp_path):
    tables = write_tables(read_sweep(trained.path / "sweep.json"), tmp_path / "t.csv")
    by_run = {row["run"]: row for row in rows_of(tables.path)}
    assert list(by_run) == [
        f"{head}_{slug}"
        for head in ("bottleneck_d3", "dft_spread_d3")
        for slug in ("rate0.5_seed0", "rate1_seed0", "rate2_seed0", "rate2_seed1")
    ]
    row = by_run["dft_spread_d3_rate2_seed1"]
    expected = {
        **{"data": "small", "family": "dft_spread", "d": "3", "kind": "dft", "start": "prior", "spread": "3"},
        **{"max_cardinality": "", "head_parameters": "50", "parameters": "77", "seed": "1", "stopped": "patience"},
        **{"learning_rate": "0.02", "head_learning_rate": "0.2", "chosen": "1", "steps": "30", "best_step": "20"},
        **{"seconds": "15", "seconds_to_best": "10", "dev_metric": "P@1", "dev_score": "0.66", "dev_loss": "4.49"},
        **{"dev P@1": "0.66", "test P@1": "0.333333", "test threshold": "0.3", "test at threshold micro F1": "0.4"},
        **{"sets_checked": "8", "argmaxable_z": "0.5", "undecided": "0.125", "argmaxable_features": ""},
        **{"epsilon": "1e-08", "epsilon_argmaxable_z": "0.25", "error": ""},
        **{"device": "1 × cpu", "numpy": np.__version__, "steps_to_random_bottleneck": ""},
        # 0.66 at step 20; its bottleneck's best is 0.51, which it passes at step 20 and has not at 10 (0.46)
        **{"steps_to_bottleneck": "20", "seconds_to_bottleneck": "10"},
        "note": "the chosen rate, 2, is the largest of those tried: a larger one may score better",
    }
    assert {name: row[name] for name in expected} == expected
    assert by_run["dft_spread_d3_rate0.5_seed0"]["steps_to_bottleneck"] == "20"  # 0.5 - 0.15 + 0.15 of 0.5
    assert by_run["dft_spread_d3_rate0.5_seed0"]["chosen"] == "0"
    failed = by_run["bottleneck_d3_rate0.5_seed0"]
    assert failed["error"] == "FloatingPointError: the loss, of step 3, is nan"
    assert {failed[name] for name in failed if name.startswith(("dev ", "test ", "steps", "head_param"))} == {""}
    assert (tables.finished, tables.failed, tables.evaluations, tables.open_heads) == (7, 1, 21, [])
    assert "bottleneck_d3_rate0.5_seed0 failed: FloatingPointError" in " ".join(tables.notes)


def test_a_row_for_each_evaluation(trained, tmp_path):
    first, second, *_ = rows_of(write_tables(trained, tmp_path / "t.csv").curves)
    assert first == {
        **{"run": "bottleneck_d3_rate1_seed0", "step": "10", "seconds": "5", "train_loss": "8"},
        **{"dev P@1": "0.2", "dev loss": "4.8"},
    }
    assert (second["step"], second["seconds"]) == ("20", "10")
    assert (tmp_path / "t.csv").read_bytes().count(b"\r\n") == 9  # as RFC 4180 ends lines


def test_what_is_not_there_yet_is_said_and_no_rate_is_chosen(trained, tmp_path):
    (trained.path / "dft_spread_d3_rate1_seed0" / "record.json").unlink()
    tables = write_tables(trained, tmp_path / "t.csv")
    assert tables.open_heads == ["dft_spread_d3"]
    dft = [row for row in rows_of(tables.path) if row["family"] == "dft_spread"]
    assert [row["chosen"] for row in dft] == [""] * 3
    (trained.path / "bottleneck_d3_rate2_seed1" / "record.json").write_text("{")
    with pytest.raises(ValueError, match=r"bottleneck_d3_rate2_seed1/record\.json is not JSON"):
        write_tables(trained, tmp_path / "t.csv")
    assert len(rows_of(tables.path)) == 7  # as before
