import functools

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from sklearn import metrics as sk

from sigfft import labels as label_sets
from sigfft.metrics import Predictions, compensated, make_metrics, predict, propensities

KS = (1, 3, 5)


def random_problem(seed, n_examples=40, n_labels=12, decimals=None):
    """Logits and padded label sets, some of them empty; `decimals` rounds the logits, so that many tie."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n_examples, n_labels)).astype(np.float32)
    if decimals is not None:
        logits = np.round(logits, decimals) + 0  # no -0.0, which ranks below 0.0
    sizes = rng.integers(0, 7, n_examples)
    sizes[:3] = 0
    logits[0] = -1.0
    return logits, label_sets.pad([rng.choice(n_labels, s, replace=False) for s in sizes], n_labels)


def evaluate(metrics, logits, labels, mask=None, batch=None):
    mask = np.ones(len(logits), bool) if mask is None else mask
    state = metrics.init()
    for start in range(0, len(logits), batch or len(logits)):
        rows = slice(start, start + (batch or len(logits)))
        state = metrics.update(state, jnp.asarray(logits[rows]), jnp.asarray(labels[rows]), jnp.asarray(mask[rows]))
    return metrics.compute(state)


def reference(logits, labels, propensity=None):
    """The same metrics from dense matrices, by scikit-learn; PSP example by example."""
    n_examples, n_labels = logits.shape
    truth = np.zeros((n_examples, n_labels + 1), int)
    np.put_along_axis(truth, labels, 1, axis=1)
    truth = truth[:, :n_labels]
    order = np.argsort(-logits, axis=1, kind="stable")
    scores = np.empty(order.shape)
    np.put_along_axis(scores, order, -np.arange(n_labels)[None, :] + 0.0, axis=1)
    expected = {}
    for k in KS:
        top = (scores > -k).astype(int)
        options = {"average": "samples", "zero_division": 0}
        precision = sk.precision_score(truth, top, **options)
        recall = sk.recall_score(truth, top, **options)
        expected |= {
            f"P@{k}": precision,
            f"R@{k}": recall,
            f"F1@{k}": 2 * precision * recall / (precision + recall),
            f"mean F1@{k}": sk.f1_score(truth, top, **options),
            f"nDCG@{k}": sk.ndcg_score(truth, scores, k=k),
        }
        if propensity is not None:
            reached = sum((truth[i] / propensity)[order[i, :k]].sum() for i in range(n_examples))
            best = sum(np.sort(truth[i] / propensity)[::-1][:k].sum() for i in range(n_examples))
            expected[f"PSP@{k}"] = reached / best
            gain = best_gain = 0.0
            for i in range(n_examples):
                weights = truth[i] / propensity
                gain += sum(weights[label] / np.log2(rank + 2) for rank, label in enumerate(order[i, :k]))
                ideal = sorted(weights, reverse=True)[:k]
                best_gain += sum(weight / np.log2(rank + 2) for rank, weight in enumerate(ideal))
            expected[f"PSnDCG@{k}"] = gain / best_gain
    predicted = (logits > 0).astype(int)
    for average, name in (("micro", "micro F1"), ("macro", "macro F1"), ("samples", "sample F1")):
        expected[name] = sk.f1_score(truth, predicted, average=average, zero_division=0)
    return expected | {"exact match": sk.accuracy_score(truth, predicted)}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("decimals", [None, 0], ids=["distinct logits", "tied logits"])
def test_equals_scikit_learn(seed, decimals):
    logits, labels = random_problem(seed, decimals=decimals)
    propensity = propensities(np.random.default_rng(seed).integers(0, 100, 12), 100)
    result = evaluate(make_metrics(12, KS, propensities=propensity), logits, labels)
    assert result == pytest.approx(reference(logits, labels, propensity), rel=1e-6)


def test_by_hand():
    logits = np.array([[3.0, 2.0, 1.0, -1.0], [-1.0, -2.0, -3.0, -4.0], [1.0, -1.0, 2.0, -2.0]], np.float32)
    labels = label_sets.pad([[0, 2], [], [1]], 4)
    result = evaluate(make_metrics(4, (1, 3), propensities=np.array([0.5, 1.0, 0.25, 1.0])), logits, labels)
    log3 = 1 / np.log2(3)
    assert result == pytest.approx(
        {
            "P@1": 1 / 3,
            "P@3": 1 / 3,  # hits 2, 0, 1 of 9
            "R@1": (1 / 2) / 3,
            "R@3": 2 / 3,
            "F1@1": 2 / (3 + 6),
            "F1@3": 2 / (3 + 3 / 2),
            "mean F1@1": (2 / 3) / 3,
            "mean F1@3": (4 / 5 + 2 / 4) / 3,
            "nDCG@1": 1 / 3,
            "nDCG@3": ((1 + 1 / 2) / (1 + log3) + 1 / 2) / 3,
            "PSP@1": 2 / (4 + 1),  # label 2, of weight 4, would have been the best first choice
            "PSP@3": 1.0,
            "PSnDCG@1": 2 / (4 + 1),
            "PSnDCG@3": (2 + 4 / 2 + 1 / 2) / (4 + 2 * log3 + 1),
            "micro F1": 2 * 2 / (5 + 3),  # 2 right, 5 predicted, 3 true
            "macro F1": (2 / 3 + 0 + 2 / 3 + 0) / 4,
            "sample F1": (4 / 5 + 0 + 0) / 3,
            "exact match": 1 / 3,  # the empty set, predicted empty
        },
        rel=1e-6,
    )


def test_equal_logits_rank_by_label_id():
    result = evaluate(make_metrics(6, (2,)), np.zeros((2, 6), np.float32), label_sets.pad([[0, 1], [4, 5]], 6))
    assert result["P@2"] == 0.5
    assert result["micro F1"] == 0, "a logit of exactly the threshold is not predicted"


def test_threshold_is_in_logits():
    logits, labels = random_problem(0)
    shifted = evaluate(make_metrics(12, KS, threshold=1.5), logits + np.float32(1.5), labels)
    assert shifted == pytest.approx(evaluate(make_metrics(12, KS), logits, labels), rel=1e-6)


def test_masked_rows_do_not_count_whatever_they_hold():
    logits, labels = random_problem(0)
    mask = np.random.default_rng(0).random(40) < 0.6
    metrics = make_metrics(12, KS, propensities=np.linspace(0.1, 1, 12))
    expected = evaluate(metrics, logits[mask], labels[mask])
    logits[~mask] = np.where(np.arange(12) % 2, np.inf, np.nan)
    assert evaluate(metrics, logits, labels, mask) == pytest.approx(expected, rel=1e-6)


def test_streaming_equals_one_shot():
    logits, labels = random_problem(0)
    metrics = make_metrics(12, KS, propensities=np.linspace(0.1, 1, 12))
    assert evaluate(metrics, logits, labels, batch=8) == pytest.approx(evaluate(metrics, logits, labels), rel=1e-6)


def test_padding_width_does_not_matter():
    logits, _ = random_problem(0)
    metrics = make_metrics(12, KS, propensities=np.linspace(0.1, 1, 12))
    narrow, wide = (label_sets.pad([[3], [7]], 12, width) for width in (1, 11))
    assert evaluate(metrics, logits[:2], narrow) == evaluate(metrics, logits[:2], wide)


@pytest.mark.parametrize("reduce", ["psum", "leading axis"])
def test_devices_add_up(reduce):
    devices = 8
    logits, labels = random_problem(0, n_examples=5 * devices)
    mask = np.arange(5 * devices) < 37
    metrics = make_metrics(12, KS, propensities=np.linspace(0.1, 1, 12))

    @functools.partial(jax.pmap, axis_name="data")
    def step(logits, labels, mask):
        state = metrics.update(metrics.init(), logits, labels, mask)
        return jax.lax.psum(state, "data") if reduce == "psum" else state

    state = step(*(x.reshape(devices, 5, *x.shape[1:]) for x in (logits, labels, mask)))
    if reduce == "psum":
        state = jax.tree.map(lambda leaf: leaf[0], state)
    expected = evaluate(metrics, logits, labels, mask)
    assert metrics.compute(state) == pytest.approx(expected, rel=1e-6)


def test_predictions_without_whole_logits():
    logits, labels = random_problem(0)
    metrics = make_metrics(12, KS)
    mask = jnp.asarray(np.arange(40) < 30)
    whole = predict(jnp.asarray(logits), jnp.asarray(labels), mask, top=5)
    above = logits > 0
    blocked = Predictions(
        top_labels=np.argsort(-logits, axis=1, kind="stable")[:, :7].astype(np.int32),  # more than needed
        active=np.take_along_axis(np.pad(above, ((0, 0), (0, 1)), constant_values=True), labels, axis=1),
        per_example=above.sum(axis=1, dtype=np.int32),
        per_label=above[:30].sum(axis=0, dtype=np.int32),
    )
    states = (metrics.update_predictions(metrics.init(), p, jnp.asarray(labels), mask) for p in (whole, blocked))
    first, second = (metrics.compute(state) for state in states)
    assert first == second == evaluate(metrics, logits, labels, np.asarray(mask))


def test_one_compilation_serves_every_batch_and_every_head():
    from sigfft.metrics.streaming import _update

    logits, labels = random_problem(0)
    _update.clear_cache()
    for _ in range(2):
        evaluate(make_metrics(12, KS), logits, labels, batch=8)
    assert _update._cache_size() == 1


def test_low_precision_logits_and_float_mask():
    logits, labels = random_problem(0, decimals=0)  # exact in bfloat16
    metrics = make_metrics(12, KS)
    state = metrics.update(metrics.init(), jnp.asarray(logits, jnp.bfloat16), jnp.asarray(labels), jnp.ones(40))
    assert metrics.compute(state) == evaluate(metrics, logits, labels)


def test_double_precision():
    logits, labels = random_problem(0)
    metrics = make_metrics(12, KS, propensities=np.linspace(0.1, 1, 12))
    expected = evaluate(metrics, logits, labels)
    with jax.enable_x64():
        assert evaluate(metrics, logits.astype(np.float64), labels.astype(np.int64)) == pytest.approx(
            expected, rel=1e-6
        )


def test_sum_keeps_what_float32_rounds_away():
    @jax.jit
    def run(running):
        return jax.lax.scan(lambda s, x: (compensated.add(s, x), None), running, jnp.ones(1000))[0]

    start = compensated.add(compensated.zero(), jnp.float32(2**24))
    result = run(start)
    assert float(result.total) == 2**24, "the total alone loses every addend"
    assert compensated.value(result) == 2**24 + 1000


def test_micro_f1_beyond_int32():
    metrics = make_metrics(4, (1,))
    state = metrics.init()
    huge = jnp.full(4, 2**30, jnp.int32)
    state = state._replace(
        examples=jnp.int32(2**30), threshold=state.threshold._replace(true_positives=huge, predicted=huge, actual=huge)
    )
    assert metrics.compute(state)["micro F1"] == 1


def test_propensities():
    # C = (ln 100 - 1) * 2.5^0.55 = 5.96742..., p(0) = 1 / (1 + C / 1.5^0.55), p(98.5) by the same formula.
    c = (np.log(100) - 1) * 2.5**0.55
    result = propensities(np.array([0, 10, 100]), 100)
    np.testing.assert_allclose(result, [1 / (1 + c * x**-0.55) for x in (1.5, 11.5, 101.5)], rtol=1e-12)
    assert (np.diff(result) > 0).all()
    assert propensities(np.array([10]), 100, a=0.6, b=2.6) != result[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([-1, 2], 10), r"label 0 has -1"),
        (([1, 11], 10), r"n_examples=10.*label 1 has 11"),
        (([[1, 2]], 10), r"shape \(1, 2\)"),
        (([1], 2), "at least 3"),
        (([1], 10, 0.0), "a=0.0"),
        (([1], 10, 0.5, -1.0), "b=-1.0"),
    ],
)
def test_propensities_reject(arguments, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the function's own check of the shape
    counts, *rest = arguments
    with pytest.raises(ValueError, match=message):
        propensities(np.array(counts), *rest)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ks": (1, 13)}, "n_labels=12"),
        ({"ks": (0,)}, "n_labels=12"),
        ({"ks": ()}, "at least one"),
        ({"ks": (3, 3)}, "distinct"),
        ({"propensities": np.ones(11)}, r"12 probabilities.*shape \(11,\)"),
        ({"propensities": np.zeros(12)}, r"\(0, 1\]"),
        ({"propensities": np.full(12, np.nan)}, r"\(0, 1\]"),
    ],
)
def test_options_reject(options, message):
    with pytest.raises(ValueError, match=message):
        make_metrics(12, **options)


@pytest.mark.parametrize(
    ("logits", "labels", "mask", "message"),
    [
        ((4, 11), (4, 3), (4,), "n_labels=12"),
        ((4, 12), (5, 3), (4,), r"\(5, 3\)"),
        ((4, 12), (4, 3), (5,), r"\(5,\)"),
        ((4, 12), (4,), (4,), r"\(4, max_cardinality\)"),
    ],
)
def test_batch_rejects(logits, labels, mask, message):
    metrics = make_metrics(12, KS)
    with pytest.raises(ValueError, match=message):
        metrics.update(metrics.init(), jnp.zeros(logits), jnp.zeros(labels, jnp.int32), jnp.ones(mask, bool))


def test_rejects_labels_that_are_no_ids_too_few_top_labels_and_no_examples():
    metrics = make_metrics(12, KS)
    logits, labels, mask = jnp.zeros((2, 12)), jnp.full((2, 1), 12), jnp.zeros(2, bool)
    with pytest.raises(ValueError, match="padded label ids"):
        metrics.update(metrics.init(), logits, labels.astype(jnp.float32), mask)
    with pytest.raises(ValueError, match="top_labels holds 2"):
        metrics.update_predictions(metrics.init(), predict(logits, labels, mask, top=2), labels, mask)
    with pytest.raises(ValueError, match="no example"):
        metrics.compute(metrics.update(metrics.init(), logits, labels, mask))
