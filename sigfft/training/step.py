"""The train step: one pure function per device, pmapped over the batch."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from sigfft import losses
from sigfft.data import Batch as HostBatch
from sigfft.encoders import Batch
from sigfft.training.config import OptimConfig
from sigfft.training.model import Model, Params
from sigfft.varying import vary_like

AXIS = "data"


class TrainState(NamedTuple):
    """What a step carries on; the same on every device."""

    step: Int[Array, ""]
    params: Params
    optimizer: Any


class StepInfo(NamedTuple):
    """What a step reports: means over the whole batch."""

    loss: Float[Array, ""]
    gradient_norm: Float[Array, ""]


class OnDevices(NamedTuple):
    """How a state lives on devices and takes steps there.

    Attributes:
      init: () -> the state before the first step, on one device.
      place: state of one device -> the same, each part on the devices that own it.
      feed: this host's share of a batch, (examples, ...) -> what `step` takes.
      step: (state, fed batch) -> (state, StepInfo); the state is donated.
      whole: state -> the same for one device; the opposite of `place`.
    """

    init: Callable[[], TrainState]
    place: Callable[[TrainState], TrainState]
    feed: Callable[[HostBatch], Any]
    step: Callable[[TrainState, Any], tuple[TrainState, StepInfo]]
    whole: Callable[[TrainState], TrainState]


def make_optimizer(config: OptimConfig) -> optax.GradientTransformation:
    """Adam or AdamW with a learning rate each for encoder and head, warm-up and cosine decay."""

    def adam(peak: float) -> optax.GradientTransformation:
        rate = optax.warmup_cosine_decay_schedule(0.0, peak, config.warmup_steps, max(config.steps, 1))
        decay = optax.add_decayed_weights(config.weight_decay, mask=lambda params: jax.tree.map(_is_matrix, params))
        return optax.chain(
            optax.scale_by_adam(),
            decay if config.weight_decay else optax.identity(),
            optax.scale_by_learning_rate(rate),
        )

    rates = {"encoder": config.learning_rate, "head": config.head_learning_rate or config.learning_rate}
    by_part = optax.partition({part: adam(rate) for part, rate in rates.items()}, {part: part for part in rates})
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), by_part) if config.clip_norm else by_part


def init_state(model: Model, optimizer: optax.GradientTransformation, seed: int) -> TrainState:
    """The state before the first step."""
    params = model.init(jax.random.key(seed))
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params))


def make_device_step(
    model: Model,
    optimizer: optax.GradientTransformation,
    seed: int,
    block_size: int | None = None,
    axis_name: str = AXIS,
) -> Callable[[TrainState, Batch], tuple[TrainState, StepInfo]]:
    """The step of one device on its share of the batch; gradients are averaged over `axis_name`.

    Runs under `jax.pmap` and, unchanged, under `jax.shard_map`. Dropout depends on seed, step and device. The loss
    visits labels in blocks of `block_size`, or all at once without one.
    """

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, StepInfo]:
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), state.step), jax.lax.axis_index(axis_name))

        def loss_of(params: Params) -> Float[Array, ""]:
            features = model.features(params["encoder"], batch, key)
            return losses.bce(model.head, params["head"], features, batch["labels"], block_size)

        params = vary_like(state.params, key)  # each device's own gradient, which `pmean` averages
        loss, gradient = jax.value_and_grad(loss_of)(params)
        loss, gradient = jax.lax.pmean((loss, gradient), axis_name)
        updates, carried = optimizer.update(gradient, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        return TrainState(state.step + 1, params, carried), StepInfo(loss, optax.tree.norm(gradient))

    return step


def make_train_step(
    model: Model,
    optimizer: optax.GradientTransformation,
    seed: int,
    block_size: int | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> Callable[[TrainState, HostBatch], tuple[TrainState, StepInfo]]:
    """`make_device_step` on all devices: the state is replicated and donated, batches are (devices, examples, ...).

    Args:
      model: what is trained.
      optimizer: from `make_optimizer`.
      seed: of dropout.
      block_size: labels that the loss visits at a time; None: all.
      devices: default: all devices of all processes.
    """
    step = make_device_step(model, optimizer, seed, block_size)
    return jax.pmap(step, axis_name=AXIS, in_axes=(None, 0), out_axes=(None, None), donate_argnums=0, devices=devices)


def make_data_parallel(model: Model, config: OptimConfig, seed: int) -> OnDevices:
    """Every device of every process holds the whole state and takes a share of each batch.

    Args:
      model: what is trained.
      config: of the optimiser, and its block_size.
      seed: of the start and of dropout.
    """
    optimizer = make_optimizer(config)
    return OnDevices(
        init=lambda: init_state(model, optimizer, seed),
        place=lambda state: state,
        feed=lambda batch: split_over_devices(batch, jax.local_device_count()),
        step=make_train_step(model, optimizer, seed, config.block_size or None),
        whole=lambda state: state,
    )


def split_over_devices(batch: HostBatch, n_devices: int) -> HostBatch:
    """The batch of this host as (devices, examples per device, ...)."""
    return {name: value.reshape(n_devices, -1, *value.shape[1:]) for name, value in batch.items()}


def _is_matrix(parameter: Array) -> bool:
    return parameter.ndim > 1
