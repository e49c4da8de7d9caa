"""Which runs of a sweep are trained, by whom, and what becomes of those that fail; with a stand-in for training."""

import os
import signal
import threading
import time

import pytest
from stand_in_workers import fails, waits
from swept_folders import Trainer, sweep_of

from sigfft.training.preemption import Preempted
from sigfft.training.sweep import processes, runs
from sigfft.training.sweep.records import chosen_rate
from sigfft.training.sweep.tables import write_tables
from sigfft.training.workdir import Workdir


def worked(sweep, heads=None):
    said = []
    runs.work(sweep, list(sweep.heads if heads is None else heads), said.append)
    return said


def test_other_seeds_are_trained_at_the_rate_that_dev_chose(tmp_path, monkeypatch):
    sweep, trainer = sweep_of(tmp_path / "sweep"), Trainer(best=2.0).placed(monkeypatch)
    said = worked(sweep)
    slugs = [f"rate{rate}_seed0" for rate in ("0.5", "1", "2")] + [f"rate2_seed{seed}" for seed in (1, 2)]
    assert trainer.calls == [f"{head}_{slug}" for head in ("bottleneck_d3", "dft_spread_d3") for slug in slugs]
    assert said[0] == "bottleneck_d3_rate0.5_seed0: P@1 0.3500 on dev at step 20 of 30, 15 s"
    assert chosen_rate(sweep, sweep.heads[0]).factor == 2.0
    assert worked(sweep) == []  # nothing is trained twice


def test_a_smaller_loss_is_better(tmp_path, monkeypatch):
    sweep = sweep_of(tmp_path / "sweep", families=["bottleneck"])
    Trainer(best=0.5, metric="loss").placed(monkeypatch)
    worked(sweep)
    assert chosen_rate(sweep, sweep.heads[0]).factor == 0.5


def test_a_run_that_fails_is_kept_and_ends_nothing(tmp_path, monkeypatch):
    sweep = sweep_of(tmp_path / "sweep", families=["bottleneck"])
    fails = {"bottleneck_d3_rate2_seed0": FloatingPointError("the loss of\nstep 3 is nan")}
    trainer = Trainer(best=2.0, fails=fails).placed(monkeypatch)
    assert "bottleneck_d3_rate2_seed0 failed: FloatingPointError: the loss of step 3 is nan" in worked(sweep)
    assert chosen_rate(sweep, sweep.heads[0]).factor == 1.0
    assert trainer.calls[3:] == ["bottleneck_d3_rate1_seed1", "bottleneck_d3_rate1_seed2"]
    worked(sweep)
    assert len(trainer.calls) == 5


def test_a_finished_run_whose_check_fails_is_checked_again_and_not_trained(tmp_path, monkeypatch):
    sweep = sweep_of(tmp_path / "sweep", families=["bottleneck"], seeds=(0,), factors=(1.0,))
    trainer, slug = Trainer().placed(monkeypatch), "bottleneck_d3_rate1_seed0"

    def fails(*_):
        (sweep.path / slug / "checkpoints").mkdir()
        raise MemoryError("cannot allocate 3 GiB")

    with monkeypatch.context() as patch:
        patch.setattr("sigfft.training.sweep.runs.check", fails)
        assert worked(sweep)[1:] == [f"{slug} failed: MemoryError: cannot allocate 3 GiB"]
    tables = write_tables(sweep, tmp_path / "t.csv")
    assert (tables.finished, tables.failed) == (0, 1)
    assert (sweep.path / slug / "checkpoints").exists()  # what it is checked by
    sweep.failure(sweep.runs(sweep.heads[0])[0]).unlink()  # as --retry-failed does
    worked(sweep)
    assert (trainer.calls, trainer.checks) == ([slug], [slug])
    tables = write_tables(sweep, tmp_path / "t.csv")
    assert (tables.finished, tables.failed) == (1, 0)


def test_a_head_of_which_no_rate_finishes_has_no_other_seed(tmp_path, monkeypatch):
    sweep = sweep_of(tmp_path / "sweep", families=["bottleneck"], factors=(1.0,))
    trainer = Trainer(fails={"bottleneck_d3_rate1_seed0": RuntimeError("out of memory")}).placed(monkeypatch)
    worked(sweep)
    assert trainer.calls == ["bottleneck_d3_rate1_seed0"]
    assert chosen_rate(sweep, sweep.heads[0]) is None


def test_a_full_disk_is_no_failure_of_a_run(tmp_path, monkeypatch):
    sweep = sweep_of(tmp_path / "sweep", families=["bottleneck"])
    Trainer(fails={"bottleneck_d3_rate0.5_seed0": OSError(28, "No space left")}).placed(monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        worked(sweep)
    assert not (sweep.path / "failed").exists()


def test_what_another_process_holds_is_left_to_it_and_waited_for(tmp_path, monkeypatch):
    sweep = sweep_of(tmp_path / "sweep", families=["bottleneck"], seeds=(0,))
    trainer, paused = Trainer().placed(monkeypatch), []
    first = Workdir(sweep.path / "bottleneck_d3_rate0.5_seed0")

    def train(config, path, **ways):
        with Workdir(path).held():  # as `run` does
            trainer.train(config, path, **ways)

    def pause(seconds):
        paused.append(list(trainer.calls))
        holding.__exit__(None, None, None)

    monkeypatch.setattr(runs, "train_run", train)
    monkeypatch.setattr(runs.time, "sleep", pause)
    first.path.mkdir()
    holding = first.held()
    holding.__enter__()
    worked(sweep)
    assert paused == [["bottleneck_d3_rate1_seed0", "bottleneck_d3_rate2_seed0"]]
    assert trainer.calls[2:] == ["bottleneck_d3_rate0.5_seed0"]


def test_a_lock_that_another_host_left_is_named_once(tmp_path, monkeypatch):
    sweep = sweep_of(tmp_path / "sweep", families=["bottleneck"], factors=(1.0,), seeds=(0,))
    trainer, pauses = Trainer().placed(monkeypatch), []
    folder = Workdir(sweep.path / "bottleneck_d3_rate1_seed0")

    def train(config, path, **ways):
        with folder.held():
            trainer.train(config, path, **ways)

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            folder.lock.unlink()

    monkeypatch.setattr(runs, "train_run", train)
    monkeypatch.setattr(runs.time, "sleep", pause)
    folder.path.mkdir()
    folder.lock.write_text('{"host": "elsewhere", "pid": 7}')
    said = worked(sweep)
    assert [line for line in said if f"remove {folder.lock}" in line] == said[:1]
    assert len(said) == 2


@pytest.fixture
def _usual_signals():
    """As in a terminal: what starts tests in the background may have them ignored."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_usual_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on_and_ends_the_sweep(tmp_path, number):
    began = [tmp_path / str(i) for i in range(2)]

    def when_all_run():
        while not all(path.exists() and path.read_text() for path in began):
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=when_all_run, daemon=True).start()
    with pytest.raises(Preempted, match=number.name) as ended:
        processes.side_by_side(waits, (began,), 2, tmp_path)
    assert ended.value.code == 128 + number
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "0.ended", "1", "1.ended"]
    assert [path.read_text() for path in began] == [str(signal.SIG_IGN)] * 2  # a terminal's Ctrl-C is not for them


def test_a_process_that_ends_early_is_told(tmp_path):
    with pytest.raises(RuntimeError, match="1 of 2 processes ended early, with status 3; the same command goes on"):
        processes.side_by_side(fails, ([tmp_path / "0"],), 2, tmp_path)


def test_a_damaged_record_is_no_rate_that_is_still_open(tmp_path, monkeypatch):
    def damaged(sweep, head):
        raise KeyError("trained_by")

    monkeypatch.setattr(runs, "chosen_rate", damaged)
    sweep = sweep_of(tmp_path / "sweep")
    with pytest.raises(KeyError, match="trained_by"):
        runs.due(sweep, sweep.heads[0])
