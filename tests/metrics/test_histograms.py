import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sigfft import labels as label_sets
from sigfft.metrics import make_histograms


def random_problem(seed, n_examples=40, n_labels=12, decimals=None):
    """Logits that know something of the label sets, and padded sets; labels 0 and 1 are of no and of every example."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n_examples, n_labels)) < rng.uniform(0.05, 0.6, n_labels)
    truth[:, :2] = False, True
    logits = (rng.normal(size=truth.shape) + truth * rng.uniform(0, 2, n_labels)).astype(np.float32)
    if decimals is not None:
        logits = np.round(logits * 2**decimals) / np.float32(2**decimals)
    return logits, truth, label_sets.pad([np.flatnonzero(row) for row in truth], n_labels)


def counted(histograms, logits, labels, mask=None, batch=None):
    mask = np.ones(len(logits), bool) if mask is None else mask
    counts = histograms.init()
    for start in range(0, len(logits), batch or len(logits)):
        rows = slice(start, start + (batch or len(logits)))
        counts = histograms.update(counts, *(jnp.asarray(x[rows]) for x in (logits, labels, mask)))
    return counts


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])
def test_what_lies_above_an_edge_is_what_the_rule_says(dtype):
    logits, truth, labels = random_problem(0)
    with jax.enable_x64(dtype == "float64"):
        logits = jnp.asarray(logits, dtype)
        logits = logits.at[:, 3].set(jnp.asarray(jnp.round(logits[:, 3] * 4) / 4, dtype))  # on the edges
        logits = logits.at[:6, 2].set(jnp.array([jnp.nan, jnp.inf, -jnp.inf, 2, -2, 1e4], dtype))
        histograms = make_histograms(12, low=-2, high=2, resolution=1 / 4)
        host = histograms.on_host(counted(histograms, logits, labels))
        for j, edge in enumerate(histograms.edges):
            above = np.asarray(logits > edge.astype(dtype))
            np.testing.assert_array_equal(host.every[:, j + 1 :].sum(axis=1), above.sum(axis=0))
            np.testing.assert_array_equal(host.active[:, j + 1 :].sum(axis=1), (above & truth).sum(axis=0))
    assert (host.every.sum(axis=1) == 40).all()
    np.testing.assert_array_equal(host.active.sum(axis=1), truth.sum(axis=0))


def test_batches_and_masks_and_padding_do_not_matter():
    logits, _, labels = random_problem(1)
    histograms = make_histograms(12)
    mask = np.arange(40) % 3 > 0
    expected = counted(histograms, logits[mask], labels[mask])
    logits[~mask] = np.nan
    assert equal(counted(histograms, logits, labels, mask, batch=8), expected)
    assert equal(counted(histograms, logits, labels, mask.astype(np.float32)), expected)
    assert equal(counted(histograms, logits, np.pad(labels, ((0, 0), (0, 3)), constant_values=12), mask), expected)


@pytest.mark.parametrize("reduce", ["psum", "leading axis"])
def test_devices_add_up(reduce):
    logits, _, labels = random_problem(2)
    mask = np.arange(40) < 37
    histograms = make_histograms(12)

    @functools.partial(jax.pmap, axis_name="data")
    def step(logits, labels, mask):
        counts = histograms.update(histograms.init(), logits, labels, mask)
        return jax.lax.psum(counts, "data") if reduce == "psum" else counts

    counts = step(*(x.reshape(8, 5, *x.shape[1:]) for x in (logits, labels, mask)))
    if reduce == "psum":
        counts = jax.tree.map(lambda leaf: leaf[0], counts)
    expected = histograms.on_host(counted(histograms, logits, labels, mask))
    assert equal(histograms.on_host(counts), expected)


def test_one_compilation_serves_every_batch():
    from sigfft.metrics.histograms import _update

    logits, _, labels = random_problem(0)
    _update.clear_cache()
    for _ in range(2):
        counted(make_histograms(12), logits, labels, batch=8)
    assert _update._cache_size() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resolution": 0.1}, "resolution=0.1 must be a power of two"),
        ({"resolution": -0.5}, "power of two"),
        ({"resolution": float("inf")}, "power of two"),
        ({"low": 4.0, "high": 4.0}, "low=4.0 and high=4.0 must ascend"),
        ({"low": -1.3}, "multiples of resolution=0.125"),
        ({"high": 2.0**24}, "at most 2\\^24 times it"),
    ],
)
def test_options_reject(options, message):
    with pytest.raises(ValueError, match=message):
        make_histograms(12, **options)


def test_batches_and_counts_of_other_sizes_are_refused():
    logits, _, labels = random_problem(0)
    histograms = make_histograms(12)
    with pytest.raises(ValueError, match="n_labels=11"):
        counted(make_histograms(11), logits, labels)
    with pytest.raises(ValueError, match="no example was counted"):
        histograms.on_host(counted(histograms, logits, labels, np.zeros(40, bool)))
    with pytest.raises(ValueError, match=r"\(labels, bins\) = \(12, 258\); given \(12, 130\)"):
        histograms.on_host(counted(make_histograms(12, resolution=1 / 4), logits, labels))
