"""Runs whose head is given columns: an embedding or the priors of labels of the training split, which stay so."""

import dataclasses

import jax
import numpy as np
import pytest

from sigfft import label_embedding, label_priors
from sigfft.data import Dataset, SparseFeatures
from sigfft.priors import prior_logit
from sigfft.training import load_model, run
from sigfft.training.config import EncoderConfig, HeadConfig
from sigfft.training.experiment import load_splits
from sigfft.training.model import make_models

HEAD = HeadConfig(kind="dft", spread=10, slack=2, embedding=4, slack_start="embedding")


@pytest.fixture
def given(config):
    optim = dataclasses.replace(config.optim, weight_decay=0.1)
    return dataclasses.replace(config, baseline=HeadConfig(kind="none"), head=HEAD, optim=optim)


def test_a_run_trains_what_starts_as_an_embedding_and_not_what_is_one(given, tmp_path):
    content = run(given, tmp_path / "run")
    (entry,), (model, params) = content["heads"], load_model(tmp_path / "run")
    train = load_splits(given)["train"]
    columns = label_embedding(train.features.values, train.labels, train.n_labels, 6)
    np.testing.assert_array_equal(params["head"]["embedding"], columns[:, 2:])
    change = np.abs(params["head"]["slack"] - columns[:, :2]).max()
    assert 0 < change < 2
    assert entry["name"] == "dft k=6 spread=10 slack=2 embedding=4"
    assert entry["parameters"] == model.head.n_parameters() == 17 * model.head.dim + 60 * 2
    assert entry["argmaxability"]["deployed"] == entry["argmaxability"]["ideal"] == 30


def test_a_run_starts_labels_at_their_priors_and_trains_all_but_the_column(given, tmp_path):
    head = HeadConfig(kind="dft", spread=10, label_priors=True)
    both = dataclasses.replace(given, baseline=HeadConfig(kind="bottleneck", dim=3, label_priors=True), head=head)
    run(both, tmp_path / "run")
    model, params = load_model(tmp_path / "run", "dft k=6 spread=10 priors")
    train = load_splits(given)["train"]
    log_odds = label_priors(train.labels, 60)
    np.testing.assert_array_equal(params["head"]["label_priors"][:, 0], log_odds - prior_logit(model.head.prior, 6, 60))
    assert params["head"]["projection_bias"][-1] != 1
    for own in make_models(both, train):
        start = own.init(jax.random.key(0))["head"]
        np.testing.assert_allclose(own.head.logits(start, np.zeros(16, np.float32)), log_odds, rtol=1e-5)


def test_slack_starts_as_far_as_examples_differ_and_an_embedding_needs_all(given, tmp_path):
    """Twelve features of three directions give two columns."""
    train = load_splits(given)["train"]
    flat = train.features.values[:, :3] @ np.eye(3, 16, dtype=np.float32)
    few = dataclasses.replace(train, features=dataclasses.replace(train.features, values=flat))
    slack = HeadConfig(kind="dft", spread=10, slack=4, slack_start="embedding")
    (model,) = make_models(dataclasses.replace(given, head=slack), few)
    assert model.given["slack"].shape == (60, 2)
    params = model.init(jax.random.key(0))["head"]
    np.testing.assert_array_equal(params["slack"][:, :2], model.given["slack"])
    assert params["slack"].shape == (60, 4)
    with pytest.raises(ValueError, match=r"head\.embedding=4 must be at most 2: the labels' examples"):
        make_models(dataclasses.replace(given, head=HEAD), few)


def test_a_run_goes_on_with_it(given, tmp_path):
    shorter = dataclasses.replace(given, optim=dataclasses.replace(given.optim, schedule="constant", steps=20))
    longer = dataclasses.replace(shorter, optim=dataclasses.replace(shorter.optim, steps=40))
    run(shorter, tmp_path / "stopped")
    run(longer, tmp_path / "stopped", resume=True)
    run(longer, tmp_path / "whole")
    (_, stopped), (_, whole) = load_model(tmp_path / "stopped"), load_model(tmp_path / "whole")
    assert stopped["head"].keys() == {"projection_kernel", "projection_bias", "slack", "embedding"}
    for name, value in whole["head"].items():
        np.testing.assert_array_equal(stopped["head"][name], value)


def sparse(data: Dataset) -> Dataset:
    """The same features as compressed rows, without those below zero."""
    rows, ids = np.nonzero(data.features.values > 0)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(data)))])
    width = data.features.values.shape[1]
    own = SparseFeatures(indptr, ids.astype(np.int32), data.features.values[rows, ids], width, width)
    return dataclasses.replace(data, features=own)


def test_sparse_features_give_one_too(given, tmp_path):
    splits = {name: sparse(data) for name, data in load_splits(given).items()}
    run(dataclasses.replace(given, encoder=EncoderConfig(dim=16)), tmp_path / "run", splits=splits)
    dense = np.maximum(load_splits(given)["train"].features.values, 0)
    columns = label_embedding(dense, splits["train"].labels, 60, 6)
    np.testing.assert_allclose(load_model(tmp_path / "run")[1]["head"]["embedding"], columns[:, 2:], atol=1e-4)
