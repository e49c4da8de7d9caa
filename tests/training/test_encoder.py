"""Encoders of texts and images in training: chosen by the data, started from files, frozen, and encoded once."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sigfft import labels, serving, training
from sigfft.data import Dataset, ImageFeatures, SparseFeatures, TokenFeatures, batches
from sigfft.encoders import Transformer
from sigfft.training import experiment
from sigfft.training.config import EncoderConfig
from sigfft.training.devices import make_data_parallel
from sigfft.training.encoded import encoded_splits
from sigfft.training.encoder import make_encoder, stored_encoder
from sigfft.training.model import make_models

BERT = Path(__file__).parents[1] / "encoders" / "bert"
N_LABELS, N_TOKENS, LENGTH, COUNT = 12, 19, 6, 64


def dataset(features):
    sets = [sorted({i % N_LABELS, (i + 5) % N_LABELS}) for i in range(len(features))]
    return Dataset(features, labels.pad(sets, N_LABELS), N_LABELS)


def texts(n_tokens=N_TOKENS, length=LENGTH, count=COUNT, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, length + 1, count)
    ids = rng.integers(1, n_tokens, lengths.sum()).astype(np.int32)
    return dataset(TokenFeatures(np.concatenate([[0], np.cumsum(lengths)]), ids, n_tokens, length))


def images():
    return dataset(ImageFeatures(np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8, 3)).astype(np.uint8)))


def sparse():
    ids = np.arange(COUNT, dtype=np.int32) % 9
    return dataset(SparseFeatures(np.arange(COUNT + 1), ids, np.ones(COUNT, np.float32), 9, 1))


@pytest.fixture
def small(dft_only):
    """A head for so few labels."""
    return dataclasses.replace(dft_only, head=dataclasses.replace(dft_only.head, spread=2))


@pytest.mark.parametrize(
    ("data", "kind", "in_dim"), [(texts(), "text_cnn", 19), (images(), "resnet", None), (sparse(), "bag", 9)]
)
def test_what_examples_hold_chooses_the_encoder(data, kind, in_dim):
    encoder = make_encoder(EncoderConfig(dim=64), data)
    assert (encoder.kind, encoder.feature_dim, encoder.arguments.get("in_dim")) == (kind, 64, in_dim)
    again = type(encoder).from_json(json.loads(json.dumps(encoder.to_json())))
    assert (again.kind, again.arguments, again.inputs) == (encoder.kind, encoder.arguments, encoder.inputs)


def test_a_report_of_versions_without_an_encoder_still_names_one():
    data = sparse()
    report, config = {"data": {"n_features": 9, "feature_dim": None}}, {"encoder": {"kind": "", "dim": -1}}
    stored, made = stored_encoder(report, config, 24), make_encoder(EncoderConfig(dim=24), data)
    assert (stored.kind, stored.arguments) == (made.kind, made.arguments)
    assert stored.inputs.keys() == made.inputs.keys()


@pytest.mark.parametrize(
    ("data", "encoder", "message"),
    [
        (texts(), {"kind": "resnet"}, "reads 'image' of an example; examples of this data set have tokens, token_mask"),
        (images(), {"kind": "transformer"}, "reads 'tokens' of an example; examples of this data set have image"),
        (sparse(), {"pretrained": "v.npy"}, "encoder.pretrained='v.npy' is not for 'bag'; it is for text_cnn, transfo"),
        (texts(), {"pretrained": "v.npy"}, r"encoder.pretrained=v.npy must be an .npy, .npz or .safetensors file of"),
        (sparse(), {"layers": 3}, "encoder.layers=3 is not for 'bag', which takes dim"),
        (
            sparse(),
            {"frozen": True, "feature_dropout": 0.1},
            "encoder.feature_dropout=0.1 is not for a frozen encoder; encoder.dropout is",
        ),
        (
            texts(n_tokens=20),
            {"kind": "transformer", "pretrained": str(BERT)},
            "has embeddings of 19 tokens, and the data's tokenizer has 20; tokenize with the checkpoint's own",
        ),
        (
            texts(),
            {"kind": "transformer", "pretrained": str(BERT), "dim": 24},
            r"encoder.dim=24 does not fit .*bert, which has 8",
        ),
        (
            texts(length=11),
            {"kind": "transformer", "pretrained": str(BERT)},
            r"texts of 11 tokens do not fit the 10 positions of the transformer; cut them: data\.max_length=10",
        ),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused(data, encoder, message):
    with pytest.raises(ValueError, match=message):
        make_encoder(EncoderConfig(**encoder), data)


def test_a_width_left_open_suits_the_encoder(small):
    wide = dataclasses.replace(small.head, slack=600)
    dim = 1 + 2 * 2 + 2 * 2 + 600  # of z, which so many features of any sign or between two bounds reach
    for kind, options, expected in [("text_cnn", {"activation": "tanh"}, dim), ("transformer", {}, 640)]:
        config = dataclasses.replace(small, head=wide, encoder=EncoderConfig(kind=kind, dim=-1, **options))
        assert make_models(config, texts())[0].encoder.feature_dim == expected
    of_file = EncoderConfig(kind="transformer", dim=-1, pretrained=str(BERT))
    assert make_models(dataclasses.replace(small, encoder=of_file), texts())[0].encoder.feature_dim == 8


def test_a_frozen_encoder_stays_as_it_is_and_its_features_may_be_computed_before(small, tmp_path, caplog):
    """With dropout of features too: the same entries are drawn."""
    own = EncoderConfig(kind="transformer", pretrained=str(BERT), frozen=True, dropout=0.2)
    config = dataclasses.replace(small, encoder=own)
    data = texts()
    (model,) = make_models(config, data)
    devices = make_data_parallel(model, config.optim, 0)
    start = devices.init()
    start.params["encoder"]["norm"]["bias"] = start.params["encoder"]["norm"]["bias"].at[0].set(-0.0)
    expected = Transformer.read_pretrained(BERT, N_TOKENS).params
    jax.tree.map(np.testing.assert_array_equal, start.params["encoder"]["layers"], expected["layers"])
    assert all(leaf.size == 1 for leaf in jax.tree.leaves(start.optimizer.inner_states["encoder"]))  # counts of steps

    def encoded(data, params=start.params["encoder"]):
        return encoded_splits(model.encoder, params, {"train": data}, 30, tmp_path)["train"]

    def files():
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "features").iterdir()}

    def trained(data):
        state, losses = devices.place(start), []
        for _, batch in zip(range(3), batches(data, 32, shuffle=True, num_epochs=None), strict=False):
            state, info = devices.take_step(state, batch)
            losses.append(float(info.loss))
        return jax.device_get(state.params), losses

    ones = model.features({}, {"encoded": jnp.ones((100, 8))}, jax.random.key(0))
    np.testing.assert_allclose(np.unique(ones), [0, 1.25])
    cached = encoded(data)
    (params, losses), (params_cached, losses_cached) = trained(data), trained(cached)
    np.testing.assert_allclose(losses_cached, losses, rtol=1e-5)
    assert losses[0] != losses[2]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), params_cached["head"], params["head"])
    for own in (params, params_cached):
        bits = [jax.tree.map(lambda a: np.asarray(a).tobytes(), p["encoder"]) for p in (own, start.params)]
        assert bits[0] == bits[1]

    once, values = files(), np.array(cached.features.values)
    assert len(once) == 1
    np.testing.assert_array_equal(encoded(data).features.values, values)
    assert files() == once  # found, not written again
    encoded(texts(seed=1))
    encoded(data, jax.tree.map(lambda a: a + 1, start.params["encoder"]))
    assert len(files()) == 3
    (path,) = once
    path.write_bytes(path.read_bytes()[:-4])
    np.testing.assert_array_equal(encoded(data).features.values, values)
    assert "damaged or truncated" in caplog.text


@pytest.mark.parametrize(
    ("cached", "arrays"), [(True, {"encoded"}), (False, {"feature_ids", "feature_values"})], ids=["cached", "as it is"]
)
def test_a_run_with_a_frozen_encoder_sees_features(small, tmp_path, monkeypatch, cached, arrays):
    class Seen(Exception):
        pass

    def train(model, config, data, *_):
        raise Seen(data.gather(np.arange(2)))

    monkeypatch.setattr(experiment, "train", train)
    config = dataclasses.replace(small, encoder=EncoderConfig(dim=16, frozen=True, cached=cached))
    with pytest.raises(Seen) as caught:
        training.run(config, tmp_path / "run", splits={"train": sparse(), "test": sparse()})
    assert caught.value.args[0].keys() == arrays | {"labels", "mask"}


def test_a_run_on_texts_trains_both_parts_and_is_exported(small, tmp_path):
    own = EncoderConfig(dim=32, embedding_dim=4, activation="tanh", dtype="bfloat16", dropout=0.1)
    optim = dataclasses.replace(small.optim, steps=20, head_learning_rate=0.003)
    config = dataclasses.replace(small, encoder=own, optim=optim)
    splits = {"train": texts(), "test": texts(count=16, seed=1)}
    report = training.run(config, tmp_path / "run", splits=splits, show=False)
    assert report["encoder"]["kind"] == "text_cnn"
    assert report["encoder"]["inputs"]["tokens"] == {"shape": [LENGTH], "dtype": "int32"}
    model, params = training.load_model(tmp_path / "run")
    assert model.domain == (-1.0, 1.0)
    start = model.init(jax.random.key(config.seed))
    changes = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), params, start)
    assert changes["encoder"]["embedding"] > 0.01
    assert all(change > 0 for change in jax.tree.leaves(changes["encoder"]))

    training.export_run(tmp_path / "run", tmp_path / "model")
    examples = splits["test"].features.gather(np.arange(4), np.ones(4, bool))
    logits = model.head.logits(params["head"], model.features(params["encoder"], examples))
    np.testing.assert_allclose(serving.load(tmp_path / "model").logits(examples), logits, rtol=1e-4, atol=1e-4)
