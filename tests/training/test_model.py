import dataclasses

import jax
import numpy as np
import pytest

from sigfft import label_embedding
from sigfft.data import TokenFeatures
from sigfft.heads import Service, enough_spread
from sigfft.training.config import Config, EncoderConfig, HeadConfig
from sigfft.training.config_checks import check_values
from sigfft.training.experiment import load_splits
from sigfft.training.model import make_head, make_models


def models(config, **changes):
    config = dataclasses.replace(config, **changes)
    return make_models(config, load_splits(config)["train"])


def test_a_baseline_without_a_dim_has_as_many_parameters_as_the_head(config):
    baseline, model = models(config, baseline=HeadConfig(kind="bottleneck"))
    per_dim = model.head.feature_dim + 1 + model.head.n_labels
    assert 0 <= baseline.head.n_parameters() - model.head.n_parameters() < per_dim


def test_defaults_of_a_head_come_from_the_data(dft_only):
    data = load_splits(dft_only)["train"]
    (model,) = models(dft_only)
    assert model.head.max_cardinality == 6 == (data.labels < 60).sum(1).max()
    assert model.head.prior == data.mean_cardinality / 60
    assert model.head.feature_dim == dft_only.encoder.dim
    (exact,) = models(dft_only, head=HeadConfig(kind="dft", n_fft=64))
    assert exact.head.n_fft == 64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": HeadConfig(kind="sigmoid", slack=2)}, "head.slack=2 is not for 'sigmoid', which takes random_start"),
        ({"baseline": HeadConfig(kind="none", dim=4)}, "baseline.dim=4 is not for 'none', which takes none"),
        ({"head": HeadConfig(kind="retrofit")}, "'retrofit' needs old_dim; set it in head.options"),
        (
            {"head": HeadConfig(kind="bottleneck", dim=2, random_start=True, label_priors=True)},
            "has no priors of labels: a DFT head takes label_priors, others no random_start",
        ),
        ({"head": HeadConfig(kind="bottleneck")}, "dim=0 must be a whole number of at least 1"),
    ],
)
def test_a_value_that_a_kind_does_not_take_is_refused(dft_only, changes, message):
    with pytest.raises(ValueError, match=message):
        models(dft_only, **changes)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ({"kind": "bag"}, "reads 'feature_(ids|values)' of an example; examples of this data set have features"),
        ({"kind": "cnn"}, "encoder.kind='cnn' must be one of: bag, mlp, nearest_bag, resnet, text_cnn, transformer"),
        ({"feature_dropout": 0.2}, "encoder.feature_dropout=0.2 is not for 'mlp', which takes dim, dropout"),
        ({"options": {"depth": 2}}, "encoder.options has 'depth', which is not for 'mlp'"),
    ],
)
def test_an_encoder_of_other_examples_or_options_is_refused(dft_only, encoder, message):
    with pytest.raises(ValueError, match=message):
        models(dft_only, encoder=dataclasses.replace(dft_only.encoder, **encoder))


def test_an_embedding_is_made_of_vectors_and_no_larger_than_they_allow(dft_only):
    (model,) = models(dft_only, head=HeadConfig(kind="dft", spread=4, embedding=10))
    assert model.given["embedding"].shape == (60, 10)
    np.testing.assert_array_equal(model.init(jax.random.key(5))["head"]["embedding"], model.given["embedding"])
    with pytest.raises(ValueError, match=r"head\.embedding=11 must be at most 10, with 60 labels and 12 features"):
        models(dft_only, head=HeadConfig(kind="dft", embedding=11))
    with pytest.raises(ValueError, match=r"head\.embedding=2 is not for 'sigmoid'"):
        models(dft_only, head=HeadConfig(kind="sigmoid", embedding=2))
    texts = load_splits(dft_only)["train"]
    with pytest.raises(ValueError, match=r"head\.slack_start='svd' must be empty or embedding"):
        models(dft_only, head=HeadConfig(kind="dft", slack=2, slack_start="svd"))
    for head in (HeadConfig(kind="dft", slack_start="embedding"), HeadConfig(kind="sigmoid", slack_start="embedding")):
        with pytest.raises(ValueError, match=r"head\.slack_start='embedding' is for a DFT head with slack"):
            models(dft_only, head=head)
    with pytest.raises(ValueError, match=r"head\.embedding=10 must be at most 10.* and less beside head\.slack_start="):
        models(dft_only, head=HeadConfig(kind="dft", slack=2, embedding=10, slack_start="embedding"))
    tokens = TokenFeatures(np.arange(len(texts) + 1), np.ones(len(texts), np.int32), 5, 1)
    with pytest.raises(ValueError, match=r"head\.embedding=2 is made of features that are vectors, which Token"):
        make_head(HeadConfig(kind="dft", embedding=2), dataclasses.replace(texts, features=tokens), 64)


def test_slack_starts_as_the_first_columns_and_what_is_left_at_random(dft_only):
    data = load_splits(dft_only)["train"]
    columns = label_embedding(data.features.values, data.labels, 60, 10)
    head = HeadConfig(kind="dft", spread=2, slack=9, embedding=4, slack_start="embedding")
    (model,) = models(dft_only, head=head)
    start = model.init(jax.random.key(0))["head"]
    np.testing.assert_allclose(start["slack"][:, :6], columns[:, :6], atol=1e-4)
    np.testing.assert_allclose(start["embedding"], columns[:, 6:], atol=1e-4)
    at_random = model.head.init(jax.random.split(jax.random.key(0))[1])
    np.testing.assert_array_equal(start["slack"][:, 6:], at_random["slack"][:, 6:])
    baseline = HeadConfig(kind="dft", slack=3, slack_start="embedding")
    assert [model.given.keys() for model in models(dft_only, baseline=baseline)] == [{"slack"}, set()]


def test_a_spread_left_open_is_enough_and_the_encoder_follows(dft_only, caplog):
    head = HeadConfig(kind="dft", spread=-1, slack=300)  # more columns than 512 features of a ReLU reach
    (model,) = models(dft_only, head=head, encoder=EncoderConfig(dim=-1))
    assert model.head.spread == (model.head.n_fft - 1) // 2 - 6 > enough_spread(60, 6, model.head.n_fft) > 0
    service = Service(model.head, "nonnegative")
    assert model.head.feature_dim == service.least > 512
    (small,) = models(dft_only, head=HeadConfig(kind="dft", spread=-1), encoder=EncoderConfig(dim=-1))
    assert small.head.feature_dim == 512
    assert not caplog.records


def test_a_baseline_and_other_heads_ask_for_no_width(config):
    encoder = EncoderConfig(dim=-1)
    for kind, options in (("sigmoid", {}), ("bottleneck", {"dim": 4})):
        head = HeadConfig(kind=kind, spread=-1, **options)
        assert models(config, baseline=HeadConfig(kind="none"), head=head, encoder=encoder)[0].head.feature_dim == 512
    head = HeadConfig(kind="retrofit", options={"old_dim": 7, "extra_features": 9})
    (model,) = models(config, baseline=HeadConfig(kind="none"), head=head, encoder=encoder)
    assert model.encoder.build(jax.random.key(0)).feature_dim == model.head.feature_dim == 16


def test_features_that_cannot_serve_are_told_once(config, caplog):
    models(config)
    (record,) = caplog.records
    assert record.getMessage().startswith("dft k=6 spread=10 slack=2: 16 nonnegative features do not reach every z")
    caplog.clear()
    models(config, encoder=EncoderConfig(dim=0))  # the 12 features as they are
    assert "12 features of any sign do not" in caplog.text
    caplog.clear()
    models(config, encoder=EncoderConfig(dim=200))
    assert not caplog.records


def test_other_negative_sizes_are_refused():
    check_values(Config(encoder=EncoderConfig(dim=-1), head=HeadConfig(spread=-1)))
    with pytest.raises(ValueError, match=r"encoder\.dim=-2 must be at least -1"):
        check_values(Config(encoder=EncoderConfig(dim=-2)))
    with pytest.raises(ValueError, match=r"head\.spread=-2 must be at least -1"):
        check_values(Config(head=HeadConfig(spread=-2)))
