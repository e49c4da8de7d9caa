"""Placement of the train step on devices: pmapped over the batch, or over a ("data", "labels") mesh.

Transfers between host and devices are explicit: `place` and `feed` make them, and `take_step` refuses any other.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Shaped

from sigfft.data import Batch, Dataset
from sigfft.encoders import Examples
from sigfft.training.config import Config, OptimConfig
from sigfft.training.lazy import Sizes, most_rows
from sigfft.training.model import Model, ModelParams
from sigfft.training.seal import in_one_piece
from sigfft.training.step import DATA, LABELS, StepInfo, TrainState, init_state, make_device_step


class OnDevices(NamedTuple):
    """How a state lives on devices and takes steps there."""

    init: Callable[[], TrainState]  # () -> the state before the first step, on one device
    place: Callable[[TrainState], TrainState]  # state of one device -> the same, each part on the devices that own it
    feed: Callable[[Batch], Any]  # this host's share of a batch, (examples, ...) -> what `step` takes
    # (state, fed batch) -> (state, StepInfo); the state is donated
    step: Callable[[TrainState, Any], tuple[TrainState, StepInfo]]
    params: Callable[[TrainState], ModelParams]  # state -> its parameters, each array in one piece
    stored: Callable[[TrainState], TrainState]  # state -> the same as checkpoints take it
    shapes: TrainState  # of the state of `init`
    layout: TrainState  # of the state that `place` gives: shapes, and the devices of each part

    def take_step(self, state: TrainState, batch: Batch) -> tuple[TrainState, StepInfo]:
        """One step on this host's share of a batch, with no transfer that nobody asked for.

        On CPUs JAX sees those from host to device and from device to device, and not those back to the host.
        """
        fed = self.feed(batch)  # asked for; but the guard takes that of an array over processes for an implicit one
        with jax.transfer_guard("disallow"):
            return self.step(state, fed)


def check_devices(config: OptimConfig) -> None:
    """Raises ValueError where the batch or the labels cannot be split over the devices of all processes."""
    count, local = jax.device_count(), jax.local_device_count()
    if config.batch_size % count:
        near = max(1, round(config.batch_size / count)) * count
        raise ValueError(f"optim.batch_size={config.batch_size} must be a multiple of the {count} devices; try {near}")
    if local % config.label_shards:
        given, fits = config.label_shards, [str(shards) for shards in range(1, local + 1) if local % shards == 0]
        raise ValueError(
            f"optim.label_shards={given} must divide the {local} devices of a process; try {', '.join(fits)}"
        )


def on_devices(model: Model, config: Config, data: Dataset) -> OnDevices:
    """Training of a model on all devices, with its labels split as the config says, on the batches of `data`."""
    shards, sizes = config.optim.label_shards, most_rows(model, config, data)
    if shards == 1:
        return make_data_parallel(model, config.optim, config.seed, sizes=sizes)
    mesh = make_mesh(jax.device_count() // shards, shards)
    return make_label_parallel(model, config.optim, config.seed, mesh, sizes)


def make_data_parallel(
    model: Model,
    config: OptimConfig,
    seed: int,
    devices: Sequence[jax.Device] | None = None,
    sizes: Sizes | None = None,
) -> OnDevices:
    """Every device of every process holds the whole state and takes a share of each batch.

    `seed` is of the start and of dropout; the default is all devices of all processes; `sizes` are as for
    `make_device_step`.
    """
    step = make_device_step(model, config, seed, sizes=sizes)
    init = functools.partial(init_state, model, config, seed)
    replicated, split = local_shardings(devices)
    shapes = jax.eval_shape(init)
    return OnDevices(
        init=init,
        place=lambda state: jax.device_put(jax.device_get(state), replicated),
        feed=lambda batch: split_over_devices(batch, split),
        step=jax.pmap(
            step, axis_name=DATA, in_axes=(None, 0), out_axes=(None, None), donate_argnums=0, devices=devices
        ),
        params=lambda state: state.params,
        stored=jax.device_get,  # each process has the whole state, and the first one writes
        shapes=shapes,
        layout=jax.tree.map(lambda leaf: _placed(leaf, leaf.shape, replicated), shapes),
    )


def local_shardings(devices: Sequence[jax.Device] | None = None) -> tuple[NamedSharding, NamedSharding]:
    """How a pmapped function has its arguments on this host: whole on each device, and split by the first axis."""
    local = jax.local_devices() if devices is None else [d for d in devices if d.process_index == jax.process_index()]
    mesh = Mesh(np.array(local), (DATA,))
    return NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(DATA))


def split_over_devices(batch: Batch, sharding: NamedSharding) -> dict[str, Shaped[Array, "devices examples ..."]]:
    """The batch of this host as (devices, examples per device, ...), each device's share on it."""
    n_devices = len(sharding.device_set)
    shares = {name: value.reshape(n_devices, -1, *value.shape[1:]) for name, value in batch.items()}
    return jax.device_put(shares, sharding)


def make_mesh(data: int, labels: int) -> Mesh:
    """A mesh over the first data·labels devices that splits batches `data` ways and labels `labels` ways.

    Raises:
      ValueError: a size below 1, or fewer devices than that.
    """
    if data < 1 or labels < 1:
        raise ValueError(f"a mesh of {data} × {labels} must be at least 1 × 1")
    devices = jax.devices()[: data * labels]
    if len(devices) < data * labels:
        raise ValueError(f"a mesh of {data} × {labels} needs {data * labels} devices; there are {len(devices)}")
    return jax.make_mesh((data, labels), (DATA, LABELS), axis_types=(AxisType.Auto, AxisType.Auto), devices=devices)


def make_label_parallel(
    model: Model, config: OptimConfig, seed: int, mesh: Mesh, sizes: Sizes | None = None
) -> OnDevices:
    """Each device owns a range of labels, with their parameters and optimiser state; it takes one device's steps.

    If the labels cannot be split evenly, the last device's range is filled up with rows that never count and are zero;
    `params` drops them. A state is made in one piece, which the memory of one device must hold then, and written and
    restored by each device's part.

    `config.block_size` is of each device's labels, `seed` of the start and of dropout, `mesh` from `make_mesh`;
    `sizes` are as for `make_device_step`.
    """
    held = -(-model.head.n_labels // mesh.shape[LABELS])
    init = functools.partial(init_state, model, config, seed)
    shapes = jax.eval_shape(init)
    specs = _specs(shapes, model)
    by_example = NamedSharding(mesh, PartitionSpec(DATA))

    def lay(leaf, spec):
        rows = (held * mesh.shape[LABELS],) if spec == PartitionSpec(LABELS) else leaf.shape[:1]
        return _placed(leaf, rows + leaf.shape[1:], NamedSharding(mesh, spec))

    layout = jax.tree.map(lay, shapes, specs)

    def place(state: TrainState) -> TrainState:
        def place_leaf(leaf, like):
            values = np.asarray(leaf)
            if values.ndim:
                values = np.pad(values, [(0, now - old) for now, old in zip(like.shape, values.shape, strict=True)])
            return jax.device_put(values, like.sharding)

        return jax.tree.map(place_leaf, state, layout)

    def feed(batch: Batch) -> Examples:
        return {name: jax.make_array_from_process_local_data(by_example, value) for name, value in batch.items()}

    def params(state: TrainState) -> ModelParams:
        return jax.tree.map(in_one_piece, state.params, shapes.params)

    # Replication is not checked: the loss's gradient is our own, and its sum over "labels" is made by hand.
    step = jax.shard_map(
        make_device_step(model, config, seed, held, sizes),
        mesh=mesh,
        in_specs=(specs, PartitionSpec(DATA)),
        out_specs=(specs, PartitionSpec()),
        check_vma=False,
    )
    return OnDevices(init, place, feed, jax.jit(step, donate_argnums=0), params, lambda state: state, shapes, layout)


def _specs(state: TrainState, model: Model) -> Any:
    """Which leaves are split by label: parameters of that kind, and what the optimiser keeps for each of them."""

    def spec(path, _):
        names = [getattr(key, "key", None) for key in path[-2:]]
        own = len(names) == 2 and names[0] == "head" and names[1] in model.head.per_label
        return PartitionSpec(LABELS) if own else PartitionSpec()

    return jax.tree.map_with_path(spec, state)


def _placed(leaf: Any, shape: tuple[int, ...], sharding: NamedSharding) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=sharding)
