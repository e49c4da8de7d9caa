import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import f1_score

import sigfft
from sigfft import inference
from sigfft.metrics import best_for_examples, curves_of, make_histograms

N_LABELS = 41
SETS = [[0, 3, 40], [], [5], list(range(30)), [7, 9], [1]]


@pytest.mark.parametrize(
    ("head", "block_size"),
    [
        (sigfft.sigmoid_head(N_LABELS, feature_dim=4), 64),
        (sigfft.sigmoid_head(N_LABELS, feature_dim=4), 13),
        (sigfft.dft_head(N_LABELS, 3, feature_dim=4), 7),
    ],
)
def test_every_threshold_from_blocks_of_labels(head, block_size):
    rng = np.random.default_rng(0)
    params = {name: 9 * value for name, value in head.init(jax.random.key(0)).items()}
    features = jnp.asarray(rng.normal(size=(6, 4)), jnp.float32)
    labels, mask = jnp.asarray(sigfft.labels.pad(SETS, N_LABELS)), jnp.arange(6) != 4
    histograms = make_histograms(N_LABELS, low=-32, high=8, resolution=1 / 2)

    @functools.partial(jax.jit, static_argnums=0)
    def curves(block_size, params, features):
        options = {"histograms": histograms, "block_size": block_size}
        return curves_of(inference.binned(head, params, features, labels, mask, **options), labels, mask)

    found = curves(block_size, params, features)
    logits = np.asarray(head.logits(params, features))
    expected = histograms.update(histograms.init(), logits, labels, mask)
    np.testing.assert_array_equal(found.counts.every, expected.every)
    np.testing.assert_array_equal(found.counts.active, expected.active)
    truth = np.zeros((6, N_LABELS), int)
    for row, ids in zip(truth, SETS, strict=True):
        row[ids] = 1
    counted = np.asarray(mask)
    truth, predicted = truth[counted], [(logits > edge)[counted] for edge in histograms.edges]
    f1 = [f1_score(truth, above.astype(int), average="samples", zero_division=0) for above in predicted]
    np.testing.assert_allclose(found.f1 / 5, f1, rtol=1e-6)
    np.testing.assert_array_equal(found.exact, [(truth == above).all(axis=1).sum() for above in predicted])
    assert np.ptp(found.exact) > 0
    best = best_for_examples(histograms, found.f1, 5)
    assert best.reached == pytest.approx(max(f1), rel=1e-6)
    assert f1[histograms.edges.tolist().index(best.value)] == pytest.approx(max(f1), rel=1e-6)
