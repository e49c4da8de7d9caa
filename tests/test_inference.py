import jax
import jax.numpy as jnp
import numpy as np
import pytest
from heads.laws import Folding

import sigfft
from sigfft import inference, metrics

HEADS = {
    "sigmoid": sigfft.sigmoid_head(57, feature_dim=3),
    "folding": Folding(57, 4, feature_dim=3, spread=3, slack=3, n_fft=60),
    "rotation": sigfft.dft_head(59, 4, feature_dim=3, spread=3, n_fft=59),
}
BLOCK_SIZES = (1, 10, 100)


@pytest.fixture(params=HEADS, scope="module")
def problem(request):
    head = HEADS[request.param]
    params = head.init(jax.random.key(0))
    params = {name: 8 * jax.random.normal(jax.random.key(1), p.shape) for name, p in params.items()}
    features = jax.random.normal(jax.random.key(2), (6, 3))
    return head, params, features, head.logits(params, features)


@pytest.mark.parametrize("block_size", BLOCK_SIZES)
def test_top_k_is_that_of_all_logits(problem, block_size):
    head, params, features, logits = problem
    scores, labels = jax.lax.top_k(logits, 13)
    top = inference.top_k(head, params, features, 13, block_size=block_size)
    np.testing.assert_array_equal(top.labels, labels)
    np.testing.assert_allclose(top.scores, scores, rtol=1e-5, atol=1e-4)


def test_equal_logits_rank_by_id():
    head = HEADS["folding"]
    params = jax.tree.map(jnp.zeros_like, head.init(jax.random.key(0)))
    for block_size in BLOCK_SIZES:
        top = inference.top_k(head, params, jnp.ones((2, 3)), 20, block_size=block_size)
        np.testing.assert_array_equal(top.labels, np.tile(np.arange(20), (2, 1)))


@pytest.mark.parametrize("block_size", BLOCK_SIZES)
def test_label_sets_are_the_labels_above_the_threshold(problem, block_size):
    head, params, features, logits = problem
    logits = np.asarray(logits)
    threshold = float(np.sort(logits[0])[-8]) - 1e-3  # 8 labels of example 0
    sets = inference.label_sets(head, params, features, 50, threshold=threshold, block_size=block_size)
    assert sigfft.labels.unpack(np.asarray(sets.labels), head.n_labels) == [
        np.flatnonzero(row > threshold).tolist() for row in logits
    ]
    np.testing.assert_array_equal(sets.cardinality, (logits > threshold).sum(1))
    kept = np.asarray(sets.labels) < head.n_labels
    rows, _ = np.nonzero(kept)
    np.testing.assert_allclose(sets.scores[kept], logits[rows, np.asarray(sets.labels)[kept]], rtol=1e-5, atol=1e-4)
    assert (np.asarray(sets.scores)[~kept] == -np.inf).all()


def test_a_set_that_does_not_fit_keeps_its_best_labels(problem):
    head, params, features, logits = problem
    threshold = float(np.sort(np.asarray(logits[0]))[-8]) - 1e-3
    sets = inference.label_sets(head, params, features, 5, threshold=threshold, block_size=10)
    assert sets.cardinality[0] == 8
    np.testing.assert_array_equal(sets.labels[0], np.sort(jax.lax.top_k(logits[0], 5)[1]))


@pytest.mark.parametrize("block_size", BLOCK_SIZES)
def test_predictions_give_the_metrics_of_all_logits(problem, block_size):
    head, params, features, logits = problem
    labels = jnp.asarray(sigfft.labels.pad([[0, 3, 56], [], [5], list(range(40)), [7, 9], [1]], head.n_labels))
    mask = jnp.arange(6) != 4
    expected = metrics.predict(logits, labels, mask, top=5, threshold=0.5)
    streamed = inference.predictions(head, params, features, labels, mask, top=5, threshold=0.5, block_size=block_size)
    is_label = np.asarray(labels) < head.n_labels
    np.testing.assert_array_equal(np.asarray(streamed.active)[is_label], np.asarray(expected.active)[is_label])
    for name in ("top_labels", "per_example", "per_label"):
        np.testing.assert_array_equal(getattr(streamed, name), getattr(expected, name))
    assert np.asarray(expected.per_label).any()
    measured = metrics.make_metrics(head.n_labels, (1, 5), threshold=0.5)
    assert measured.compute(measured.update_predictions(measured.init(), streamed, labels, mask)) == measured.compute(
        measured.update(measured.init(), logits, labels, mask)
    )


@pytest.mark.loose_types
def test_label_ids_may_be_of_any_whole_type():
    head = sigfft.sigmoid_head(300, feature_dim=2)
    params = head.init(jax.random.key(0)) | {"weight": jax.random.normal(jax.random.key(1), (300, 2))}
    features, mask = jax.random.normal(jax.random.key(2), (4, 2)), jnp.ones(4, bool)
    ids, measure = np.array([[3, 200], [7, 100], [1, 2], [250, 9]]), metrics.make_histograms(300)
    measured = metrics.make_metrics(300, ks=(1, 3))
    found = []
    for dtype in (jnp.int32, jnp.uint8, jnp.int16):
        labels = jnp.asarray(ids, dtype)
        predictions = inference.predictions(head, params, features, labels, mask, top=3)
        sums = metrics.curves_of(
            inference.binned(head, params, features, labels, mask, histograms=measure), labels, mask
        )
        scores = [
            measured.compute(measured.update_predictions(measured.init(), predictions, labels, mask)),
            measured.compute(measured.update(measured.init(), head.logits(params, features), labels, mask)),
        ]
        assert scores[0] == scores[1]
        found.append((predictions, sums, scores[0]))
    for other in found[1:]:
        jax.tree.map(np.testing.assert_array_equal, found[0], other)


def test_all_logits_are_never_held():
    head = sigfft.dft_head(1009, 4, feature_dim=3)
    params, features = head.init(jax.random.key(0)), jnp.ones((7, 3))
    labels, mask = jnp.full((7, 2), 1009, jnp.int32), jnp.ones(7, bool)
    dense = jax.jit(lambda p, x: metrics.predict(head.logits(p, x), labels, mask, top=5)).lower(params, features)
    blocks = inference.predictions.lower(head, params, features, labels, mask, top=5, block_size=100)
    assert "[7,1009]" in dense.compile().as_text()
    assert "[7,1009]" not in blocks.compile().as_text()


@pytest.mark.parametrize("k", [0, 58])
def test_impossible_sizes_raise(k):
    head = HEADS["sigmoid"]
    with pytest.raises(ValueError, match=f"k={k} labels are asked for; expected 1 .. n_labels=57"):
        inference.top_k(head, head.init(jax.random.key(0)), jnp.ones((2, 3)), k)


def test_a_label_of_no_number_ranks_last_and_keeps_its_id(problem):
    head, params, features, _ = problem
    top = inference.top_k(head, params, features.at[1].set(jnp.nan), head.n_labels, block_size=10)
    np.testing.assert_array_equal(np.sort(top.labels, axis=1), np.tile(np.arange(head.n_labels), (6, 1)))
    sets = inference.label_sets(head, params, features.at[1].set(jnp.nan), 5, block_size=10)
    assert sets.cardinality[1] == 0


def test_an_empty_batch_has_no_predictions(problem):
    head, params, features, _ = problem
    assert inference.top_k(head, params, features[:0], 3, block_size=10).labels.shape == (0, 3)
    assert inference.label_sets(head, params, features[:0], 3, block_size=10).labels.shape == (0, 3)


def test_predictions_of_a_sharded_batch(problem):
    head, params, features, _ = problem
    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:2])
    spread = jax.shard_map(
        lambda p, x: inference.top_k(head, p, x, 7, block_size=10),
        mesh=mesh,
        in_specs=(jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec("data")),
        out_specs=jax.sharding.PartitionSpec("data"),
    )
    expected = inference.top_k(head, params, features, 7, block_size=10)
    np.testing.assert_array_equal(spread(params, features).labels, expected.labels)


def test_the_old_name_stays_for_one_release():
    with pytest.warns(DeprecationWarning, match="sigfft.predict is now sigfft.inference"):
        assert sigfft.predict.top_k is inference.top_k
    from sigfft import predict

    assert predict.label_sets is inference.label_sets


@pytest.mark.loose_types  # a size that is a symbol is no size to jaxtyping
@pytest.mark.parametrize("kind", ["bottleneck", "dft"])
def test_functions_are_exported_for_batches_of_any_size(kind):
    bottleneck, dft = sigfft.bottleneck_head(60, 5, feature_dim=8), sigfft.dft_head(60, 3, feature_dim=8, slack=2)
    head = {"bottleneck": bottleneck, "dft": dft}[kind]
    params, (batch,) = head.init(jax.random.key(0)), jax.export.symbolic_shape("batch")
    shapes = jax.tree.map(lambda value: jax.ShapeDtypeStruct(value.shape, value.dtype), params)
    features = np.random.default_rng(0).standard_normal((5, 8)).astype(np.float32)

    @jax.jit
    def answers(params, features):
        top = inference.top_k(head, params, features, 4, block_size=16)
        return top, inference.label_sets(head, params, features, 4, block_size=16), head.logits(params, features)

    exported = jax.export.export(answers)(shapes, jax.ShapeDtypeStruct((batch, 8), np.float32))
    found = jax.export.deserialize(exported.serialize()).call(params, features)
    jax.tree.map(np.testing.assert_array_equal, found, answers(params, features))
