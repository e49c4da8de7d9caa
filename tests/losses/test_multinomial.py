"""Softmax over labels: dense, by blocks, over devices, and as NumPy defines it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from heads.laws import FEATURES, HEADS, random_params
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import sigfft
from sigfft.heads import per_label_params
from sigfft.losses import REDUCTIONS, softmax, softmax_by_blocks, softmax_with_logits

LABEL_SETS = [[0, 3, 11], [], [5], [2, 9]]
EXAMPLES = np.array([1.0, 0.5, 3.0, 2.0])


def problem(head, dtype):
    with jax.enable_x64(False):
        params = random_params(head)
    features = 3 * jax.random.normal(jax.random.key(1), (len(LABEL_SETS), FEATURES))
    params, features = jax.tree.map(lambda x: x.astype(dtype), (params, features))
    return params, features, jnp.asarray(sigfft.labels.pad(LABEL_SETS, head.n_labels))


def by_definition(logits, n_labels):
    logits = np.asarray(logits, np.float64)
    logs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return np.array([-logs[i, ids].mean() if ids else 0 for i, ids in enumerate(LABEL_SETS)])


@pytest.mark.parametrize("name", ["sigmoid", "dft folding, longer"])
def test_dense_and_blocked_are_the_definition(name):
    head = HEADS[name]
    with jax.enable_x64():
        params, features, labels = problem(head, jnp.float64)

        @jax.jit
        def every_way(params, features):
            def derived(reduction, size):
                def number(params, features):
                    value = softmax(head, params, features, labels, size, reduction=reduction, example_weights=EXAMPLES)
                    return (value**2).sum(), value

                return jax.value_and_grad(number, (0, 1), has_aux=True)(params, features)

            return {reduction: (derived(reduction, None), derived(reduction, 6)) for reduction in REDUCTIONS}

        found = every_way(params, features)
        each = EXAMPLES * by_definition(head.logits(params, features), head.n_labels)
    expected = {"mean": each.sum() / EXAMPLES.sum(), "sum": each.sum(), "none": each}
    for reduction, (dense, blocked) in found.items():
        np.testing.assert_allclose(dense[0][1], expected[reduction], rtol=1e-10)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9), blocked, dense)


def test_extreme_logits_stay_finite():
    logits = jnp.full((4, 17), 1e4).at[:, ::2].set(-1e4)
    labels = sigfft.labels.pad(LABEL_SETS, 17)
    value, gradient = jax.value_and_grad(softmax_with_logits)(logits, labels)
    np.testing.assert_allclose(value, by_definition(logits, 17).mean(), rtol=1e-6)
    assert jnp.isfinite(gradient).all()
    head = HEADS["sigmoid"]
    params, features, labels = problem(head, jnp.float32)
    value, gradient = jax.value_and_grad(lambda x: softmax(head, params, x, labels, 6))(1e4 * features)
    np.testing.assert_allclose(value, by_definition(head.logits(params, 1e4 * features), 17).mean(), rtol=1e-5)
    assert jnp.isfinite(gradient).all()


def test_bfloat16_features_are_summed_in_float32():
    head = HEADS["dft slack"]
    params, features, labels = problem(head, jnp.bfloat16)
    value, gradient = jax.value_and_grad(lambda x: softmax(head, params, x, labels, 6))(features)
    assert (value.dtype, gradient.dtype) == (jnp.float32, jnp.bfloat16)
    wide = head.logits(jax.tree.map(lambda p: p.astype(jnp.float32), params), features.astype(jnp.float32))
    np.testing.assert_allclose(value, by_definition(wide, head.n_labels).mean(), rtol=0.03)


def test_labels_held_in_ranges_on_devices_some_without_any():
    """24 places for 17 labels on 8 devices: the last two devices hold none."""
    head, places, spec = HEADS["sigmoid"], 24, PartitionSpec
    params, features, labels = problem(head, jnp.float32)
    mesh = jax.make_mesh((8,), ("labels",), axis_types=(AxisType.Auto,))
    own = jax.tree.map(
        lambda p: jnp.pad(p, [(0, places - 17)] + [(0, 0)] * (p.ndim - 1), constant_values=9.0),
        per_label_params(head, params),
    )

    def local(own, z, labels):
        offset = jax.lax.axis_index("labels") * 3
        return softmax_by_blocks(head, own, z, labels, block_size=2, held=3, offset=offset, axis_name="labels").mean()

    sharded = jax.shard_map(local, mesh=mesh, in_specs=(spec("labels"), spec(), spec()), out_specs=spec())
    value, (found, dz) = jax.jit(jax.value_and_grad(sharded, (0, 1)))(own, features, labels)
    dense = lambda own, z: softmax_with_logits(head.decode({**params, **own}, z), labels)  # noqa: E731
    expected, (gradient, expected_dz) = jax.value_and_grad(dense, (0, 1))(per_label_params(head, params), features)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_allclose(dz, expected_dz, rtol=1e-4, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[:17], b, rtol=1e-4, atol=1e-6), found, gradient)
    assert not any(leaf[17:].any() for leaf in jax.tree.leaves(found))


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_mesh_with_explicit_axes(reduction):
    head = sigfft.sigmoid_head(16, feature_dim=FEATURES)
    params, features, labels = problem(head, jnp.float32)
    mesh = jax.make_mesh((2, 4), ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
    put = lambda x, *axes: jax.device_put(x, NamedSharding(mesh, PartitionSpec(*axes)))  # noqa: E731
    own = per_label_params(head, params)
    placed = {name: put(value, *(["model"] if name in own else [])) for name, value in params.items()}
    losses = {
        "softmax": lambda p, x, y: softmax(head, p, x, y, 3, reduction=reduction, example_weights=EXAMPLES),
        "bce": lambda p, x, y: sigfft.losses.bce(head, p, x, y, 3, reduction=reduction),
    }
    for loss in losses.values():
        derived = lambda p, x, y, loss=loss: jax.value_and_grad(lambda p: (loss(p, x, y) ** 2).sum())(p)  # noqa: E731
        expected = jax.jit(derived)(params, features, labels)
        with jax.set_mesh(mesh):
            found = jax.jit(derived)(placed, put(features, "data"), put(labels, "data"))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, expected)
