import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import sigfft.nnx
from sigfft.metrics import make_metrics

LOGITS = jnp.asarray(np.random.default_rng(0).standard_normal((6, 7)), jnp.float32)
LABELS = jnp.asarray(sigfft.labels.pad([[0, 3], [], [5], [2, 6], [1], [4]], 7))
MASK = jnp.arange(6) < 4


@nnx.jit
def add(metrics, values, logits, labels, mask):
    metrics.update(values=values, logits=logits, labels=labels, mask=mask)


def test_beside_an_average_under_jit():
    pure = make_metrics(7, (1, 3), propensities=np.linspace(0.2, 1, 7))
    both = nnx.MultiMetric(loss=nnx.metrics.Average(), scores=sigfft.nnx.Metrics(pure))
    for _ in range(2):
        for rows in (slice(0, 3), slice(3, 6)):
            add(both, jnp.arange(6.0)[rows], LOGITS[rows], LABELS[rows], MASK[rows])
        with jax.numpy_dtype_promotion("standard"):  # Flax's average divides a float by an int
            found = both.compute()
        expected = pure.compute(pure.update(pure.init(), LOGITS, LABELS, MASK))
        assert found["scores"] == pytest.approx(expected, rel=1e-6)
        assert found["loss"] == 1.5
        both.reset()
    with pytest.raises(ValueError, match="no example was counted"):
        both.scores.compute()


def test_without_a_mask_every_row_counts():
    pure = make_metrics(7, (1, 3))
    metrics = sigfft.nnx.Metrics(pure)
    metrics.update(logits=LOGITS, labels=LABELS)
    assert metrics.compute() == pure.compute(pure.update(pure.init(), LOGITS, LABELS, jnp.ones(6, bool)))
    with pytest.raises(ValueError, match="call it outside"):
        nnx.jit(lambda m: m.compute())(metrics)


def test_importing_sigfft_does_not_import_flax():
    code = "import sigfft, sys; assert 'flax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
