"""A sweep that goes on with the tables of another folder: what they hold is not trained again."""

import json

import pytest
from swept_folders import Trainer, rows_of, sweep_of, with_seeds

from sigfft.training.sweep import runs
from sigfft.training.sweep.kept import check_table, keep_runs
from sigfft.training.sweep.records import read_record
from sigfft.training.sweep.tables import curves_path, settings_path, write_tables

NAMES = ("a.csv", "a_curves.csv", "a.json")


@pytest.fixture
def trainer(monkeypatch):
    return Trainer(best=2.0).placed(monkeypatch)


def worked(sweep, heads=None):
    runs.work(sweep, list(heads or sweep.heads), lambda line: None)


@pytest.fixture
def half(tmp_path, trainer):
    """The tables of a sweep of which one head of two was trained."""
    there = sweep_of(tmp_path / "there", seeds=(0, 1))
    worked(there, there.heads[:1])
    write_tables(there, tmp_path / "a.csv")
    return tmp_path / "a.csv"


def continued(path, table, **lists):
    sweep = sweep_of(path, **{"seeds": (0, 1), **lists})
    check_table(sweep, table)
    keep_runs(sweep, table)
    return sweep


def test_another_folder_goes_on_where_the_tables_stop_and_ends_with_the_same(half, tmp_path, trainer):
    whole = sweep_of(tmp_path / "whole", seeds=(0, 1))
    worked(whole)
    write_tables(whole, tmp_path / "whole.csv")
    trainer.calls.clear(), trainer.checks.clear()
    here = continued(tmp_path / "here", half)
    worked(here)
    assert {slug.rsplit("_rate")[0] for slug in trainer.calls} == {"dft_spread_d3"}
    assert {slug.rsplit("_rate")[0] for slug in trainer.checks} == {"dft_spread_d3"}
    write_tables(here, half)
    for name in NAMES:
        assert (tmp_path / name).read_bytes() == (tmp_path / name.replace("a", "whole", 1)).read_bytes()


def test_no_path_of_the_machine_is_in_what_goes_with_the_tables(half, tmp_path):
    assert str(tmp_path) not in settings_path(half).read_text() + half.read_text()
    assert json.loads(settings_path(half).read_text())["config"]["data"]["cache_dir"] == ""


def test_what_other_runs_decide_is_not_kept_and_what_was_trained_here_stays(half, tmp_path):
    here = continued(tmp_path / "here", half)
    run = here.runs(here.heads[0])[-1]
    assert run.slug == "bottleneck_d3_rate2_seed1"
    before = read_record(here.workdir(run))
    assert before.row["dev_score"] == "0.51"
    assert not {"chosen", "note", "error", "steps_to_bottleneck", "seconds_to_bottleneck"} & before.row.keys()
    half.write_text(half.read_text().replace("0.51", "0.99"))
    keep_runs(here, half)
    assert read_record(here.workdir(run)) == before


def test_only_what_dev_chose_is_checked(tmp_path, trainer):
    sweep = sweep_of(tmp_path / "sweep", families=["bottleneck"], seeds=(0, 1))
    worked(sweep)
    assert trainer.checks == ["bottleneck_d3_rate2_seed0", "bottleneck_d3_rate2_seed1"]
    shares = {row["run"]: row["argmaxable_z"] for row in rows_of(write_tables(sweep, tmp_path / "t.csv").path)}
    assert shares.pop("bottleneck_d3_rate2_seed0") == shares.pop("bottleneck_d3_rate2_seed1") == "0.5"
    assert set(shares.values()) == {""}


def test_a_kept_run_that_dev_now_chooses_is_trained_again_to_be_checked(half, tmp_path, trainer):
    trainer.calls.clear(), trainer.checks.clear()
    text = half.read_text().replace("bottleneck_d3_rate2_seed0,", "bottleneck_d3_rate4_seed0,")
    half.write_text(text.replace("bottleneck_d3_rate2_seed1,", "bottleneck_d3_rate4_seed1,"))
    curves_path(half).write_text(curves_path(half).read_text().replace("_rate2_", "_rate4_"))
    here = sweep_of(tmp_path / "here", families=["bottleneck"], seeds=(0, 1))
    keep_runs(here, half)  # which now lacks the rate 2: a table of a shorter list
    trainer.best = 1.0
    worked(here)
    assert trainer.calls == [f"bottleneck_d3_{slug}" for slug in ("rate2_seed0", "rate1_seed0", "rate1_seed1")]
    assert trainer.checks == ["bottleneck_d3_rate1_seed0", "bottleneck_d3_rate1_seed1"]


def test_what_failed_elsewhere_is_tried_again(tmp_path, monkeypatch):
    slug = "bottleneck_d3_rate0.5_seed0"
    there = sweep_of(tmp_path / "there", families=["bottleneck"], seeds=(0,))
    Trainer(fails={slug: FloatingPointError("the loss is nan")}).placed(monkeypatch)
    worked(there)
    write_tables(there, tmp_path / "a.csv")
    trainer = Trainer().placed(monkeypatch)
    worked(continued(tmp_path / "here", tmp_path / "a.csv", families=["bottleneck"], seeds=(0,)))
    assert trainer.calls == [slug]


def test_longer_lists_go_on_and_shorter_ones_are_refused(half, tmp_path, trainer):
    trainer.calls.clear()
    here = continued(tmp_path / "here", half, seeds=(0, 1, 2))
    worked(here, here.heads[:1])
    assert trainer.calls == ["bottleneck_d3_rate2_seed2"]
    with pytest.raises(ValueError, match=r"a\.csv is of another sweep: it has the seeds 1 as well; give another table"):
        check_table(with_seeds(here, 0), half)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda table: settings_path(table).unlink(), r"a\.csv exists without a\.json, which says of what sweep it is"),
        (lambda table: settings_path(table).write_text("{"), r"a\.json is not JSON"),
        (lambda table: curves_path(table).write_text("run,step\r\n"), r"a_curves\.csv lacks evaluations of bottleneck"),
        (lambda table: curves_path(table).write_text("step\r\n1\r\n"), r"no tables of a sweep: no column 'run'"),
        (lambda table: table.write_text("run,error\r\nx,\r\n"), r"no tables of a sweep: no column 'best_step'"),
        (lambda table: table.write_text("run,error\r\nx\r\n"), r"a\.csv:2: 1 cells, the header has 2"),
    ],
)
def test_damaged_tables_are_refused_and_nothing_is_kept(half, tmp_path, damage, message):
    damage(half)
    with pytest.raises(ValueError, match=message):
        continued(tmp_path / "here", half)
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["sweep.json"]


@pytest.mark.parametrize(
    ("mine", "message"),
    [
        ("a.json", r"a\.json has format None; this version of sigfft reads 1"),
        ("a_curves.csv", r"a_curves\.csv exists without a\.json, which says of what sweep it is; give another table"),
    ],
)
def test_files_of_ones_own_are_left_alone(tmp_path, mine, message):
    (tmp_path / mine).write_text("{}")
    with pytest.raises(ValueError, match=message):
        continued(tmp_path / "here", tmp_path / "a.csv")


def test_tables_of_which_the_last_was_not_written_are_gone_on_with(half, tmp_path):
    half.unlink()  # it is written after the others
    assert continued(tmp_path / "here", half).file.exists()


def test_the_folders_own_table_by_another_name_of_it(tmp_path, trainer):
    sweep = sweep_of(tmp_path / "sweep", seeds=(0,))
    before = sweep.file.read_bytes()
    other = tmp_path / "sweep" / ".." / "sweep" / "sweep.csv"
    check_table(sweep, other)
    write_tables(sweep, other)
    keep_runs(sweep, other)
    assert sweep.file.read_bytes() == before
    assert str(tmp_path) not in sweep.elsewhere().to_json()  # which a table elsewhere has


def test_tables_without_their_evaluations_are_refused(half, tmp_path):
    curves_path(half).unlink()
    with pytest.raises(FileNotFoundError, match=r"a_curves\.csv"):
        continued(tmp_path / "here", half)
