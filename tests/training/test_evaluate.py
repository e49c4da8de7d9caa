import jax
import numpy as np
import pytest

from sigfft.metrics import make_metrics
from sigfft.training.evaluate import make_evaluate
from sigfft.training.experiment import load_splits
from sigfft.training.model import make_models


@pytest.mark.parametrize("block_size", [7, 60])
def test_metrics_from_blocks_of_labels_are_those_of_whole_logits(config, block_size):
    splits = load_splits(config)
    metrics = make_metrics(60, (1, 5), threshold=-3.0, propensities=np.linspace(0.1, 1, 60))
    for model in make_models(config, splits["train"]):
        params = model.init(jax.random.key(1))
        params["head"]["projection_kernel"] = 9 * params["head"]["projection_kernel"]
        whole, blocks = (
            make_evaluate(model, metrics, splits["test"], 32, 50, size)(params) for size in (0, block_size)
        )
        assert whole == pytest.approx(blocks, rel=1e-6)
        assert whole.keys() == blocks.keys()
        assert 0 < whole["micro F1"] < 1
