"""Heads, losses and both Flax layers on the meshes that people have, each against the value on one device."""

import contextlib

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
MESHES = {
    "data": ((8,), ("data",), False),
    "data and model": ((4, 2), ("data", "model"), False),
    "labels": ((4, 2), ("data", "model"), True),
}
LABELS = sigfft.labels.pad([[i, (7 * i + 3) % N] if i % 3 else [] for i in range(BATCH)], N)
WEIGHTS = np.linspace(0.5, 2, N).astype(np.float32)
MASK = np.arange(BATCH) < 13


def logits(head, params, features, labels):
    return head.logits(params, features)


def linen(head, params, features, labels):
    return sigfft.linen.OutputHead(head).apply({"params": params}, features)


def dense_loss(head, params, features, labels):
    return sigfft.losses.bce(head, params, features, labels)


def blocked_loss(head, params, features, labels):
    return sigfft.losses.bce(head, params, features, labels, 10)


def weighted_loss(head, params, features, labels):
    loss = sigfft.losses.binary_cross_entropy()
    options = {"label_weights": jnp.asarray(WEIGHTS), "example_weights": jnp.asarray(MASK)}
    return sigfft.losses.of_head(loss, head, params, features, labels, 10, **options)


def gradient(head, params, features, labels):
    return jax.grad(lambda p, x: blocked_loss(head, p, x, labels), (0, 1))(params, features)


def dense_gradient(head, params, features, labels):
    return jax.grad(lambda p, x: dense_loss(head, p, x, labels), (0, 1))(params, features)


def rows(head, params, features, labels):
    return head.rows(params, jnp.arange(5)), head.bias(params, jnp.arange(5))


USES = [logits, linen, dense_loss, blocked_loss, weighted_loss, gradient, dense_gradient, rows]


def placed(head, kind, types):
    shape, axes, by_label = MESHES[kind]
    mesh = jax.make_mesh(shape, axes, axis_types=(types,) * len(axes))
    features = jax.random.normal(jax.random.key(5), (BATCH, FEATURES))
    params, data = random_params(head), NamedSharding(mesh, PartitionSpec("data"))
    of_label = PartitionSpec("model") if by_label else PartitionSpec()
    own = per_label_params(head, params)
    on_mesh = {
        name: jax.device_put(value, NamedSharding(mesh, of_label if name in own else PartitionSpec()))
        for name, value in params.items()
    }
    single = params, features, jnp.asarray(LABELS)
    return mesh, single, (on_mesh, jax.device_put(features, data), jax.device_put(jnp.asarray(LABELS), data))


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
@pytest.mark.parametrize("name", HEADS)
def test_every_use_on_every_mesh(name, use):
    head = HEADS[name]
    jitted = jax.jit(use, static_argnums=0)
    for kind in MESHES:
        for types in (AxisType.Explicit, AxisType.Auto):
            mesh, single, sharded = placed(head, kind, types)
            expected = jitted(head, *single)
            with jax.set_mesh(mesh) if types == AxisType.Explicit else contextlib.nullcontext():
                found = jitted(head, *sharded)
            close = lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)  # noqa: E731
            jax.tree.map(close, found, expected)


@pytest.mark.parametrize("name", HEADS)
def test_without_a_mesh_in_the_context_and_without_jit(name):
    head = HEADS[name]
    _, single, sharded = placed(head, "data", AxisType.Explicit)
    for use in (logits, dense_loss, blocked_loss, rows):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5), use(head, *sharded), use(head, *single)
        )


def test_results_are_sharded_as_jax_has_it():
    mesh, _, (params, features, labels) = placed(HEADS["bottleneck"], "labels", AxisType.Explicit)
    head = HEADS["bottleneck"]
    with jax.set_mesh(mesh):
        assert head.logits(params, features).sharding.spec == PartitionSpec("data", "model")
        assert head.project(params, features).sharding.spec == PartitionSpec("data", None)
        of_loss = jax.jit(jax.grad(lambda p: blocked_loss(head, p, features, labels)))(params)
        assert of_loss["weight"].sharding.spec == PartitionSpec("model", None)


@pytest.mark.parametrize("types", [AxisType.Explicit, AxisType.Auto], ids=["explicit", "auto"])
@pytest.mark.parametrize("use", [logits, dense_loss, blocked_loss, gradient, dense_gradient])
@pytest.mark.parametrize("name", HEADS)
def test_nothing_as_long_as_the_label_space_is_gathered(name, use, types):
    kinds = ["data", "labels"] if types == AxisType.Explicit and use not in (logits, dense_gradient) else ["data"]
    for kind in kinds:
        mesh, _, sharded = placed(HEADS[name], kind, types)
        with jax.set_mesh(mesh) if types == AxisType.Explicit else contextlib.nullcontext():
            text = jax.jit(use, static_argnums=0).lower(HEADS[name], *sharded).compile().as_text()
        gathered = [line for line in text.splitlines() if "all-gather(" in line or "all-to-all(" in line]
        assert [line for line in gathered if f"{N}" in line.split("=")[1].split("all-")[0]] == []


def test_flax_nnx_on_an_explicit_mesh():
    mesh, single, (_, features, _) = placed(HEADS["dft"], "data", AxisType.Explicit)
    module = sigfft.nnx.OutputHead(HEADS["dft"], rngs=nnx.Rngs(0))
    expected = module(single[1])
    with jax.set_mesh(mesh):
        np.testing.assert_allclose(nnx.jit(lambda m, x: m(x))(module, features), expected, atol=1e-5)


@pytest.mark.parametrize("block_size", [None, 10])
def test_any_leading_axes_and_none(block_size):
    head = HEADS["dft"]
    _, (params, features, labels), _ = placed(head, "data", AxisType.Auto)
    loss = jax.jit(lambda x, y: sigfft.losses.bce(head, params, x, y, block_size))
    flat = loss(features, labels)
    np.testing.assert_allclose(loss(features.reshape(2, 4, 2, -1), labels.reshape(2, 4, 2, -1)), flat, rtol=1e-6)
    each = [loss(x, y) for x, y in zip(features, labels, strict=True)]
    np.testing.assert_allclose(np.mean(each), flat, rtol=1e-5)


@pytest.mark.parametrize("block_size", [None, 10])
def test_weights_are_those_of_the_definition(block_size):
    head, bce = HEADS["dft"], sigfft.losses.binary_cross_entropy()
    _, (params, features, labels), _ = placed(head, "data", AxisType.Auto)
    dense = sigfft.labels.to_multi_hot(LABELS, N)
    values = np.logaddexp(0, np.where(dense, -1, 1) * np.asarray(head.logits(params, features)))
    expected = (values @ WEIGHTS)[MASK].mean()
    options = {"label_weights": WEIGHTS, "example_weights": MASK}
    found = sigfft.losses.of_head(bce, head, params, features, labels, block_size, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_forward_mode_is_the_same_derivative():
    head = HEADS["dft"]
    _, (params, features, labels), _ = placed(head, "data", AxisType.Auto)
    loss = lambda x: sigfft.losses.bce(head, params, x, labels, 10)  # noqa: E731
    direction = jnp.cos(jnp.arange(features.size, dtype=jnp.float32)).reshape(features.shape)  # not ones: centred
    _, forward = jax.jvp(loss, (features,), (direction,))
    np.testing.assert_allclose(forward, jnp.vdot(jax.grad(loss)(features), direction), rtol=1e-4)


@pytest.mark.loose_types
@pytest.mark.parametrize("block_size", [None, 10])
def test_a_matrix_of_zeros_and_ones_is_refused_by_name(block_size):
    head = HEADS["dft"]
    _, (params, features, _), _ = placed(head, "data", AxisType.Auto)
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
