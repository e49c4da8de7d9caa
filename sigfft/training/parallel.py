"""Label-parallel training: each device owns a range of labels, with their parameters and optimiser state.

Devices form a ("data", "labels") mesh. A batch is split over "data"; every device of one row of the mesh computes the
same activations and then the loss of its own labels alone. Over "labels" only the loss and the activations' gradient
are summed; nothing as long as the label space ever travels there.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float

from sigfft.data import Batch as HostBatch
from sigfft.encoders import Batch
from sigfft.heads import per_label_params
from sigfft.losses import PerLabelLoss, binary_cross_entropy, sum_over_labels
from sigfft.training.config import OptimConfig
from sigfft.training.model import Model, Params
from sigfft.training.step import OnDevices, StepInfo, TrainState, init_state, make_optimizer

DATA, LABELS = "data", "labels"


def make_mesh(data: int, labels: int, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh that splits batches `data` ways and labels `labels` ways; default: over the first data·labels devices.

    Raises:
      ValueError: a size below 1, or fewer devices than that.
    """
    if data < 1 or labels < 1:
        raise ValueError(f"a mesh of {data} × {labels} must be at least 1 × 1")
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
    loss: PerLabelLoss | None = None,
) -> OnDevices:
    """Training of a model with its labels split over a mesh; it takes the same steps as one device would.

    If the labels cannot be split evenly, the last device's range is filled up with rows that never count; `whole` drops
    them. A state is made, and written, in one piece: the memory of one device, or of the host, must hold it then.

    Args:
      model: what is trained.
      config: of the optimiser, and its block_size, of each device's labels; gradients are clipped by the norm over all.
      seed: of the start and of dropout, which differs along "data" and not along "labels".
      mesh: from `make_mesh`.
      loss: default: binary cross-entropy.
    """
    held = -(-model.head.n_labels // mesh.shape[LABELS])
    # The norm of one device's part is not the gradient's: clipping is done here.
    optimizer = make_optimizer(dataclasses.replace(config, clip_norm=0.0))
    device_step = _make_device_step(
        model,
        optimizer,
        config.clip_norm,
        seed,
        held,
        min(config.block_size or held, held),
        loss or binary_cross_entropy(),
    )

    def init() -> TrainState:
        return init_state(model, optimizer, seed)

    specs = _specs(jax.eval_shape(init), model)
    by_example = NamedSharding(mesh, PartitionSpec(DATA))

    def place(state: TrainState) -> TrainState:
        def place_leaf(leaf, spec):
            values = np.asarray(leaf)
            if spec == PartitionSpec(LABELS):
                rows = held * mesh.shape[LABELS] - len(values)
                values = np.pad(values, [(0, rows)] + [(0, 0)] * (values.ndim - 1))
            return jax.device_put(values, NamedSharding(mesh, spec))

        return jax.tree.map(place_leaf, state, specs)

    def feed(batch: HostBatch) -> Batch:
        return {name: jax.make_array_from_process_local_data(by_example, value) for name, value in batch.items()}

    def whole(state: TrainState) -> TrainState:
        def gather(leaf, spec):
            own = spec == PartitionSpec(LABELS)
            if own and not leaf.is_fully_addressable:
                leaf = multihost_utils.process_allgather(leaf, tiled=True)
            return np.asarray(leaf)[: model.head.n_labels] if own else np.asarray(leaf)

        return jax.tree.map(gather, state, specs)

    # Replication is not checked: the loss's gradient is our own, and its sum over "labels" is made by hand below.
    step = jax.shard_map(
        device_step,
        mesh=mesh,
        in_specs=(specs, PartitionSpec(DATA)),
        out_specs=(specs, PartitionSpec()),
        check_vma=False,
    )
    return OnDevices(init, place, feed, jax.jit(step, donate_argnums=0), whole)


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
            own = per_label_params(head, params["head"])
            total = sum_over_labels(
                loss, head, own, z, batch["labels"], block_size=block_size, held=held, offset=offset
            )
            return total / len(z)

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
