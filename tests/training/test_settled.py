"""What a config leaves open, as the data and the head settle it."""

import dataclasses

import jax
import numpy as np
import pytest

import sigfft
from sigfft import training
from sigfft.data import Dataset, DenseFeatures, NearestLabels, SparseFeatures
from sigfft.training.config import Config, EncoderConfig, EvalConfig, HeadConfig, OptimConfig
from sigfft.training.config_checks import check_values
from sigfft.training.encoder import PureEncoder, make_encoder
from sigfft.training.model import Model, guarantee_line, make_head, make_models
from sigfft.training.report import notes
from sigfft.training.settled import settle

HEADS = {"dft": sigfft.dft_head(40, 3, feature_dim=8), "bottleneck": sigfft.bottleneck_head(40, 2, feature_dim=8)}

RATE = HEADS["dft"].learning_rate  # at 256 examples of a batch
INPUTS = {"features": jax.ShapeDtypeStruct((8,), np.float32)}
MODELS = {kind: Model(PureEncoder("mlp", {}, INPUTS), head) for kind, head in HEADS.items()}


def data(counts, n_labels=40):
    sets = [list(range(count)) for count in counts]
    return Dataset(DenseFeatures(np.ones((len(sets), 8), np.float32)), sigfft.labels.pad(sets, n_labels), n_labels)


SPLITS = {"train": data([2] * 100), "dev": data([2] * 10)}


def settled(optim=None, evaluation=None, head="dft", baseline=False, splits=SPLITS):
    return settle(Config(optim=optim or OptimConfig(), eval=evaluation or EvalConfig()), splits, MODELS[head], baseline)


@pytest.mark.parametrize(
    ("steps", "epochs", "expected"),
    [(0, 3, (30, 3)), (0, 2.55, (26, 2)), (7, 3, (7, 5)), (60, 3, (30, 3)), (60, 0, (60, 5))],
)
def test_steps_and_warm_up_from_epochs(steps, epochs, expected):
    optim = settled(OptimConfig(steps=steps, epochs=epochs, batch_size=10, warmup_steps=5)).optim
    assert (optim.steps, optim.warmup_steps) == expected


def test_steps_that_a_config_leaves_open(monkeypatch):
    found = settled(OptimConfig(steps=-1, batch_size=10, warmup_steps=1200)).optim
    assert (found.steps, found.warmup_steps) == (1500, 150)
    assert settled(OptimConfig(steps=-1, epochs=3, batch_size=10)).optim.steps == 30
    near = NearestLabels(*(np.zeros((100, 3), dtype) for dtype in (np.int32, np.float32, np.float32)), 40)
    sparse = SparseFeatures(np.arange(101), np.zeros(100, np.int32), np.ones(100, np.float32), 8, 1)
    train = dataclasses.replace(SPLITS["train"], features=sparse, nearest=near)
    (model,) = make_models(Config(head=HeadConfig(kind="dft", spread=2), encoder=EncoderConfig(dim=16)), train)
    for batch_size, steps in {10: 1500, 256: 391, 300: 334}.items():
        optim = OptimConfig(steps=-1, batch_size=batch_size)
        assert settle(Config(optim=optim), SPLITS | {"train": train}, model).optim.steps == steps
    monkeypatch.setattr("sigfft.encoders.NearestBag.usual_examples", 150)
    optim = OptimConfig(steps=-1, batch_size=10)
    assert settle(Config(optim=optim), SPLITS | {"train": train}, model).optim.steps == 20  # two epochs


def test_training_without_an_end_is_refused():
    with pytest.raises(ValueError, match=r"optim.steps=0 and optim.epochs=0 .* set one of them"):
        check_values(Config(optim=OptimConfig(steps=0)))


@pytest.mark.parametrize(
    ("optim", "head", "baseline", "expected"),
    [
        ({"learning_rate": 0.0}, "dft", False, (RATE, RATE)),
        ({"learning_rate": 0.0}, "bottleneck", True, (1e-2, 1e-2)),
        ({"learning_rate": 0.5, "head_learning_rate": 0.25}, "bottleneck", True, (0.5, 0.25)),
        ({"learning_rate": 0.5, "baseline_learning_rate": 0.125}, "bottleneck", True, (0.125, 0.125)),
        ({"learning_rate": 0.5, "baseline_learning_rate": 0.125}, "dft", False, (0.5, 0.5)),
    ],
)
def test_rates_of_head_and_baseline(optim, head, baseline, expected):
    found = settled(OptimConfig(**optim), head=head, baseline=baseline).optim
    assert (found.learning_rate, found.head_learning_rate) == expected


@pytest.mark.parametrize(("n_train", "expected"), [(100, (64, 3.5e-3)), (10_000, (128, 4.95e-3)), (10**6, (256, 7e-3))])
def test_batch_and_rate_by_the_number_of_examples(n_train, expected):
    rows = DenseFeatures(np.broadcast_to(np.float32(1), (n_train, 8)))
    splits = {"train": Dataset(rows, np.broadcast_to(np.int32(0), (n_train, 1)), 40)}
    found = settled(OptimConfig(batch_size=0, steps=0, epochs=1, learning_rate=0.0), splits=splits).optim
    assert (found.batch_size, found.learning_rate) == expected
    assert found.steps == -(-n_train // found.batch_size)


def test_a_batch_by_the_data_that_devices_cannot_share_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 3)
    config = Config(encoder=EncoderConfig(dim=0), optim=OptimConfig(batch_size=0))
    with pytest.raises(ValueError, match=r"optim.batch_size=64 must be a multiple of the 3 devices; try 63"):
        training.run(config, tmp_path / "run", splits={"train": data([2] * 100), "test": data([2] * 10)})
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize(
    ("kind", "steps", "given", "expected"),
    [
        ("bag", 1000, -1.0, 1.33),
        ("bag", 400, -1.0, 3.33),
        ("bag", 3, -1.0, 333.0),  # a step takes half of the weights
        ("mlp", 1000, -1.0, 0.0),
        ("bag", 1000, 0.5, 0.5),
    ],
)
def test_weight_decay_by_the_kind_of_encoder_and_the_steps(kind, steps, given, expected):
    config = Config(optim=OptimConfig(steps=steps, warmup_steps=0, learning_rate=0.0, encoder_weight_decay=given))
    check_values(config)
    found = settle(config, SPLITS, Model(PureEncoder(kind, {}, INPUTS), HEADS["dft"])).optim
    assert (found.learning_rate, found.encoder_weight_decay) == (1.5e-3 if kind == "bag" else RATE, expected)


def test_weights_of_rare_features_decay_more():
    for n_features, per_row, expected in [(10, 2, 2.67), (128, 2, 5.33), (10**6, 2, 10.7), (10, 0, 10.7)]:
        count = 100 * per_row
        starts = per_row * np.arange(101)
        rows = SparseFeatures(starts, np.zeros(count, np.int32), np.ones(count, np.float32), n_features, per_row)
        splits = {"train": Dataset(rows, np.zeros((100, 1), np.int32), 40)}
        config = Config(optim=OptimConfig(batch_size=64, learning_rate=0.0, encoder_weight_decay=-1.0))
        found = settle(config, splits, Model(PureEncoder("bag", {}, INPUTS), HEADS["dft"])).optim
        assert (n_features, found.encoder_weight_decay) == (n_features, expected)


def test_an_encoder_bounds_its_own_rate_at_every_size_of_a_batch():
    model = Model(PureEncoder("transformer", {}, {}), HEADS["dft"])
    for batch_size, scale in {256: 1, 64: 0.5}.items():
        found = settle(Config(optim=OptimConfig(learning_rate=0.0, batch_size=batch_size)), SPLITS, model).optim
        assert (found.learning_rate, found.head_learning_rate) == (1e-4 * scale, RATE * scale)


@pytest.mark.parametrize(
    ("given", "examples", "expected"), [(-1.0, 9, 0.2), (-1.0, 20_000, 0.1), (0.0, 9, 0.0), (0.3, 40_000, 0.3)]
)
def test_dropout_by_the_kind_of_encoder_and_the_number_of_examples(given, examples, expected):
    check_values(Config(encoder=EncoderConfig(dropout=given)))
    assert make_encoder(EncoderConfig(dropout=given), data([1] * examples)).arguments["dropout"] == expected


@pytest.mark.parametrize(
    ("backend", "given", "n_labels", "expected"),
    [("cpu", -1, 40, 0), ("cpu", -1, 5000, 2048), ("cpu", 0, 5000, 0), ("cpu", 7, 40, 7), ("gpu", -1, 5000, 0)],
)
def test_blocks_of_labels_on_cpus_alone(monkeypatch, backend, given, n_labels, expected):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    config = Config(optim=OptimConfig(block_size=given))
    check_values(config)
    assert settle(config, {"train": data([2], n_labels)}, MODELS["dft"]).optim.block_size == expected


@pytest.mark.parametrize("key", ["encoder.dropout", "optim.encoder_weight_decay"])
def test_a_value_between_open_and_none_is_refused(key):
    part, name = key.split(".")
    config = Config()
    setattr(getattr(config, part), name, -0.5)
    with pytest.raises(ValueError, match=rf"{key}=-0.5 must be -1, or from 0 "):
        check_values(config)


def test_evaluations():
    found = settled(OptimConfig(steps=110)).eval
    assert (found.every, found.metric, found.patience) == (11, "nDCG@5", 5)
    assert settled(splits={"train": SPLITS["train"]}).eval.patience == 0
    few = {"train": data([1] * 10, n_labels=4)}
    assert settled(splits=few).eval.metric == "nDCG@3"
    own = EvalConfig(every=3, metric="P@1", patience=0)
    assert settled(evaluation=own).eval == own


def test_an_outlier_is_left_out_of_the_guarantee_with_a_line():
    usual = data([3] * 1999 + [5], n_labels=2000)
    head = make_head(HeadConfig(), usual, 8)
    assert head.max_cardinality == 5
    assert guarantee_line(HeadConfig(), usual, head).endswith("training sets have at most 5, 99.9 % of them at most 3")
    outlier = data([3] * 1999 + [95], n_labels=2000)
    head = make_head(HeadConfig(), outlier, 8)
    assert head.max_cardinality == 3
    assert guarantee_line(HeadConfig(), outlier, head) == (
        "dft k=3: guarantees every set of up to 3 labels, by dim=7; training sets have at most 95, 99.9 % of them at "
        "most 3, and 1 of 2000 are larger; max_cardinality=95 would take dim=191"
    )
    assert make_head(HeadConfig(max_cardinality=95), outlier, 8).max_cardinality == 95


def test_spread_of_its_own_scores_and_fits():
    assert make_head(HeadConfig(spread=-1), data([3] * 9, n_labels=2000), 8).arguments["spread"] == 200
    full = make_head(HeadConfig(spread=-1), data([3] * 9), 8)
    assert full.dim == 39  # of 40 points all frequencies but the last


@pytest.mark.parametrize(
    ("n_labels", "spread", "expected"), [(40, 0, 33), (40, 10, 13), (40, -1, 1), (7, 0, 0), (2000, -1, 100)]
)
def test_slack_of_its_own_makes_no_more_columns_than_labels(n_labels, spread, expected):
    check_values(Config(head=HeadConfig(slack=-1), baseline=HeadConfig(kind="bottleneck", dim=2, slack=-1)))
    head = make_head(HeadConfig(slack=-1, spread=spread), data([3] * 9, n_labels), 8)
    assert (head.arguments["slack"], head.dim) == (expected, min(n_labels, head.arguments["spread"] * 2 + 107))
    assert make_head(HeadConfig(kind="sigmoid", slack=-1), data([3] * 9, n_labels), 8).n_labels == n_labels


@pytest.mark.parametrize(("best", "told"), [(5, ["is the first that was evaluated"]), (20, ["is the last"]), (10, [])])
def test_a_best_step_at_an_end_is_said(best, told):
    entry = {"name": "dft", "best_step": best, "steps": 20, "trained_by": {"every": 5, "metric": "nDCG@5"}}
    content = {"heads": [entry], "data": {"examples": {"train": 9, "dev": 2}}}
    lines = notes(content)
    assert len(lines) == len(told)
    assert all(part in line for part, line in zip(told, lines, strict=True))
    assert notes(content | {"data": {"examples": {"train": 9}}}) == []


def test_what_verdicts_on_features_leave_out_is_said():
    entry = {"argmaxability_on_features": {"checked": 3}}
    content = {"heads": [entry], "data": {"examples": {"train": 9}}, "encoder": {"inputs": {"nearest_ids": {}}}}
    assert notes(content) == [
        "verdicts on features are of examples that have no near label; what near labels add to z is not in them"
    ]
    assert notes(content | {"encoder": {"inputs": {"feature_ids": {}}}}) == []
    assert notes(content | {"heads": [{"argmaxability_on_features": None}]}) == []


def test_what_is_settled_is_settled_for_good():
    once = settled(OptimConfig(steps=0, epochs=2, learning_rate=0.0))
    assert settle(once, SPLITS, MODELS["bottleneck"]) == once
    assert dataclasses.replace(once.optim, epochs=0.0) == once.optim
