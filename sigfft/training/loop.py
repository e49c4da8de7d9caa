"""Training one head: steps, logs, evaluations, checkpoints, early stopping, and an end from outside."""

import contextlib
import math
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from sigfft.data import Dataset, batches
from sigfft.training.checkpoint import Checkpoints, Progress
from sigfft.training.config import Config
from sigfft.training.devices import on_devices
from sigfft.training.evaluate import LOSS, Evaluate
from sigfft.training.log import RunLog, forget_after
from sigfft.training.model import Model, ModelParams
from sigfft.training.preemption import Notice, Preempted
from sigfft.training.step import StepInfo
from sigfft.training.watchdog import step_watch
from sigfft.training.workdir import Workdir


def train(
    model: Model,
    config: Config,
    train_data: Dataset,
    evaluate_dev: Evaluate | None,
    workdir: Workdir,
    resume: bool,
    notice: Notice | None = None,
) -> tuple[ModelParams, int, Progress]:
    """Trains until `optim.steps`, or until `eval.patience` evaluations brought nothing better.

    A run that is resumed takes up its latest checkpoint that is whole and gives the parameters, to the bit, that it
    would have given without the interruption; on other devices, up to the order of sums. Without `evaluate_dev` the
    last step counts as the best. `notice` tells when to end early, with the state saved.

    Returns:
      The parameters of the best checkpoint, on one device; the steps taken; and how they went.

    Raises:
      FloatingPointError: the loss of a step was not finite.
      OSError: a checkpoint could not be written.
      Preempted: the run was to end early.
      ValueError: no checkpoint is whole, or they are of another model.
    """
    devices, notice = on_devices(model, config, train_data), notice or Notice(workdir.path)
    with contextlib.ExitStack() as stack:
        checkpoints = Checkpoints(workdir.checkpoints(model.name), config.eval.keep)
        stack.callback(checkpoints.close)
        found = checkpoints.newest(devices.layout, devices.shapes) if resume else None
        state, progress = found or (devices.place(devices.init()), Progress())
        step = int(state.step)
        forget_after(workdir, model.name, step - bool(progress.losses))  # the lines of those are still to be written
        log = RunLog(workdir, model.name, step, config.optim.steps)
        stack.callback(log.close)
        order: dict[str, Any] = {"seed": config.seed, "shuffle": True, "num_epochs": None, "start_step": step}
        host = {"process_index": jax.process_index(), "process_count": jax.process_count()}
        stream = iter(batches(train_data, config.optim.batch_size, **order, **host))
        patience = config.eval.patience or math.inf
        saved_step, schedule = step, _Schedule(config.checkpoint.every_minutes)
        watched = step_watch(config.optim.step_timeout)
        pending: list[StepInfo] = []  # of steps since the last line of the log: they stay on the devices until then
        started = time.perf_counter()
        with notice.deferred():
            while True:
                evaluation = step % config.eval.every == 0 or step == config.optim.steps
                to_log = bool(pending or progress.losses) and (evaluation or step % config.eval.log_every == 0)
                ending = notice.reached()
                if to_log or ending:
                    with watched(step):
                        infos = jax.device_get(pending)  # waits for the steps, which are begun and not done
                    elapsed = time.perf_counter() - started
                    rate, started = len(infos) * config.optim.batch_size / elapsed, time.perf_counter()
                    progress, pending = _with_losses(progress, infos, step, elapsed), []
                    if ending:
                        if step > saved_step:
                            checkpoints.save(devices.stored(state), progress, devices.shapes)
                        checkpoints.finish()
                        raise notice.ending(f" after step {step}, which is saved" if step else " before the first step")
                    try:
                        metrics = _measured(evaluate_dev, devices.params(state), notice) if evaluation else None
                    except Preempted:
                        continue  # to the end: the step is saved as one that is still to be evaluated
                    progress = _logged(progress, metrics, step, rate, config.eval.metric, log)
                    if evaluation or schedule.is_due():
                        checkpoints.save(devices.stored(state), progress, devices.shapes)
                        saved_step = step
                        schedule.restart()
                    started = time.perf_counter()
                if step >= config.optim.steps or progress.stale_evaluations >= patience:
                    break
                with watched(step + 1):
                    state, info = devices.take_step(state, next(stream))
                step += 1
                pending.append(info)
            checkpoints.finish()
        params, progress = checkpoints.best(progress, step, devices.shapes.params)
        params = devices.params(state) if params is None else params
    on_one_device = jax.tree.map(jnp.asarray, jax.device_get(params))  # wherever they were trained
    return on_one_device, step, progress


class _Schedule:
    """When a checkpoint is due by the clock of the first process; 0 minutes: never."""

    def __init__(self, minutes: float):
        self._seconds = 60 * minutes
        self.restart()

    def restart(self) -> None:
        self._started = time.monotonic()

    def is_due(self) -> bool:
        if not self._seconds:
            return False
        passed = time.monotonic() - self._started >= self._seconds
        return bool(multihost_utils.broadcast_one_to_all(np.asarray(passed)))


def _with_losses(progress: Progress, infos: list[StepInfo], step: int, seconds: float) -> Progress:
    """The progress with what the last steps, up to `step`, report and took."""
    values = np.asarray([info.loss for info in infos], np.float64)
    if not np.isfinite(values).all():
        first = step - len(values) + 1 + int(np.argmin(np.isfinite(values)))
        raise FloatingPointError(
            f"the loss of step {first} is {values[~np.isfinite(values)][0]}; lower optim.learning_rate, "
            "lengthen optim.warmup_steps, or set optim.clip_norm=1"
        )
    norm = float(infos[-1].gradient_norm) if infos else progress.gradient_norm
    losses = (*progress.losses, *values.tolist())
    return progress._replace(losses=losses, gradient_norm=norm, seconds=progress.seconds + seconds)


def _measured(evaluate_dev: Evaluate | None, params: ModelParams, notice: Notice) -> dict[str, float]:
    """Metrics of the dev split; a signal ends it."""
    if evaluate_dev is None:
        return {}
    with notice.interrupting():
        return evaluate_dev(params)


def _logged(
    progress: Progress, metrics: dict[str, float] | None, step: int, rate: float, metric: str, log: RunLog
) -> Progress:
    """Writes the lines of a step, with those of its evaluation where it had one, and takes that into account."""
    loss, norm = float(np.mean(progress.losses)), progress.gradient_norm
    times = {"examples_per_second": rate, "seconds": progress.seconds}
    log.write(step, {"loss": loss, "gradient_norm": norm, **times})
    log.progress(step, loss=f"{loss:.4g}", examples_per_second=f"{rate:.0f}")
    progress = progress._replace(losses=())
    if metrics is None:
        return progress
    if metrics:
        log.write(step, {f"dev {name}": value for name, value in metrics.items()})
    found = float(metrics.get(metric, step))  # without a dev split later is better
    found = -found if metrics and metric == LOSS else found
    progress = progress._replace(metric=found, evaluated_step=step)
    better = found > progress.best_metric
    if found >= progress.best_metric:  # of equals the later, which has trained for longer, and brings nothing better
        progress = progress._replace(best_metric=found, best_step=step)
    return progress._replace(stale_evaluations=0 if better else progress.stale_evaluations + 1)
