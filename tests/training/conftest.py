import dataclasses

import jax
import pytest

from sigfft.data import SyntheticSpec
from sigfft.training.config import CheckConfig, Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, OptimConfig


@pytest.fixture(autouse=True)
def _promotion():
    """Optax's bias correction mixes the int32 step with floats: the one place that is not strict about dtypes."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def config(cache_dir):
    """A run of seconds: 60 labels, 40 steps."""
    spec = SyntheticSpec(
        n_labels=60, feature_dim=12, n_train=400, n_dev=70, n_test=90, mean_cardinality=3.0, max_cardinality=6
    )
    return Config(
        name="small",
        data=DataConfig(source="synthetic", synthetic=spec, cache_dir=str(cache_dir)),
        encoder=EncoderConfig(dim=16, dropout=0.1),
        baseline=HeadConfig(kind="bottleneck", dim=2),
        head=HeadConfig(kind="dft", spread=10, slack=2),
        optim=OptimConfig(steps=40, batch_size=32, learning_rate=0.01, warmup_steps=5),
        eval=EvalConfig(every=10, log_every=5, ks=(1, 5)),
        check=CheckConfig(max_sets=30),
    )


@pytest.fixture
def dft_only(config):
    unchecked = CheckConfig(max_sets=-1)
    no_threshold = dataclasses.replace(config.eval, threshold="")
    return dataclasses.replace(config, baseline=HeadConfig(kind="none"), check=unchecked, eval=no_threshold)
