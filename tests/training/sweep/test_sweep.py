"""A tiny sweep that is trained, by this process and by one that is killed: both end with the same tables."""

import multiprocessing
import shutil
import time

import jax
import pytest
from swept_folders import rows_of

from sigfft.data import SyntheticSpec
from sigfft.training.config import CheckConfig, Config, DataConfig, EncoderConfig, EvalConfig, OptimConfig
from sigfft.training.finished import load_model
from sigfft.training.sweep import Grid, run_sweep, tables_of
from sigfft.training.sweep.folder import read_sweep
from sigfft.training.sweep.plan import planned
from sigfft.training.sweep.processes import work_in_process

LISTS = Grid(["bottleneck"], [2], [0], [1.0])
SLUG = "bottleneck_d2_rate1_seed0"
SPEC = SyntheticSpec(
    n_labels=27, feature_dim=8, n_train=100, n_dev=24, n_test=24, mean_cardinality=2.0, max_cardinality=4
)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return Config(
        name="tiny",
        data=DataConfig(source="synthetic", synthetic=SPEC, cache_dir=str(tmp_path_factory.mktemp("cache"))),
        encoder=EncoderConfig(dim=8),
        optim=OptimConfig(steps=10, batch_size=16, learning_rate=0.01, warmup_steps=2),
        eval=EvalConfig(every=2, log_every=1, patience=5, ks=(1,), threshold=""),
        check=CheckConfig(max_sets=5),
    )


@pytest.fixture(autouse=True, scope="module")
def _no_figures():
    """Of a run, which take longer than the rest of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sigfft.training.report._write_figures", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def calm(config, tmp_path_factory):
    """The tables of a sweep that nothing disturbs."""
    with jax.numpy_dtype_promotion("standard"):
        return run_sweep(config, tmp_path_factory.mktemp("calm") / "sweep", LISTS)


def without_times(path):
    return [{name: cell for name, cell in row.items() if "seconds" not in name} for row in rows_of(path)]


def test_a_run_has_its_rows(calm):
    (first,) = rows_of(calm.path)
    assert (first["run"], first["chosen"], first["note"]) == (SLUG, "1", "1 is the only rate that was tried")
    assert (first["dim"], first["head_parameters"], first["parameters"]) == ("2", str(2 * (27 + 9)), str(72 + 72))
    assert (first["sets_checked"], first["undecided"], first["dev_metric"]) == ("5", "0", "nDCG@1")
    assert 0 <= float(first["epsilon_argmaxable_z"]) <= float(first["argmaxable_z"]) < 1
    curve = rows_of(calm.curves)
    best = next(row for row in curve if row["step"] == first["best_step"])
    assert (best["dev nDCG@1"], best["dev loss"]) == (first["dev_score"], first["dev_loss"])
    assert [row["step"] for row in curve] == [str(step) for step in range(2, 2 + 2 * len(curve), 2)]
    assert float(curve[-1]["seconds"]) == pytest.approx(float(first["seconds"]), abs=0.006)  # as report.json rounds
    assert tables_of(calm.path.parent) == calm
    (best,) = (calm.path.parent / SLUG / "checkpoints" / "bottleneck_d2").iterdir()
    assert (best.name, (best / "rest").exists()) == (first["best_step"], False)
    assert load_model(calm.path.parent / SLUG)[0].head.dim == 2


def test_a_call_whose_lists_another_one_lengthened_meanwhile_writes_all_that_is_there(calm, config, tmp_path):
    folder = tmp_path / "sweep"
    shutil.copytree(calm.path.parent, folder)
    longer = LISTS._replace(seeds=[0, 1])

    def lengthened(sweep, heads):  # while this call trains, another begins
        planned(config, longer, folder).write()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sigfft.training.sweep.command.work", lengthened)
        run_sweep(config, folder, LISTS, csv=tmp_path / "t.csv")
    assert read_sweep(tmp_path / "t.json").seeds == (0, 1)


def test_a_sweep_that_was_killed_ends_with_the_same_tables(calm, config, tmp_path):
    sweep = planned(config, LISTS, tmp_path / "sweep")
    sweep.write()
    log = sweep.path / SLUG / "metrics.jsonl"
    worker = multiprocessing.get_context("spawn").Process(target=work_in_process, args=(sweep, list(sweep.heads)))
    worker.start()
    while not log.exists() or log.read_bytes().count(b"\n") < 7:  # of 15; a checkpoint is written at step 2, 4, ...
        assert worker.is_alive()
        time.sleep(0.01)
    worker.kill()
    worker.join()
    assert worker.exitcode == -9
    assert not (sweep.path / SLUG / "report.json").exists()
    tables = run_sweep(config, sweep.path, LISTS)
    for ours, theirs in ((tables.path, calm.path), (tables.curves, calm.curves)):
        assert without_times(ours) == without_times(theirs)
    assert not list(sweep.path.glob("**/.*"))


def test_the_table_of_another_sweep_is_refused_before_anything_is_written(config, tmp_path):
    (tmp_path / "a.csv").write_text("run,error\r\n")
    with pytest.raises(ValueError, match=r"a\.csv exists without a\.json"):
        run_sweep(config, tmp_path / "sweep", LISTS, csv=tmp_path / "a.csv")
    assert not (tmp_path / "sweep").exists()
