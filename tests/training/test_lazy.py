"""Steps of the rows of embedding tables that a batch reads."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import sigfft
from sigfft.data import Dataset, SparseFeatures, batches
from sigfft.training import lazy
from sigfft.training.config import Config, EncoderConfig, HeadConfig, OptimConfig
from sigfft.training.devices import make_data_parallel, make_label_parallel, make_mesh
from sigfft.training.loop import train
from sigfft.training.model import make_models
from sigfft.training.step import init_state, make_loss, make_optimizer
from sigfft.training.workdir import Workdir

N_FEATURES, BATCH, STEPS = 40, 16, 4
OPTIM = OptimConfig(
    steps=STEPS,
    batch_size=BATCH,
    learning_rate=0.1,
    warmup_steps=0,
    weight_decay=0.1,
    clip_norm=0.5,
    lazy_embeddings=True,
)


@pytest.fixture(scope="module")
def data():
    """Examples of up to three features of which the last ten are rare."""
    rng = np.random.default_rng(0)
    rare = rng.random((64, N_FEATURES)) * np.where(np.arange(N_FEATURES) < 30, 1, 0.55)
    sets = np.sort(np.argsort(-rare)[:, :3], axis=1).astype(np.int32)
    features = SparseFeatures(np.arange(65) * 3, sets.ravel(), rng.random(192, np.float32) + 1, N_FEATURES, 5)
    return Dataset(features, sigfft.labels.pad([[i % 6, 6] for i in range(64)], 7), 7)


@pytest.fixture(scope="module")
def model(data):
    encoder = EncoderConfig(dim=4, options={"dense_ratio": 0})
    return make_models(Config(encoder=encoder, head=HeadConfig("bottleneck", dim=3), optim=OPTIM), data)[0]


def steps_of(devices, data):
    state, infos = devices.place(devices.init()), []
    for _, batch in zip(range(STEPS), batches(data, BATCH, shuffle=True, num_epochs=None), strict=False):
        state, info = devices.take_step(state, batch)
        infos.append([float(info.loss), float(info.gradient_norm)])
    return jax.device_get(state), infos


@pytest.fixture(scope="module")
def expected(model, data):
    """A dense Adam, after whose steps the rows that no example names are put back with their moments."""
    with jax.numpy_dtype_promotion("standard"):
        optimizer = optax.chain(optax.clip_by_global_norm(0.5), make_optimizer(OPTIM))
        params = init_state(model, OPTIM, 0).params
        carried, infos = optimizer.init(params), []

        @jax.jit
        def moved_by(params, carried, batch):
            def loss_of(params):
                features, labels = model.features(params["encoder"], batch), batch["labels"]
                return sigfft.losses.of_head(make_loss(OPTIM), model.head, params["head"], features, labels)

            value, gradient = jax.value_and_grad(loss_of)(params)
            updates, moved = optimizer.update(gradient, carried, params)
            norm = jnp.sqrt(sum(jnp.square(leaf).sum() for leaf in jax.tree.leaves(gradient)))
            return (optax.apply_updates(params, updates), moved), (value, norm)

        for _, batch in zip(range(STEPS), batches(data, BATCH, shuffle=True, num_epochs=None), strict=False):
            new, info = moved_by(params, carried, batch)
            seen = np.isin(np.arange(N_FEATURES), batch["feature_ids"])[:, None]
            keep = functools.partial(jax.tree.map_with_path, functools.partial(_only, seen))
            params, carried = keep(new, (params, carried))
            infos.append([float(value) for value in info])
        return params, infos


def _only(seen, path, new, old):
    return np.where(seen, new, old) if getattr(path[-1], "key", None) == "embedding" else new


@pytest.mark.parametrize("devices", ["one", "eight", "mesh"])
def test_rows_that_a_batch_reads_take_the_steps_of_adam_and_others_stay(model, data, expected, devices):
    sizes = {"embedding": 32}
    placed = {
        "one": lambda: make_data_parallel(model, OPTIM, 0, jax.devices()[:1], sizes),
        "eight": lambda: make_data_parallel(model, OPTIM, 0),
        "mesh": lambda: make_label_parallel(model, OPTIM, 0, make_mesh(4, 2), sizes),
    }[devices]()
    state, infos = steps_of(placed, data)
    np.testing.assert_allclose(infos, expected[1], rtol=1e-5)
    assert infos[0][1] > OPTIM.clip_norm
    params = jax.tree.map(lambda leaf, like: leaf[: len(like)], state.params, expected[0])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), params, expected[0])
    untouched = np.setdiff1d(np.arange(N_FEATURES), data.features.ids)
    start = placed.init().params["encoder"]["embedding"]
    np.testing.assert_array_equal(params["encoder"]["embedding"][untouched], start[untouched])


def test_without_it_all_rows_decay(model, data):
    dense = dataclasses.replace(OPTIM, lazy_embeddings=False)
    devices = make_data_parallel(model, dense, 0, jax.devices()[:1])
    state, _ = steps_of(devices, data)
    assert (state.params["encoder"]["embedding"] != devices.init().params["encoder"]["embedding"]).all()


def test_the_room_is_that_of_the_largest_batch_and_one_that_needs_more_has_no_loss(model, data, monkeypatch):
    monkeypatch.setattr(lazy, "_MULTIPLE", 1)
    config = Config(optim=OPTIM)
    stream = zip(range(STEPS), batches(data, BATCH, shuffle=True, num_epochs=None), strict=False)
    most = max(len(set(batch["feature_ids"].ravel()) - {N_FEATURES}) for _, batch in stream)
    assert lazy.most_rows(model, config, data) == {"embedding": most}
    for room, finite in ((most, True), (most - 1, False)):
        devices = make_data_parallel(model, OPTIM, 0, jax.devices()[:1], {"embedding": room})
        assert np.isfinite(steps_of(devices, data)[1]).all() == finite


def test_a_run_of_lazy_steps_goes_on_to_the_bit(model, data, tmp_path):
    config = Config(optim=OPTIM, eval=dataclasses.replace(Config().eval, every=2))
    whole, *_ = train(model, config, data, None, Workdir(tmp_path / "whole"), False)
    shorter = dataclasses.replace(config, optim=dataclasses.replace(OPTIM, steps=STEPS))
    train(model, shorter, data, None, Workdir(tmp_path / "cut"), False)
    for folder in Workdir(tmp_path / "cut").checkpoints(model.name).glob("4"):
        folder.rename(tmp_path / "gone")
    again, *_ = train(model, config, data, None, Workdir(tmp_path / "cut"), True)
    jax.tree.map(np.testing.assert_array_equal, again, whole)
