import dataclasses
import shutil

import jax
import numpy as np
import pytest

from sigfft import label_embedding
from sigfft.data import batches
from sigfft.training import load_model, run
from sigfft.training.checkpoint import Checkpoints, Progress
from sigfft.training.config import HeadConfig
from sigfft.training.devices import make_data_parallel, make_label_parallel, make_mesh
from sigfft.training.experiment import load_splits
from sigfft.training.log import read_log
from sigfft.training.model import make_models
from sigfft.training.workdir import Workdir

N_STEPS = 6
HEADS = {
    "dft": HeadConfig(kind="dft", spread=10, slack=2),
    "embedding": HeadConfig(kind="dft", spread=10, slack=2, embedding=3),
    "sigmoid": HeadConfig(kind="sigmoid"),
    "bottleneck": HeadConfig(kind="bottleneck", dim=5),
}
LOSS = {"sigmoid": "asymmetric"}


@pytest.fixture
def setup(dft_only, request):
    kind = getattr(request, "param", "dft")
    config = dataclasses.replace(
        dft_only,
        head=HEADS[kind],
        encoder=dataclasses.replace(dft_only.encoder, dropout=0.0),
        optim=dataclasses.replace(
            dft_only.optim, block_size=6, clip_norm=0.5, weight_decay=0.1, loss=LOSS.get(kind, "bce")
        ),
    )
    data = load_splits(config)["train"]
    return make_models(config, data)[0], config.optim, data


def stream(data):
    return zip(range(N_STEPS), batches(data, 64, shuffle=True, num_epochs=None), strict=False)


def trained(devices, data):
    state, infos = devices.place(devices.init()), []
    for _, batch in stream(data):
        state, info = devices.take_step(state, batch)
        infos.append([float(info.loss), float(info.gradient_norm)])
    return jax.device_get(devices.params(state)), infos


def on_one_device(model, optim, data):
    return trained(make_data_parallel(model, optim, 0, jax.devices()[:1]), data)


def on_a_mesh(model, optim, data, shape):
    return trained(make_label_parallel(model, optim, 0, make_mesh(*shape)), data)


@pytest.mark.parametrize(
    ("setup", "shape"),
    [
        ("dft", (4, 2)),
        ("dft", (2, 4)),
        ("dft", (1, 8)),
        ("sigmoid", (2, 4)),
        ("bottleneck", (1, 8)),
        ("embedding", (1, 8)),
    ],
    indirect=["setup"],
)
def test_a_mesh_takes_the_steps_of_one_device(setup, shape):
    (expected, expected_infos), (params, infos) = on_one_device(*setup), on_a_mesh(*setup, shape)
    np.testing.assert_allclose(infos, expected_infos, rtol=2e-5)
    assert max(norm for _, norm in infos) > setup[1].clip_norm  # clipping took part
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), params, expected)


@pytest.mark.parametrize("setup", ["embedding"], indirect=True)
def test_what_is_given_stays_as_it_is_and_has_no_optimiser_state(setup):
    model, optim, data = setup
    names = [
        path[-1].key
        for path, _ in jax.tree.leaves_with_path(make_data_parallel(model, optim, 0).init().optimizer)
        if hasattr(path[-1], "key")
    ]
    assert "slack" in names
    assert "embedding" not in names
    expected = label_embedding(data.features.values, data.labels, data.n_labels, 3)
    for params, _ in (on_one_device(*setup), on_a_mesh(*setup, (1, 8))):
        np.testing.assert_array_equal(params["head"]["embedding"], expected)


def test_each_device_owns_a_range_of_labels_and_no_label_space_travels(setup):
    model, optim, data = setup
    parallel = make_label_parallel(model, optim, 0, make_mesh(2, 4))
    state = parallel.place(parallel.init())
    slacks = [
        leaf
        for path, leaf in jax.tree.leaves_with_path((state.params, state.optimizer))
        if getattr(path[-1], "key", None) == "slack"
    ]
    assert len(slacks) == 3  # the parameter and Adam's two moments
    for slack in slacks:
        assert slack.shape == (60, 2)
        assert {shard.data.shape for shard in slack.addressable_shards} == {(15, 2)}
    hlo = parallel.step.lower(state, parallel.feed(next(iter(batches(data, 64))))).compile().as_text()
    for collective in ("all-gather", "all-to-all", "collective-permute"):
        assert collective not in hlo
    summed = [line for line in hlo.splitlines() if " all-reduce(" in line or " all-reduce-start(" in line]
    assert summed
    assert not any("60" in line.split(" all-reduce")[0].partition("=")[2] for line in summed)


def test_a_mesh_of_more_devices_than_there_are_raises():
    with pytest.raises(ValueError, match="a mesh of 4 × 4 needs 16 devices; there are 8"):
        make_mesh(4, 4)
    with pytest.raises(ValueError, match="a mesh of 0 × 8 must be at least 1 × 1"):
        make_mesh(0, 8)


def test_a_state_comes_back_as_it_was_placed(setup):
    model, optim, _ = setup
    parallel = make_label_parallel(model, optim, 0, make_mesh(1, 8))  # 60 labels: the last device holds 4 of 8
    state = parallel.init()
    jax.tree.map(np.testing.assert_array_equal, parallel.params(parallel.place(state)), state.params)


@pytest.mark.parametrize("setup", ["bottleneck"], indirect=True)
def test_a_checkpoint_goes_on_on_other_devices(setup, tmp_path):
    model, optim, data = setup
    optim = dataclasses.replace(optim, clip_norm=0.0)
    eight = make_data_parallel(model, optim, 0)
    state = eight.place(eight.init())
    examples = [batch for _, batch in stream(data)]
    for batch in examples[:2]:
        state, _ = eight.take_step(state, batch)
    checkpoints = Checkpoints(tmp_path / "head")
    checkpoints.save(eight.stored(state), Progress(), eight.shapes)
    checkpoints.finish()
    losses = {}
    others = [make_data_parallel(model, optim, 0, jax.devices()[:count]) for count in (1, 4)]
    for devices in (eight, *others, make_label_parallel(model, optim, 0, make_mesh(2, 4))):
        restored, _ = checkpoints.newest(devices.layout, devices.shapes)
        jax.tree.map(np.testing.assert_array_equal, jax.device_get(restored), jax.device_get(eight.stored(state)))
        infos = []
        for batch in examples[2:]:
            restored, info = devices.take_step(restored, batch)
            infos.append(float(info.loss))
        losses[len(losses)] = infos
    checkpoints.close()
    for found in losses.values():
        np.testing.assert_allclose(found, losses[0], rtol=1e-6)


def test_a_config_splits_labels_and_the_run_is_that_of_one_shard(config, tmp_path):
    sharded = dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, dropout=0.0))
    whole = dataclasses.replace(sharded, optim=dataclasses.replace(config.optim, block_size=16))
    sharded.optim = dataclasses.replace(whole.optim, label_shards=4)
    expected, content = run(whole, tmp_path / "whole"), run(sharded, tmp_path / "sharded")
    losses, expected_losses = (
        [line["loss"] for line in read_log(Workdir(tmp_path / name)) if "loss" in line] for name in ("sharded", "whole")
    )
    assert len(losses) == 2 * 8
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-4)
    for ours, theirs in zip(content["heads"], expected["heads"], strict=True):
        assert ours["test"] == pytest.approx(theirs["test"], abs=0.02)
        assert ours["argmaxability"]["checked"] == theirs["argmaxability"]["checked"]
    model, params = load_model(tmp_path / "sharded")
    assert params["head"]["slack"].shape == (model.head.n_labels, 2)
    again = shutil.copytree(tmp_path / "sharded", tmp_path / "again")
    shutil.rmtree(again / "checkpoints" / "dft_k6_spread10_slack2" / "40")
    resumed = run(sharded, again, resume=True)
    for ours, theirs in zip(resumed["heads"], content["heads"], strict=True):
        assert ours["test"] == theirs["test"]


def test_shards_that_do_not_divide_the_devices_raise(config, tmp_path):
    config.optim.label_shards = 3
    with pytest.raises(ValueError, match=r"label_shards=3 must divide the 8 devices of a process; try 1, 2, 4, 8"):
        run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
