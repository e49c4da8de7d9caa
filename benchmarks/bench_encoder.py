"""Where the milliseconds of a train step go on sparse texts: input, encoder, head, optimiser.

    python benchmarks/bench_encoder.py --data $SIGFFT_DATA

The model of `configs/xmc.py`, as that config settles on it, on tate (36 features of an example at most) and tibkat_en
(1,373, on average 97). Input: a batch of 256 gathered and put on the device, which training does beside the steps;
encoder: features, and the gradient of its parameters; head: loss, and the gradient of its parameters and of the
features; optimiser: Adam, and of lazy steps also taking the rows out of their table and putting them back. Each part is
compiled alone; the step is the whole one. Medians of interleaved rounds.

"Padded, dense" gathers a row of the table for each place of the padded batch and moves the whole table at each step;
"entries, dense" passes over padding; "entries, lazy" moves the rows that the batch reads (`optim.lazy_embeddings`);
"entries, dense, nearest" is "entries, dense" with 32 nearest labels of each example, the default on tibkat_en.
"""

import argparse
import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
from results import explained, table, write_section
from steps import interleaved

from sigfft.data import Dataset, batches
from sigfft.encoders import bag
from sigfft.losses import of_head
from sigfft.training import lazy
from sigfft.training.config import Config
from sigfft.training.config_files import config_of
from sigfft.training.devices import on_devices
from sigfft.training.experiment import load_splits
from sigfft.training.model import make_models
from sigfft.training.nearest import with_nearest
from sigfft.training.settled import settle
from sigfft.training.step import DATA, make_loss, make_optimizer

WAYS = {
    "padded, dense": (True, False, 0),
    "entries, dense": (False, False, 0),
    "entries, dense, nearest": (False, False, 32),
    "entries, lazy": (False, True, 0),
}
PARTS = ("input", "encoder", "head", "optimiser", "step")


def padded(weight, ids, values, dtype):
    """`weighted_sums` as it was: a row of the table for each place."""
    rows = weight.at[ids].get(mode="fill", fill_value=0).astype(dtype)
    return jnp.einsum("bw,bwd->bd", values, rows, preferred_element_type=weight.dtype)


@contextlib.contextmanager
def way_of_the_bag(is_padded: bool) -> Iterator[None]:
    """Within the block, bags are compiled with or without padding."""
    with mock.patch.object(bag, "weighted_sums", padded) if is_padded else contextlib.nullcontext():
        yield


def parts(config: Config, data: Dataset) -> dict[str, Callable[[], object]]:
    """Functions that take one part of a step each, compiled."""
    model = make_models(config, data)[0]
    config = settle(config, {"train": data}, model)
    loss, optimizer = make_loss(config.optim), make_optimizer(config.optim)
    sizes = lazy.most_rows(model, config, data)
    tables = model.encoder.tables if config.optim.lazy_embeddings else {}
    devices, stream = (
        on_devices(model, config, data),
        iter(batches(data, 256, shuffle=True, num_epochs=None, prefetch=0)),
    )
    batch = {name: jnp.asarray(values) for name, values in next(stream).items()}
    state, key = devices.init(), jax.random.key(1)

    def read_of(params):
        whole = jax.pmap(
            lambda own, examples: lazy.read(tables, sizes, own, examples, DATA), DATA, in_axes=(None, 0), out_axes=None
        )
        return whole(params["encoder"], jax.tree.map(lambda values: values[None], batch))

    read = read_of(state.params)
    own = jax.tree.map(jnp.array, lazy.taken(state.params, read.rows))

    @jax.jit
    def encoder(params, examples, cotangent):
        features, pull = jax.vjp(lambda params: model.features(params, examples, key), params)
        return features, pull(cotangent)

    def of_batch(params, features, labels):
        return of_head(loss, model.output, params, features, labels, config.optim.block_size or None)

    @jax.jit
    def head(params, features, labels):
        return jax.value_and_grad(of_batch, (0, 1))(params, features, labels)

    @functools.partial(jax.jit, donate_argnums=0)
    def optimise(carried, gradient):
        before, moments = lazy.taken(carried, read.rows)
        updates, moments = optimizer.update(gradient, moments, before)
        return lazy.put(carried, (optax.apply_updates(before, updates), moments), read.rows)

    features = jnp.ones((256, model.output.feature_dim))
    carried = [jax.tree.map(jnp.array, (state.params, state.optimizer))]
    placed = [devices.place(state)]
    gradient = jax.tree.map(jnp.ones_like, own)

    def step():
        placed[0], info = devices.take_step(placed[0], batch_on_host)
        return jax.block_until_ready(info)

    def optimiser():
        carried[0] = jax.block_until_ready(optimise(carried[0], gradient))

    batch_on_host = jax.device_get(batch)
    return {
        "input": lambda: jax.block_until_ready(devices.feed(next(stream))),
        "encoder": lambda: jax.block_until_ready(encoder(own["encoder"], read.examples, features)),
        "head": lambda: jax.block_until_ready(head(own["head"], features, batch["labels"])),
        "optimiser": optimiser,
        "step": step,
    }


def measure(folder: Path, name: str, rounds: int, steps: int) -> Iterator[list[object]]:
    """The lines of one data set."""
    flags = [f"--config.data.dir={folder / name}", f"--config.optim.steps={steps}", "--config.optim.batch_size=256"]
    config = config_of("xmc", flags)
    data = load_splits(config)["train"]
    functions: dict[str, Callable[[], object]] = {}
    for way, (is_padded, is_lazy, nearest) in WAYS.items():
        optim = dataclasses.replace(config.optim, lazy_embeddings=is_lazy)
        encoder = dataclasses.replace(config.encoder, nearest=nearest)
        own = dataclasses.replace(config, optim=optim, encoder=encoder)
        with way_of_the_bag(is_padded):
            for part, function in parts(own, with_nearest({"train": data}, own)[0]["train"]).items():
                function()  # compiled now, in this way
                functions[f"{way} {part}"] = function
    found = interleaved(functions, rounds)
    for way in WAYS:
        line = [f"{1e3 * np.median(found[f'{way} {part}']):.1f}" for part in PARTS]
        print(name, way, *line, flush=True)
        yield [name, way, *line]


def main() -> None:
    """Measures both data sets and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with a folder for each data set")
    parser.add_argument("--names", nargs="+", default=["tate", "tibkat_en"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=1000, help="of the run whose batches are looked through for room")
    args = parser.parse_args()
    lines = [line for name in args.names for line in measure(args.data, name, args.rounds, args.steps)]
    header = ["data set", "step", *(f"{part}, ms" for part in PARTS)]
    write_section("Parts of a train step", explained(__doc__), table(header, lines))


if __name__ == "__main__":
    main()
