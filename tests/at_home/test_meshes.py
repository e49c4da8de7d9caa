"""Heads, losses and both Flax layers on the meshes that people have, each against the value on one device."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from heads.laws import random_params
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import sigfft
import sigfft.linen
import sigfft.nnx
from sigfft.heads import per_label_params

N, FEATURES, BATCH = 64, 12, 16
HEADS = {
    "sigmoid": sigfft.sigmoid_head(N, feature_dim=FEATURES),
    "bottleneck": sigfft.bottleneck_head(N, 5, feature_dim=FEATURES),
    "dft": sigfft.dft_head(N, 3, feature_dim=FEATURES, spread=4, slack=2, centred=True),
    "dft order": sigfft.dft_head(N, 3, feature_dim=FEATURES, order=[(5 * i) % N for i in range(N)]),
    "retrofit": sigfft.retrofit_head(N, FEATURES, 2, spread=3),
}
LABELS = sigfft.labels.pad([[i, (7 * i + 3) % N] if i % 3 else [] for i in range(BATCH)], N)
WEIGHTS = np.linspace(0.5, 2, N).astype(np.float32)
MASK = np.arange(BATCH) < 13
MESHES = {  # shape, axes, that of the labels' parameters
    "data": ((8,), ("data",), None),
    "data and model": ((4, 2), ("data", "model"), None),
    "labels": ((4, 2), ("data", "model"), "model"),
}
PLACES = {
    "auto data": ("data", AxisType.Auto),
    "auto labels": ("labels", AxisType.Auto),
    "explicit data": ("data", AxisType.Explicit),
    "explicit data and model": ("data and model", AxisType.Explicit),
    "explicit labels": ("labels", AxisType.Explicit),
}
METRICS = sigfft.metrics.make_metrics(N, ks=(1, 3))
HISTOGRAMS = sigfft.metrics.make_histograms(N, -4.0, 4.0, 1.0)
BCE = sigfft.losses.binary_cross_entropy()


def loss(head, params, features, labels, block_size, **options):
    return sigfft.losses.of_head(BCE, head, params, features, labels, block_size, **options)


def per_example(head, module, params, features, labels):
    """Uses whose results have a row for each example."""
    graph, state = module
    nnx.replace_by_pure_dict(state, params)
    thresholds = jnp.asarray(WEIGHTS) / 9
    return {
        "logits": head.logits(params, features),
        "nnx": nnx.merge(graph, state)(features),
        "linen": sigfft.linen.OutputHead(head).apply({"params": params}, features),
        "top": sigfft.inference.top_k(head, params, features, 4, block_size=10),
        "sets": sigfft.inference.label_sets(head, params, features, 5, threshold=thresholds, block_size=9),
    }


def losses(head, params, features, labels):
    """Losses and gradients, dense and by blocks."""
    every = lambda p, x, size: loss(head, p, x, labels, size)  # noqa: E731
    with_logits = lambda p: sigfft.losses.bce_with_logits(head.logits(p, features), labels)  # noqa: E731
    weights = {"label_weights": jnp.asarray(WEIGHTS), "example_weights": jnp.ones(len(features))}
    return {
        "dense": jax.value_and_grad(every, (0, 1))(params, features, None),
        "blocks": jax.value_and_grad(every, (0, 1))(params, features, 10),
        "weighted": loss(head, params, features, labels, 10, **weights),
        "of each": loss(head, params, features, labels, 10, reduction="none"),
        "with logits": jax.value_and_grad(with_logits)(params),
        "softmax": [sigfft.losses.softmax(head, params, features, labels, size) for size in (None, 10)],
        "softmax with logits": sigfft.losses.softmax_with_logits(head.logits(params, features), labels),
        "sampled": sigfft.losses.of_sampled(BCE, head, params, features, labels, jax.random.key(0), 20),
    }


def totals(head, params, features, labels, mask):
    """What is summed over examples, and rows of the labels."""
    found = sigfft.inference.predictions(head, params, features, labels, mask, top=3, block_size=10)
    ids = jnp.arange(5)
    return {
        "masked": loss(head, params, features, labels, 10, example_weights=mask),
        "from logits": METRICS.update(METRICS.init(), head.logits(params, features), labels, mask),
        "by blocks": METRICS.update_predictions(METRICS.init(), found, labels, mask),
        "histograms": HISTOGRAMS.update(HISTOGRAMS.init(), head.logits(params, features), labels, mask),
        "rows": (head.rows(params, ids), head.bias(params, ids)),
    }


def every_use(head, module, params, features, labels, mask):
    return (
        per_example(head, module, params, features, labels)
        | losses(head, params, features, labels)
        | totals(head, params, features, labels, mask)
    )


def placed(head, place):
    kind, types = PLACES[place]
    shape, axes, of_labels = MESHES[kind]
    mesh = jax.make_mesh(shape, axes, axis_types=(types,) * len(axes))
    own, params = per_label_params(head, random_params(head)), random_params(head)
    spec = lambda name: PartitionSpec(of_labels if name in own else None)  # noqa: E731
    on_mesh = {name: jax.device_put(value, NamedSharding(mesh, spec(name))) for name, value in params.items()}
    return mesh, (on_mesh, *jax.device_put(data(), NamedSharding(mesh, PartitionSpec("data"))))


def data():
    return jax.random.normal(jax.random.key(5), (BATCH, FEATURES)), jnp.asarray(LABELS), jnp.asarray(MASK)


@functools.cache
def on_one_device(name):
    head = HEADS[name]
    module = nnx.split(sigfft.nnx.OutputHead(head, rngs=nnx.Rngs(0)))
    return module, jax.jit(every_use, static_argnums=0)(head, module, random_params(head), *data())


def context(mesh, types=AxisType.Explicit):
    return jax.set_mesh(mesh) if types == AxisType.Explicit else contextlib.nullcontext()


def same(found, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5), found, expected)


COMBINATIONS = [("dft", place) for place in PLACES] + [("bottleneck", "explicit data and model")]
COMBINATIONS += [(name, "explicit labels") for name in HEADS if name != "dft"]  # where all of a head's ways are taken


@pytest.mark.parametrize(("name", "place"), COMBINATIONS)
def test_every_use_on_every_mesh(name, place):
    head, (mesh, sharded) = HEADS[name], placed(HEADS[name], place)
    module, expected = on_one_device(name)
    with context(mesh, PLACES[place][1]):
        found = jax.jit(every_use, static_argnums=0)(head, module, *sharded)
    for use in expected:
        same(found[use], expected[use])


@pytest.mark.parametrize("name", ["bottleneck", "dft"])
def test_every_use_under_manual_axes(name):
    head, (mesh, (params, features, labels, _)) = HEADS[name], placed(HEADS[name], "auto data")
    module, expected = on_one_device(name)
    split, whole = PartitionSpec("data"), PartitionSpec()

    @jax.jit
    @functools.partial(jax.shard_map, mesh=mesh, in_specs=(whole, split, split), out_specs=(split, whole))
    def on_each(params, features, labels):
        value = [loss(head, params, features, labels, size) for size in (None, 10)]
        return per_example(head, module, params, features, labels), jax.lax.pmean(value, "data")

    of_examples, values = on_each(params, features, labels)
    for use, found in of_examples.items():
        same(found, expected[use])
    same(values, [expected["dense"][0], expected["blocks"][0]])


def test_without_a_mesh_in_the_context_and_without_jit():
    head, (_, sharded) = HEADS["dft"], placed(HEADS["dft"], "explicit data")
    params, features, labels, _ = sharded
    _, expected = on_one_device("dft")
    same(head.logits(params, features), expected["logits"])
    same(loss(head, params, features, labels, 10), expected["blocks"][0])
    same(loss(head, params, features, labels, None), expected["dense"][0])
    same(sigfft.inference.top_k(head, params, features, 4), expected["top"])


def test_results_are_sharded_as_jax_has_it():
    head = HEADS["bottleneck"]
    mesh, (params, features, labels, mask) = placed(head, "explicit labels")
    with context(mesh):
        assert head.logits(params, features).sharding.spec == PartitionSpec("data", "model")
        assert head.project(params, features).sharding.spec == PartitionSpec("data", None)
        of_loss = jax.jit(jax.grad(lambda p: loss(head, p, features, labels, 10)))(params)
        assert of_loss["weight"].sharding.spec == PartitionSpec("model", None)
        found = sigfft.inference.predictions(head, params, features, labels, mask, top=3, block_size=10)
        assert found.per_label.sharding.is_equivalent_to(NamedSharding(mesh, PartitionSpec("model")), 1)
        assert found.top_labels.sharding.is_equivalent_to(NamedSharding(mesh, PartitionSpec("data")), 2)


@pytest.mark.parametrize("place", ["auto data", "explicit data", "explicit labels"])
@pytest.mark.parametrize("name", ["bottleneck", "dft", "retrofit"])
def test_nothing_as_long_as_the_label_space_is_gathered(name, place):
    head, (mesh, sharded) = HEADS[name], placed(HEADS[name], place)

    def uses(params, features, labels, mask):
        every = lambda p, size: loss(head, p, features, labels, size)  # noqa: E731
        dense = () if place == "explicit labels" else (head.logits(params, features), jax.grad(every)(params, None))
        blocks = jax.grad(every)(params, 10)
        return dense, blocks, sigfft.inference.top_k(head, params, features, 4, block_size=10)

    with context(mesh, PLACES[place][1]):
        text = jax.jit(uses).lower(*sharded).compile().as_text()
    gathered = [line for line in text.splitlines() if "all-gather(" in line or "all-to-all(" in line]
    assert [line for line in gathered if f"{N}" in line.split("=")[1].split("all-")[0]] == []


@pytest.mark.parametrize("block_size", [None, 10])
def test_any_leading_axes_and_none(block_size):
    head = HEADS["dft"]
    params, (features, labels, _) = random_params(head), data()
    value = jax.jit(lambda x, y: loss(head, params, x, y, block_size))
    flat = value(features, labels)
    np.testing.assert_allclose(value(features.reshape(2, 4, 2, -1), labels.reshape(2, 4, 2, -1)), flat, rtol=1e-6)
    each = [value(x, y) for x, y in zip(features, labels, strict=True)]
    np.testing.assert_allclose(np.mean(each), flat, rtol=1e-5)


@pytest.mark.parametrize("block_size", [None, 10])
def test_weights_are_those_of_the_definition(block_size):
    head = HEADS["dft"]
    params, (features, labels, _) = random_params(head), data()
    dense = sigfft.labels.to_multi_hot(LABELS, N)
    values = np.logaddexp(0, np.where(dense, -1, 1) * np.asarray(head.logits(params, features)))
    expected = (values @ WEIGHTS)[MASK].mean()
    options = {"label_weights": WEIGHTS, "example_weights": MASK}
    found = loss(head, params, features, labels, block_size, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_forward_mode_is_the_same_derivative():
    head = HEADS["dft"]
    params, (features, labels, _) = random_params(head), data()
    value = lambda x: loss(head, params, x, labels, 10)  # noqa: E731
    direction = jnp.cos(jnp.arange(features.size, dtype=jnp.float32)).reshape(features.shape)  # not ones: centred
    _, forward = jax.jvp(value, (features,), (direction,))
    np.testing.assert_allclose(forward, jnp.vdot(jax.grad(value)(features), direction), rtol=1e-4)


@pytest.mark.loose_types
@pytest.mark.parametrize("block_size", [None, 10])
def test_a_matrix_of_zeros_and_ones_is_refused_by_name(block_size):
    head = HEADS["dft"]
    params, (features, _, _) = random_params(head), data()
    dense = sigfft.labels.to_multi_hot(LABELS, N)
    for given in (dense, dense.astype(np.float32), dense.astype(np.int32)):
        with pytest.raises(ValueError, match="from_multi_hot"):
            sigfft.losses.bce(head, params, features, given, block_size)
    np.testing.assert_array_equal(sigfft.labels.from_multi_hot(dense), LABELS)
    with pytest.raises(
        ValueError, match=r"labels must be \(16, max_cardinality\), as the examples; given shape \(3, 2"
    ):
        sigfft.losses.bce(head, params, features, LABELS[:3], block_size)


@pytest.mark.loose_types
def test_a_wrong_width_names_the_head_and_both():
    head = HEADS["dft"]
    params = random_params(head)
    with pytest.raises(ValueError, match=r"features of the head 'dft k=3 spread=4 slack=2' must be \(..., 12\); given"):
        head.logits(params, np.zeros((2, 5), np.float32))
    with pytest.raises(ValueError, match=r"z of the head .* must be \(..., 17\); given shape \(2, 5\)"):
        head.decode(params, np.zeros((2, 5), np.float32))
