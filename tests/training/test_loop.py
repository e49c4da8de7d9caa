"""The loop of training over steps that need no device: a count that is added up, and losses of its own."""

import dataclasses
import shutil
import signal
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import SingleDeviceSharding

import sigfft
from sigfft.data import Dataset, DenseFeatures
from sigfft.training import loop
from sigfft.training.config import CheckpointConfig, Config, EvalConfig, OptimConfig
from sigfft.training.devices import OnDevices
from sigfft.training.encoder import PureEncoder
from sigfft.training.log import read_log
from sigfft.training.model import Model
from sigfft.training.preemption import Notice, Preempted, command_to_go_on
from sigfft.training.step import StepInfo, TrainState
from sigfft.training.workdir import Workdir

DATA = Dataset(DenseFeatures(np.ones((40, 2), np.float32)), np.zeros((40, 1), np.int32), 3)
MODEL = Model(PureEncoder("mlp", {"in_dim": 2, "dim": 0}, {}), sigfft.sigmoid_head(3, feature_dim=2))
CONFIG = Config(
    optim=OptimConfig(steps=12, batch_size=4),
    eval=EvalConfig(every=4, log_every=3, metric="P@1", patience=0),
    checkpoint=CheckpointConfig(0.0),
)
METRICS = {4: 0.5, 8: 0.75, 12: 0.25}  # of the dev split by steps


def fake_devices(model, config, on_step=lambda step: None):
    """Steps whose parameter is their sum, which a run that forgets or repeats one gets wrong."""

    def init():
        return TrainState(jnp.int32(0), {"sum": jnp.zeros(2)}, {"last": jnp.float32(0)})

    def step(state, batch):
        on_step(int(state.step) + 1)
        now = state.step + 1
        state = TrainState(now, {"sum": state.params["sum"] + now}, {"last": jnp.float32(now)})
        return state, StepInfo(jnp.float32(1) / (state.params["sum"][0]), jnp.float32(now))

    shapes = jax.eval_shape(init)
    place = SingleDeviceSharding(jax.devices()[0])
    layout = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), shapes)
    return OnDevices(init, lambda s: s, lambda b: b, step, lambda s: s.params, jax.device_get, shapes, layout)


@pytest.fixture(autouse=True)
def _loose():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.transfer_guard("allow"):
        yield


def trainer(monkeypatch):
    """A function that trains in a folder; `on_step` and `on_evaluation` are called with the step."""
    monkeypatch.setattr(OnDevices, "take_step", lambda self, state, batch: self.step(state, batch))

    def call(folder, resume=False, config=CONFIG, on_step=lambda step: None, on_evaluation=lambda step: None):
        monkeypatch.setattr(loop, "on_devices", lambda model, config, data: fake_devices(model, config, on_step))
        folder.mkdir(exist_ok=True)

        def evaluate(params):
            step = round((np.sqrt(1 + 8 * float(params["sum"][0])) - 1) / 2)
            on_evaluation(step)
            return {"P@1": METRICS[step]}

        with Notice(folder).watching() as notice:
            return loop.train(MODEL, config, DATA, evaluate, Workdir(folder), resume, notice)

    return call


@pytest.fixture
def train(monkeypatch):
    return trainer(monkeypatch)


def lines(folder):
    """Of the log, without times."""
    found = read_log(Workdir(folder))
    return [
        {key: value for key, value in line.items() if key not in ("examples_per_second", "seconds")} for line in found
    ]


def results(found):
    params, steps, progress = found
    return params["sum"].tolist(), steps, progress._replace(seconds=0.0)


def at(step, act=lambda: signal.raise_signal(signal.SIGTERM)):
    return lambda now: act() if now == step else None


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        folder = tmp_path_factory.mktemp("undisturbed")
        return folder, results(trainer(patch)(folder))


def test_the_best_step_is_returned(undisturbed):
    _, (params, steps, progress) = undisturbed
    assert params == [36.0, 36.0]
    assert (steps, progress.best_step, progress.best_metric, progress.stale_evaluations) == (12, 8, 0.75, 1)


WHERE = [*(("on_step", step) for step in (1, 3, 4, 7, 12)), *(("on_evaluation", step) for step in METRICS)]


def test_seconds_are_until_steps_are_done_and_not_until_they_are_begun(train, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(loop.time, "perf_counter", lambda: clock[0])

    def take_step(self, state, batch):
        state, info = self.step(state, batch)
        return state, info._replace(loss=Slow(float(info.loss), clock))

    monkeypatch.setattr(OnDevices, "take_step", take_step)
    monkeypatch.setattr(loop.jax, "device_get", lambda tree: jax.tree.map(np.asarray, tree))

    def wait(step):
        clock[0] += 100  # an evaluation, which is apart

    *_, progress = train(tmp_path / "run", on_evaluation=wait)
    assert progress.seconds == 24  # 2 for each of 12 steps
    rates = [line["examples_per_second"] for line in read_log(Workdir(tmp_path / "run")) if "loss" in line]
    assert set(rates) == {2.0}


class Slow:
    """A loss that is there 2 seconds after it was asked for."""

    def __init__(self, value, clock):
        self.value, self.clock = value, clock

    def __array__(self, dtype=None, copy=None):
        self.clock[0] += 2
        return np.asarray(self.value, dtype)


@pytest.mark.parametrize(("where", "step"), WHERE)
def test_a_signal_loses_nothing_and_ends_after_the_step(train, undisturbed, tmp_path, where, step):
    taken = []

    def note(now):
        taken.append(now)
        at(step)(now)

    calls = {"on_step": note} if where == "on_step" else {"on_step": taken.append, "on_evaluation": at(step)}
    with pytest.raises(Preempted, match=f"ended by SIGTERM after step {step}, which is saved") as ended:
        train(tmp_path / "run", **calls)
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert results(train(tmp_path / "run", resume=True, on_step=taken.append)) == undisturbed[1]
    assert taken == list(range(1, 13))
    assert lines(tmp_path / "run") == lines(undisturbed[0])


@pytest.fixture
def usual_signals():
    """What Python does at SIGINT; a shell that starts this in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_signal_before_the_first_step(train, undisturbed, tmp_path, monkeypatch, usual_signals):
    monkeypatch.setattr(loop, "batches", lambda *args, **kwargs: [signal.raise_signal(signal.SIGINT)])
    with pytest.raises(Preempted, match="ended by SIGINT") as ended:
        train(tmp_path / "run")
    assert ended.value.code == 130


def test_a_second_signal_of_the_kind_ends_the_process_and_one_of_the_other_does_not(tmp_path, usual_signals):
    with Notice(tmp_path).watching() as notice, notice.deferred():
        signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) != signal.SIG_DFL
        assert notice.reached()
        notice._signal = None  # taken back: the block's end would raise
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_signals_that_the_program_handles_are_its_own(tmp_path):
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("mine"))
    try:
        with Notice(tmp_path).watching():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == ["mine"]
    worker = threading.Thread(target=lambda: seen.append(Notice(tmp_path).watching().__enter__().reached()))
    worker.start()
    worker.join()
    assert seen == ["mine", False]


def test_several_processes_end_where_jax_says(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    sync = "jax.experimental.multihost_utils.reached_preemption_sync_point"
    monkeypatch.setattr(sync, lambda step: asked.append(step) or step == 2)
    with Notice(tmp_path).watching() as notice:
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL  # for Python; JAX has its own
        assert [notice.reached() for _ in range(3)] == [False, False, True]
    assert asked == [0, 1, 2]
    assert notice.ending().code == 0
    assert "the platform's preemption notice" in str(notice.ending())


def test_lines_of_a_step_that_is_evaluated_again_are_written_once(train, undisturbed, tmp_path, monkeypatch):
    with pytest.raises(Preempted):
        train(tmp_path / "run", on_evaluation=at(4))
    with monkeypatch.context() as patch:
        patch.setattr(loop.Checkpoints, "save", lambda *_: 1 / 0)  # killed between the lines and the checkpoint
        with pytest.raises(ZeroDivisionError):
            train(tmp_path / "run", resume=True)
    assert results(train(tmp_path / "run", resume=True)) == undisturbed[1]
    assert lines(tmp_path / "run") == lines(undisturbed[0])


def test_a_damaged_checkpoint_costs_its_steps_alone(train, undisturbed, tmp_path, caplog):
    with pytest.raises(Preempted):
        train(tmp_path / "run", on_step=at(10))
    folder = Workdir(tmp_path / "run").checkpoints(MODEL.name)
    assert sorted(path.name for path in folder.iterdir()) == ["10", "8"]
    shutil.rmtree(folder / "10" / "rest")
    assert results(train(tmp_path / "run", resume=True)) == undisturbed[1]
    assert lines(tmp_path / "run") == lines(undisturbed[0])
    assert f"checkpoint 10 in {folder} is damaged" in caplog.text


def test_where_the_best_is_lost_the_run_goes_on_with_the_next(train, tmp_path, caplog):
    config = dataclasses.replace(CONFIG, eval=dataclasses.replace(CONFIG.eval, keep=1))
    train(tmp_path / "run", config=config)
    folder = Workdir(tmp_path / "run").checkpoints(MODEL.name)
    assert sorted(path.name for path in folder.iterdir()) == ["12", "8"]
    shutil.rmtree(folder / "8")
    params, steps, progress = train(tmp_path / "run", resume=True, config=config)
    assert params["sum"].tolist() == [78.0, 78.0]
    assert (steps, progress.best_step, progress.best_metric) == (12, 12, 0.25)
    assert f"checkpoint 8 in {folder} is damaged" in caplog.text


def test_checkpoints_by_the_clock(train, undisturbed, tmp_path, monkeypatch):
    config = dataclasses.replace(CONFIG, checkpoint=CheckpointConfig(every_minutes=1.0))
    clock = [0.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])

    def die(step):
        clock[0] += 25.0
        if step == 8:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        train(tmp_path / "run", config=config, on_step=die)
    folder = Workdir(tmp_path / "run").checkpoints(MODEL.name)
    assert sorted(path.name for path in folder.iterdir()) == ["3", "4"]  # 75 s; an evaluation; 50 s later at step 6
    taken = []
    assert results(train(tmp_path / "run", resume=True, config=config, on_step=taken.append)) == undisturbed[1]
    assert taken[0] == 5
    assert lines(tmp_path / "run") == lines(undisturbed[0])


def test_the_command_that_goes_on():
    given = ["train", "--config=demo", "--workdir", "a b", "--config.seed=1", "--resume"]
    assert command_to_go_on(given, Path("a b")) == "sigfft train --config=demo --config.seed=1 '--workdir=a b' --resume"
    assert command_to_go_on(["train"], Path("runs/demo-2")) == "sigfft train --workdir=runs/demo-2 --resume"
