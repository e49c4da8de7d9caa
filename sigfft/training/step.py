"""Train step of one device: pure, over a batch axis and perhaps a labels axis; `sigfft.training.devices` places it."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from sigfft.encoders import Examples
from sigfft.heads import per_label_params
from sigfft.losses import LOSSES, PerLabelLoss, of_head, sum_over_labels
from sigfft.training import lazy
from sigfft.training.arguments import arguments_for, chosen
from sigfft.training.config import OptimConfig
from sigfft.training.model import Model, ModelParams
from sigfft.varying import vary_like

DATA, LABELS = "data", "labels"


class TrainState(NamedTuple):
    """What a step carries on."""

    step: Int[Array, ""]
    params: ModelParams
    optimizer: Any


class StepInfo(NamedTuple):
    """What a step reports: means over the whole batch."""

    loss: Float[Array, ""]
    gradient_norm: Float[Array, ""]


SCHEDULES: dict[str, Callable[[float, int, int], optax.Schedule]] = {  # of the peak, steps of warm-up, and all steps
    "cosine": lambda peak, warmup, steps: optax.warmup_cosine_decay_schedule(0.0, peak, warmup, steps),
    "constant": lambda peak, warmup, _: optax.linear_schedule(0.0, peak, warmup) if warmup else lambda step: peak,
}
DeviceStep = Callable[[TrainState, Examples], tuple[TrainState, StepInfo]]


def make_loss(config: OptimConfig) -> PerLabelLoss:
    """The loss that a config names, with its options."""
    loss = chosen(LOSSES, config.loss, "optim.loss")
    return loss(**arguments_for(loss, config.loss_options, "optim.loss_options", config.loss))


def make_optimizer(config: OptimConfig) -> optax.GradientTransformation:
    """Adam or AdamW with a learning rate each for encoder and head, or for the one of them that is trained."""

    def adam(peak: float, weight_decay: float) -> optax.GradientTransformation:
        rate = SCHEDULES[config.schedule](peak, config.warmup_steps, max(config.steps, 1))
        matrices = functools.partial(jax.tree.map, lambda leaf: leaf.ndim > 1)
        decay = optax.add_decayed_weights(weight_decay, mask=matrices)
        return optax.chain(
            optax.scale_by_adam(),
            decay if weight_decay else optax.identity(),
            optax.scale_by_learning_rate(rate),
        )

    parts = {
        "encoder": adam(config.learning_rate, config.encoder_weight_decay or config.weight_decay),
        "head": adam(config.head_learning_rate or config.learning_rate, config.weight_decay),
    }
    return optax.partition(parts, lambda params: {part: part for part in params})


def init_state(model: Model, config: OptimConfig, seed: int) -> TrainState:
    """The state before the first step."""
    params = model.init(jax.random.key(seed))
    return TrainState(jnp.zeros((), jnp.int32), params, make_optimizer(config).init(model.trained(params)))


def make_device_step(
    model: Model, config: OptimConfig, seed: int, held: int | None = None, sizes: lazy.Sizes | None = None
) -> DeviceStep:
    """The step of one device on its share of the batch, and perhaps of the labels.

    Gradients are averaged over the axis `DATA`, which must be there. With `held` labels a device there is an axis
    `LABELS` as well: every device of it computes the same activations, and then the loss of its own labels alone. Over
    it only the loss, the activations' gradient and the norm are summed; nothing as long as the label space travels.

    With `lazy_embeddings` the step is of the rows of the encoder's tables that the batch of all devices reads: at most
    so many as `sizes` says, if it does. The loss of a batch that reads more is not a number.

    `seed` is of dropout, which depends on the step and the place along `DATA` too, and not on that along `LABELS`.
    """
    optimizer, loss = make_optimizer(config), make_loss(config)
    head = model.output
    tables = model.encoder.tables if config.lazy_embeddings else {}
    per_label = head.per_label - head.given if held is not None else frozenset[str]()

    def step(state: TrainState, examples: Examples) -> tuple[TrainState, StepInfo]:
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), state.step), jax.lax.axis_index(DATA))

        read = lazy.read(tables, sizes or {}, state.params["encoder"], examples, DATA)
        before, carried = lazy.taken((state.params, state.optimizer), read.rows)

        def loss_of(params: ModelParams) -> Float[Array, ""]:
            labels = jnp.asarray(examples["labels"])
            features = model.features(params["encoder"], read.examples, key)
            if held is None:
                return of_head(loss, head, params["head"], features, labels, config.block_size or None)
            z = _sum_gradient(head.project(params["head"], features), LABELS)
            own, offset = per_label_params(head, params["head"]), jax.lax.axis_index(LABELS) * held
            block_size = config.block_size or held
            total = sum_over_labels(loss, head, own, z, labels, block_size=block_size, held=held, offset=offset)
            return total / len(z)

        own = vary_like(before, key)  # each device's own gradient, which `pmean` averages
        loss_of_trained = lambda trained: loss_of(model.with_trained(own, trained))  # noqa: E731
        value, gradient = jax.value_and_grad(loss_of_trained)(model.trained(own))
        if held is not None:
            value = jax.lax.psum(value, LABELS)
        value, gradient = jax.lax.pmean((value, gradient), DATA)
        norm = _global_norm(gradient, per_label)
        if config.clip_norm:
            # By hand, and not in the optimiser: the norm of one device's part is not the gradient's.
            scale = jnp.minimum(1, config.clip_norm / norm)
            gradient = jax.tree.map(lambda leaf: leaf * scale, gradient)
        trained = model.trained(before)
        updates, carried = optimizer.update(gradient, carried, trained)
        after = model.with_trained(before, optax.apply_updates(trained, updates)), carried
        params, carried = lazy.put((state.params, state.optimizer), after, read.rows)
        value = jnp.where(read.whole, value, jnp.nan)
        return TrainState(state.step + 1, params, carried), StepInfo(value, norm)

    return step


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _sum_gradient(z: Float[Array, "batch dim"], axis_name: str) -> Float[Array, "batch dim"]:
    """The identity, whose gradient is summed over the devices of an axis: each has that of its own labels."""
    return z


_sum_gradient.defvjp(
    lambda z, axis_name: (z, None), lambda axis_name, _, gradient: (jax.lax.psum(gradient, axis_name),)
)


def _global_norm(gradient: ModelParams, per_label: frozenset[str]) -> Float[Array, ""]:
    """Euclidean norm over all labels: of the parameters named, each device along `LABELS` has its own rows."""
    squares = jax.tree.map(lambda leaf: jnp.square(leaf).sum(), gradient)
    own = [squares["head"].pop(name) for name in sorted(per_label)]
    total = sum(jax.tree.leaves(squares), jnp.zeros(()))
    return jnp.sqrt(total + jax.lax.psum(sum(own), LABELS) if own else total)
