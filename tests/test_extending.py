"""A head, a loss, a decision rule, an encoder and a data source of one's own, added without touching the package."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import sigfft
from sigfft import training
from sigfft.argmaxability.rules import RULES, Rule
from sigfft.data import SOURCES, Dataset, DenseFeatures
from sigfft.encoders import ENCODERS
from sigfft.heads import KINDS, Head
from sigfft.losses import LOSSES, PerLabelLoss
from sigfft.training.config import (
    CheckConfig,
    Config,
    DataConfig,
    EncoderConfig,
    EvalConfig,
    HeadConfig,
    LossOptions,
    OptimConfig,
)


@dataclasses.dataclass(frozen=True, repr=False)
class FactoredHead(Head):
    """W = left @ right, of which `left` is fixed at random: no parameter per label."""

    kind = "factored"
    max_cardinality = 0

    n_labels: int
    dim: int
    _: dataclasses.KW_ONLY
    feature_dim: int
    seed: int = 0

    @property
    def name(self):
        return f"factored d={self.dim}"

    def init(self, key):
        return {
            "kernel": 0.1 * jax.random.normal(key, (self.feature_dim, self.dim)),
            "right": jnp.eye(self.dim),
        }

    def activation_of(self, params, features):
        return features @ params["kernel"] @ params["right"]

    def logits_of(self, params, z):
        return z @ self.rows(params, jnp.arange(self.n_labels)).T

    def rows_of(self, own, labels, dtype=jnp.float32):
        left = jax.random.normal(jax.random.key(self.seed), (self.n_labels, self.dim), dtype)
        return left[labels]


def squared_hinge(margin: float = 1.0) -> PerLabelLoss:
    """max(0, margin ∓ logit)²."""

    def inactive(logit):
        return jnp.square(jax.nn.relu(margin + logit))

    return PerLabelLoss(inactive, lambda logit: jnp.square(jax.nn.relu(margin - logit)) - inactive(logit))


class RandomFeatures(nnx.Module):
    """cos(x @ frequencies), with fixed frequencies and a learned scale."""

    def __init__(self, in_dim: int, *, dim: int = 8, bandwidth: float = 1.0, rngs: nnx.Rngs):
        self.feature_dim = dim
        self.scale = nnx.Param(jnp.ones((dim,)))
        self.frequencies = np.random.default_rng(0).standard_normal((in_dim, dim)).astype(np.float32) * bandwidth

    def __call__(self, examples, key=None):
        values = jnp.cos(examples["features"] @ self.frequencies)
        return values * jnp.broadcast_to(self.scale[...], values.shape)


def circles(cache_dir, *, n_labels: int = 12):
    """Points of a circle; the labels of a point are the two arcs that it is near."""
    angle = np.random.default_rng(1).uniform(0, 2 * np.pi, 400)
    first = (angle / (2 * np.pi) * n_labels).astype(int)
    labels = sigfft.labels.pad(np.sort([first, (first + 1) % n_labels], axis=0).T.astype(np.int32), n_labels)
    features = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    cut = {"train": slice(0, 320), "dev": slice(320, 360), "test": slice(360, 400)}
    return {name: Dataset(DenseFeatures(features[at]), labels[at], n_labels) for name, at in cut.items()}


@pytest.fixture(autouse=True)
def _additions(monkeypatch):
    monkeypatch.setitem(KINDS, "factored", FactoredHead)
    monkeypatch.setitem(LOSSES, "squared hinge", squared_hinge)
    monkeypatch.setitem(RULES, "pair", Rule("pair", free_level=True, cardinality=2))
    monkeypatch.setitem(ENCODERS, "cosines", RandomFeatures)
    monkeypatch.setitem(SOURCES, "circles", circles)
    with jax.numpy_dtype_promotion("standard"):  # Optax's bias correction mixes the int32 step with floats
        yield


@pytest.fixture
def config():
    return Config(
        name="own",
        data=DataConfig(source="circles", options={"n_labels": 10}),
        encoder=EncoderConfig(kind="cosines", dim=16, options={"bandwidth": 2.0}),
        head=HeadConfig(kind="factored", dim=3, options={"seed": 7}),
        optim=OptimConfig(
            steps=20,
            batch_size=32,
            warmup_steps=2,
            block_size=4,
            loss="squared hinge",
            loss_options=LossOptions(margin=0.5),
        ),
        eval=EvalConfig(every=10, ks=(1, 2)),
        check=CheckConfig(max_sets=20),
    )


def test_all_of_them_train_and_are_checked_and_verified(config, tmp_path):
    report = training.run(config, tmp_path / "run")
    (entry,) = report["heads"]
    assert (entry["kind"], entry["name"], entry["steps"]) == ("factored", "factored d=3", 20)
    assert entry["head"] == {"n_labels": 10, "dim": 3, "feature_dim": 16, "seed": 7}
    n_sets = entry["argmaxability"]["checked"]
    assert 5 < n_sets <= 10
    model, params = training.load_model(tmp_path / "run")
    assert model.head == FactoredHead(10, 3, feature_dim=16, seed=7)
    weight, bias = sigfft.heads.stored_layer(model.head, params["head"])
    verdicts = tmp_path / "run" / "verdicts" / "factored_d3.jsonl"
    assert sum(sigfft.verify(verdicts, weight, bias).values()) == n_sets

    pairs = [[i, j] for i in range(10) for j in range(i + 1, 10)]
    checked = sigfft.check(weight, pairs, rule="pair", n_jobs=2)
    assert set(checked.status) == {"argmaxable", "unargmaxable"}
    assert checked.status.tolist() == sigfft.check(weight, pairs, rule="top_k").status.tolist()
    checked.save(tmp_path / "pairs.jsonl")
    assert sigfft.verify(tmp_path / "pairs.jsonl", weight)["undecided"] == 0
    with pytest.raises(ValueError, match="the pair rule has exactly 2 labels in each set; set 0 has 1"):
        sigfft.check(weight, [[1]], rule="pair")
    deployed = sigfft.check_head(model.head, params["head"], pairs, RULES["pair"])
    assert (deployed.deployed == "argmaxable").tolist() == (deployed.status == "argmaxable").tolist()

    sigfft.save_head(tmp_path / "head.safetensors", model.head, params["head"])
    assert sigfft.load_head(tmp_path / "head.safetensors")[0] == model.head


@pytest.mark.parametrize(
    ("part", "options", "message"),
    [
        ("head", {"rank": 2}, r"head\.options has 'rank', which is not for 'factored'"),
        ("encoder", {"width": 2}, r"encoder\.options has 'width', which is not for 'cosines'"),
        ("data", {"n_classes": 2}, r"data\.options has 'n_classes', which is not for 'circles'"),
    ],
)
def test_options_that_are_not_taken_are_refused(config, tmp_path, part, options, message):
    getattr(config, part).options = options
    with pytest.raises(ValueError, match=message):
        training.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_config_key_of_another_kind_is_refused(config, tmp_path):
    config.head.spread = 5
    with pytest.raises(ValueError, match=r"head\.spread=5 is not for 'factored'"):
        training.run(config, tmp_path / "run")
