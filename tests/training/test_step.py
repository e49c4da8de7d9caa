import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sigfft import losses
from sigfft.data import batches
from sigfft.training.config import LossOptions
from sigfft.training.devices import make_data_parallel
from sigfft.training.experiment import load_splits
from sigfft.training.model import make_models
from sigfft.training.step import DATA, init_state, make_device_step, make_loss, make_optimizer


@pytest.fixture
def setup(dft_only):
    config = dataclasses.replace(dft_only, encoder=dataclasses.replace(dft_only.encoder, dropout=0.0))
    data = load_splits(config)["train"]
    return make_models(config, data)[0], config.optim, data


def losses_of(setup, n_devices, n_steps, **changes):
    model, optim, data = setup
    devices = make_data_parallel(model, dataclasses.replace(optim, **changes), 0, jax.devices()[:n_devices])
    state = devices.place(devices.init())
    losses = []
    for _, batch in zip(range(n_steps), batches(data, 64, shuffle=True, num_epochs=None), strict=False):
        state, info = devices.take_step(state, batch)
        losses.append(float(info.loss))
    assert int(state.step) == n_steps
    return losses


def test_one_and_eight_devices_give_the_same_losses(setup):
    one, eight = losses_of(setup, 1, 20), losses_of(setup, 8, 20)
    np.testing.assert_allclose(eight, one, rtol=1e-5)
    assert one[-1] < 0.8 * one[0]


@pytest.mark.parametrize("block_size", [0, 7])
def test_the_device_step_runs_unchanged_under_shard_map(setup, block_size):
    model, optim, data = setup
    optim = dataclasses.replace(optim, block_size=block_size)
    mesh = jax.make_mesh((8,), (DATA,), axis_types=(jax.sharding.AxisType.Auto,))
    whole, split = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec(DATA)
    step = make_device_step(model, optim, 0)
    sharded = jax.jit(jax.shard_map(step, mesh=mesh, in_specs=(whole, split), out_specs=(whole, whole)))
    batch = next(iter(batches(data, 64)))
    _, info = sharded(init_state(model, optim, seed=0), batch)
    pmapped = make_data_parallel(model, optim, 0)
    _, expected = pmapped.take_step(pmapped.place(pmapped.init()), batch)
    np.testing.assert_allclose(info.loss, expected.loss, rtol=1e-6)
    np.testing.assert_allclose(info.gradient_norm, expected.gradient_norm, rtol=1e-5)


def test_blocks_of_labels_give_the_same_losses(setup):
    np.testing.assert_allclose(losses_of(setup, 1, 5, block_size=7), losses_of(setup, 1, 5), rtol=1e-5)


def one_device_and_by_hand(model, optim, data, loss, optimizer):
    """Parameters after four steps, and those of plain gradients of a loss of one's own."""
    devices = make_data_parallel(model, optim, 0, jax.devices()[:1])
    state = devices.place(devices.init())
    params = devices.init().params
    carried = optimizer.init(params)
    for _, batch in zip(range(4), batches(data, 64, shuffle=True, num_epochs=None), strict=False):

        def loss_of(params, batch=batch):
            features = model.features(params["encoder"], batch)
            return losses.of_head(loss, model.head, params["head"], features, jnp.asarray(batch["labels"]))

        updates, carried = optimizer.update(jax.grad(loss_of)(params), carried, params)
        params = optax.apply_updates(params, updates)
        state, _ = devices.take_step(state, batch)
    return state.params, params


def test_clipping_is_that_of_the_norm_over_all_parameters(setup):
    model, optim, data = setup
    optim = dataclasses.replace(optim, clip_norm=2.0)
    clipped = optax.chain(optax.clip_by_global_norm(2.0), make_optimizer(optim))
    ours, expected = one_device_and_by_hand(model, optim, data, losses.binary_cross_entropy(), clipped)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), ours, expected)


@pytest.mark.parametrize("name", ["asymmetric", "mine"])
def test_the_loss_is_the_one_that_the_config_names(setup, monkeypatch, name):
    def weighted(weight=1.0, label_smoothing=0.0):
        return losses.PerLabelLoss(lambda x: weight * jax.nn.softplus(x), lambda x: -x)

    monkeypatch.setitem(losses.LOSSES, "mine", weighted)
    model, optim, data = setup
    options = {"asymmetric": LossOptions(gamma_inactive=2.0), "mine": LossOptions(options={"weight": 0.5})}[name]
    optim = dataclasses.replace(optim, loss=name, loss_options=options)
    loss = losses.asymmetric_loss(0.0, 2.0, 0.05) if name == "asymmetric" else weighted(0.5)
    ours, expected = one_device_and_by_hand(model, optim, data, loss, make_optimizer(optim))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), ours, expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "hinge"}, r"optim\.loss='hinge' must be one of: asymmetric, bce"),
        (
            {"loss_options": LossOptions(margin=0.1)},
            r"optim\.loss_options\.margin=0\.1 is not for 'bce', which takes label",
        ),
    ],
)
def test_a_loss_or_an_option_that_is_not_there_is_refused(dft_only, changes, message):
    with pytest.raises(ValueError, match=message):
        make_loss(dataclasses.replace(dft_only.optim, **changes))


def test_compiled_step_gathers_nothing_and_reuses_the_state(setup):
    model, optim, data = setup
    devices = make_data_parallel(model, optim, 0)
    batch = devices.feed(next(iter(batches(data, 64))))
    hlo = devices.step.lower(devices.place(devices.init()), batch).compile().as_text()
    assert "all-reduce" in hlo
    for collective in ("all-gather", "all-to-all", "collective-permute"):
        assert collective not in hlo
    assert "input_output_alias" in hlo


def test_a_transfer_that_nobody_asked_for_is_refused(setup):
    model, optim, data = setup
    devices = make_data_parallel(model, optim, 0)
    batch = next(iter(batches(data, 64)))
    state = devices.place(devices.init())
    with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
        devices._replace(
            feed=lambda batch: devices.feed(batch) | {"labels": batch["labels"].reshape(8, 8, -1)}
        ).take_step(state, batch)
    with pytest.raises(Exception, match="Disallowed device-to-device transfer"):
        devices.take_step(devices.init(), batch)
    devices.take_step(state, batch)


def test_encoder_and_head_have_their_own_learning_rates(dft_only):
    config = dataclasses.replace(dft_only.optim, head_learning_rate=0.1, learning_rate=0.01, warmup_steps=0)
    optimizer = make_optimizer(config)
    params = {"encoder": {"kernel": jnp.ones((2, 2))}, "head": {"kernel": jnp.ones((2, 2))}}
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    np.testing.assert_allclose(updates["encoder"]["kernel"], -0.01, rtol=1e-4)
    np.testing.assert_allclose(updates["head"]["kernel"], -0.1, rtol=1e-4)


def test_weight_decay_is_on_matrices_alone(dft_only):
    config = dataclasses.replace(dft_only.optim, weight_decay=0.5, learning_rate=0.01, warmup_steps=0)
    optimizer = make_optimizer(config)
    params = {"encoder": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones((2,))}, "head": {"kernel": jnp.ones((2, 2))}}
    zeros = jax.tree.map(jnp.zeros_like, params)
    updates, _ = optimizer.update(zeros, optimizer.init(params), params)
    np.testing.assert_allclose(updates["encoder"]["kernel"], -0.005, rtol=1e-4)
    np.testing.assert_array_equal(updates["encoder"]["bias"], 0)
    np.testing.assert_allclose(updates["head"]["kernel"], -0.005, rtol=1e-4)
    optimizer = make_optimizer(dataclasses.replace(config, weight_decay=0.0, encoder_weight_decay=0.5))
    updates, _ = optimizer.update(zeros, optimizer.init(params), params)
    np.testing.assert_allclose(updates["encoder"]["kernel"], -0.005, rtol=1e-4)
    np.testing.assert_array_equal(updates["head"]["kernel"], 0)
