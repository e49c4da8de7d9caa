"""Training one head: steps, logs, evaluations, checkpoints, early stopping."""

import math
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sigfft.data import Dataset, batches
from sigfft.training.checkpoint import Checkpoints, Progress
from sigfft.training.config import Config
from sigfft.training.devices import on_devices
from sigfft.training.evaluate import Evaluate
from sigfft.training.model import Model, ModelParams
from sigfft.training.watchdog import step_watch
from sigfft.training.workdir import RunLog, Workdir, forget_after


def train(
    model: Model, config: Config, train_data: Dataset, evaluate_dev: Evaluate | None, workdir: Workdir, resume: bool
) -> tuple[ModelParams, int, Progress]:
    """Trains until `optim.steps`, or until `eval.patience` evaluations brought nothing better.

    A run that is resumed takes up its latest checkpoint and gives the parameters, to the bit, that it would have given
    without the interruption. Without `evaluate_dev` the last step counts as the best.

    Returns:
      The parameters of the best checkpoint, on one device; the steps taken; and how they went.

    Raises:
      FloatingPointError: the loss of a step was not finite.
      ValueError: the checkpoint to go on from is damaged or of another model.
    """
    devices = on_devices(model, config)
    checkpoints = Checkpoints(workdir.checkpoints(model.name))
    state, progress = devices.init(), Progress()
    if resume and (latest := checkpoints.latest_step()) is not None:
        state, progress = checkpoints.restore(state, latest)
    step = int(state.step)
    state = devices.place(state)
    forget_after(workdir, model.name, step)
    log = RunLog(workdir, model.name, step, config.optim.steps)
    order: dict[str, Any] = {"seed": config.seed, "shuffle": True, "num_epochs": None, "start_step": step}
    host = {"process_index": jax.process_index(), "process_count": jax.process_count()}
    stream = iter(batches(train_data, config.optim.batch_size, **order, **host))
    patience = config.eval.patience or math.inf
    watched = step_watch(config.optim.step_timeout)
    pending: list[Array] = []  # losses stay on the device until they are logged
    started = time.perf_counter()
    try:
        while step < config.optim.steps and progress.stale_evaluations < patience:
            with watched(step + 1):
                state, info = devices.take_step(state, next(stream))
            step += 1
            pending.append(info.loss)
            evaluation = step % config.eval.every == 0 or step == config.optim.steps
            if step % config.eval.log_every == 0 or evaluation:
                with watched(step):
                    losses = _finite(pending, step)
                elapsed, n_logged, pending = time.perf_counter() - started, len(pending), []
                rate = n_logged * config.optim.batch_size / elapsed
                progress = progress._replace(seconds=progress.seconds + elapsed)
                norm = float(jax.device_get(info.gradient_norm))
                log.write(step, {"loss": float(losses.mean()), "gradient_norm": norm, "examples_per_second": rate})
                log.progress(step, loss=f"{losses.mean():.4g}", examples_per_second=f"{rate:.0f}")
                if evaluation:
                    saved = devices.whole(state)
                    progress = _evaluate(saved.params, step, progress, evaluate_dev, config, log)
                    checkpoints.save(saved, progress, progress.best_metric if progress.best_step == step else -math.inf)
                started = time.perf_counter()
        best = devices.whole(state)
        if progress.best_step != step:
            best, _ = checkpoints.restore(best, progress.best_step)
    finally:
        log.close()
        checkpoints.close()
    params = jax.tree.map(jnp.asarray, jax.device_get(best.params))  # on one device, however they were trained
    return params, step, progress


def _finite(losses: list[Array], last_step: int) -> np.ndarray:
    values = np.asarray(jax.device_get(losses), np.float64)
    if not np.isfinite(values).all():
        first = last_step - len(values) + 1 + int(np.argmin(np.isfinite(values)))
        raise FloatingPointError(
            f"the loss of step {first} is {values[~np.isfinite(values)][0]}; lower optim.learning_rate, "
            "lengthen optim.warmup_steps, or set optim.clip_norm=1"
        )
    return values


def _evaluate(
    params: ModelParams, step: int, progress: Progress, evaluate_dev: Evaluate | None, config: Config, log: RunLog
) -> Progress:
    if evaluate_dev is None:
        return progress._replace(best_metric=float(step), best_step=step)
    metrics = evaluate_dev(params)
    log.write(step, {f"dev {name}": value for name, value in metrics.items()})
    metric = metrics[config.eval.metric]
    if metric > progress.best_metric:
        return progress._replace(best_metric=metric, best_step=step, stale_evaluations=0)
    return progress._replace(stale_evaluations=progress.stale_evaluations + 1)
