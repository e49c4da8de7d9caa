"""Label-parallel training: each device owns a range of labels, with their parameters and optimiser state.

Devices form a ("data", "labels") mesh. A batch is split over "data"; every device of one row of the mesh computes the
same activations and then the loss of its own labels alone. Over "labels" only the loss and the activations' gradient
are summed; nothing as long as the label space ever travels there.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float

from sigfft.encoders import Batch
from sigfft.heads.blocks import label_blocks, per_label_params
from sigfft.losses import PerLabelLoss, binary_cross_entropy, sum_over_labels
from sigfft.training.config import OptimConfig
from sigfft.training.model import Model, Params
from sigfft.training.step import StepInfo, TrainState, init_state, make_optimizer

DATA, LABELS = "data", "labels"


class LabelParallel(NamedTuple):
    """Training over a mesh.

    Attributes:
      init: () -> the state before the first step, each part on the devices that own it.
      step: (state, batch (examples, ...)) -> (state, StepInfo); jitted, the state is donated.
      whole: parameters of a state -> the model's parameters on the host, in the shapes of `model.init`.
    """

    init: Callable[[], TrainState]
    step: Callable[[TrainState, Batch], tuple[TrainState, StepInfo]]
    whole: Callable[[Params], Params]


def make_mesh(data: int, labels: int, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh that splits batches `data` ways and labels `labels` ways; default: over the first data·labels devices.

    Raises:
      ValueError: there are fewer devices than that.
    """
    devices = jax.devices() if devices is None else devices
    if len(devices) < data * labels:
        raise ValueError(f"a mesh of {data} × {labels} needs {data * labels} devices; there are {len(devices)}")
    return jax.make_mesh(
        (data, labels), (DATA, LABELS), axis_types=(AxisType.Auto, AxisType.Auto), devices=devices[: data * labels]
    )


def make_label_parallel(
    model: Model,
    config: OptimConfig,
    seed: int,
    mesh: Mesh,
    block_size: int = 4096,
    loss: PerLabelLoss | None = None,
) -> LabelParallel:
    """Training of a model with its labels split over a mesh; it takes the same steps as one device would.

    If the labels cannot be split evenly, the last device's range is filled up with rows that never count.

    Args:
      model: what is trained.
      config: of the optimiser; gradients are clipped by the norm over all devices.
      seed: of the start and of dropout, which differs along "data" and not along "labels".
      mesh: from `make_mesh`.
      block_size: labels that a device holds the logits of at one time.
      loss: default: binary cross-entropy.
    """
    held = -(-model.head.n_labels // mesh.shape[LABELS])
    # The norm of one device's part is not the gradient's: clipping is done here.
    optimizer = make_optimizer(dataclasses.replace(config, clip_norm=0.0))
    device_step = _make_device_step(
        model, optimizer, config.clip_norm, seed, held, block_size, loss or binary_cross_entropy()
    )
    specs = _specs(jax.eval_shape(lambda: init_state(model, optimizer, seed)), model)

    def init() -> TrainState:
        def place(leaf, spec):
            if spec == PartitionSpec(LABELS):
                rows = held * mesh.shape[LABELS] - len(leaf)
                leaf = np.pad(np.asarray(leaf), [(0, rows)] + [(0, 0)] * (leaf.ndim - 1))
            return jax.device_put(leaf, NamedSharding(mesh, spec))

        return jax.tree.map(place, init_state(model, optimizer, seed), specs)

    def whole(params: Params) -> Params:
        def cut(leaf, spec):
            return np.asarray(leaf)[: model.head.n_labels] if spec == PartitionSpec(LABELS) else np.asarray(leaf)

        return jax.tree.map(cut, params, specs.params)

    # Replication is not checked: the loss's gradient is our own, and its sum over "labels" is made by hand below.
    step = jax.shard_map(
        device_step,
        mesh=mesh,
        in_specs=(specs, PartitionSpec(DATA)),
        out_specs=(specs, PartitionSpec()),
        check_vma=False,
    )
    return LabelParallel(init, jax.jit(step, donate_argnums=0), whole)


def _make_device_step(
    model: Model,
    optimizer: optax.GradientTransformation,
    clip_norm: float,
    seed: int,
    held: int,
    block_size: int,
    loss: PerLabelLoss,
) -> Callable[[TrainState, Batch], tuple[TrainState, StepInfo]]:
    head = model.head

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, StepInfo]:
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), state.step), jax.lax.axis_index(DATA))
        offset = jax.lax.axis_index(LABELS) * held

        def loss_of(params: Params) -> Float[Array, ""]:
            z = head.project(params["head"], model.features(params["encoder"], batch, key))
            z = _sum_gradient(z, LABELS)
            blocks = label_blocks(head, block_size, held, z.dtype)
            own = per_label_params(head, params["head"])
            return sum_over_labels(loss, blocks, own, z, batch["labels"], offset) / len(z)

        value, gradient = jax.value_and_grad(loss_of)(state.params)
        value, gradient = jax.lax.pmean((jax.lax.psum(value, LABELS), gradient), DATA)
        norm = _global_norm(gradient, model)
        if clip_norm:
            scale = jnp.minimum(1, clip_norm / norm)
            gradient = jax.tree.map(lambda leaf: leaf * scale, gradient)
        updates, carried = optimizer.update(gradient, state.optimizer, state.params)
        return TrainState(state.step + 1, optax.apply_updates(state.params, updates), carried), StepInfo(value, norm)

    return step


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _sum_gradient(z: Float[Array, "batch dim"], axis_name: str) -> Float[Array, "batch dim"]:
    """The identity, whose gradient is summed over the devices of an axis: each has that of its own labels."""
    return z


_sum_gradient.defvjp(
    lambda z, axis_name: (z, None), lambda axis_name, _, gradient: (jax.lax.psum(gradient, axis_name),)
)


def _global_norm(gradient: Params, model: Model) -> Float[Array, ""]:
    squares = jax.tree.map(lambda leaf: jnp.square(leaf).sum(), gradient)
    own = [squares["head"].pop(name) for name in model.head.per_label]
    return jnp.sqrt(sum(jax.tree.leaves(squares)) + jax.lax.psum(sum(own, jnp.zeros(())), LABELS))


def _specs(state: TrainState, model: Model) -> Any:
    """Which leaves are split by label: parameters of that kind, and what the optimiser keeps for each of them."""

    def spec(path, _):
        names = [getattr(key, "key", None) for key in path[-2:]]
        own = len(names) == 2 and names[0] == "head" and names[1] in model.head.per_label
        return PartitionSpec(LABELS) if own else PartitionSpec()

    return jax.tree.map_with_path(spec, state)
