"""Both Flax layers with the arguments that Flax's own layers have."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import sigfft
import sigfft.linen
import sigfft.nnx

HEADS = {
    "sigmoid": sigfft.sigmoid_head(16, feature_dim=6),
    "bottleneck": sigfft.bottleneck_head(16, 3, feature_dim=6),
    "dft": sigfft.dft_head(16, 2, feature_dim=6, slack=2),
    "dft embedding": sigfft.dft_head(16, 2, feature_dim=6, embedding=3),
    "retrofit": sigfft.retrofit_head(16, 6, 2, spread=3),
}
FEATURES = jax.random.normal(jax.random.key(1), (8, 6))


def both(head, **options):
    """Parameters and logits of the NNX and of the Linen layer."""
    module = sigfft.nnx.OutputHead(head, rngs=nnx.Rngs(0), **options)
    yield module.params(), module(FEATURES)
    layer = sigfft.linen.OutputHead(head, **options)
    variables = layer.init(jax.random.key(0), FEATURES)
    yield {**variables["params"], **variables.get("given", {})}, layer.apply(variables, FEATURES)


@pytest.mark.parametrize("name", HEADS)
def test_dtypes_are_those_of_flax(name):
    for params, logits in both(HEADS[name], dtype=jnp.bfloat16):
        assert logits.dtype == jnp.bfloat16
        assert {value.dtype for value in params.values()} == {jnp.dtype(jnp.float32)}
        expected = HEADS[name].logits(params, FEATURES.astype(jnp.bfloat16))
        np.testing.assert_array_equal(np.asarray(logits, np.float32), np.asarray(expected, np.float32))
    for params, logits in both(HEADS[name], param_dtype=jnp.bfloat16):
        assert logits.dtype == jnp.float32
        assert {value.dtype for value in params.values()} == {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize("name", HEADS)
def test_the_kernel_starts_as_asked(name):
    shapes = []

    def constant(key, shape, dtype):
        shapes.append(shape)
        return jnp.arange(np.prod(shape), dtype=dtype).reshape(shape)

    own = "weight" if name == "sigmoid" else "projection_kernel"
    for params, _ in both(HEADS[name], kernel_init=constant):
        expected = np.arange(np.prod(shapes[0])).reshape(shapes[0])
        np.testing.assert_array_equal(params[own], expected.T if name == "sigmoid" else expected)
    assert {shape[0] for shape in shapes} == {6}


@pytest.mark.parametrize("name", ["sigmoid", "bottleneck", "dft", "dft embedding"])
@pytest.mark.parametrize("types", [AxisType.Explicit, AxisType.Auto], ids=["explicit", "auto"])
def test_rows_of_labels_are_sharded_by_annotation(name, types):
    head = HEADS[name]
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(types,) * 2)
    unsharded = sigfft.nnx.OutputHead(head, rngs=nnx.Rngs(0))
    with jax.set_mesh(mesh):
        module = sigfft.nnx.OutputHead(head, label_axis="model", rngs=nnx.Rngs(0))
        for key, value in module.params().items():
            spec = PartitionSpec("model", *[None] * (value.ndim - 1)) if key in head.per_label else PartitionSpec()
            assert value.sharding.is_equivalent_to(NamedSharding(mesh, spec), value.ndim), (key, value.sharding)
        features = jax.device_put(FEATURES, NamedSharding(mesh, PartitionSpec("data")))
        logits = nnx.jit(lambda m, x: m(x))(module, features)
    np.testing.assert_allclose(logits, unsharded(FEATURES), atol=1e-5)


def test_linen_tells_the_logical_axis_of_rows():
    layer = sigfft.linen.OutputHead(HEADS["dft"], label_axis="labels")
    variables = jax.eval_shape(layer.init, jax.random.key(0), FEATURES)
    specs = nn.get_partition_spec(variables)["params"]
    assert specs["slack"] == PartitionSpec("labels", None)
    assert specs["projection_kernel"] == PartitionSpec()
    rules = (("labels", "model"),)
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2)
    shardings = nn.logical_to_mesh_sharding(nn.get_partition_spec(variables), mesh, rules)
    made = nn.unbox(jax.jit(layer.init, out_shardings=shardings)(jax.random.key(0), FEATURES))
    assert made["params"]["slack"].sharding.spec == PartitionSpec("model", None)
    plain = sigfft.linen.OutputHead(HEADS["dft"])
    expected = plain.apply(plain.init(jax.random.key(0), FEATURES), FEATURES)
    np.testing.assert_allclose(layer.apply(made, FEATURES), expected, atol=1e-5)


def test_what_is_given_is_no_parameter_of_a_layer():
    head, embedding = HEADS["dft embedding"], jnp.arange(48.0).reshape(16, 3)
    module = sigfft.nnx.OutputHead(head, rngs=nnx.Rngs(0))
    module.embedding[...] = embedding
    assert set(nnx.to_pure_dict(nnx.state(module, nnx.Param))) == {"projection_kernel", "projection_bias"}
    optimizer = nnx.Optimizer(module, optax.adamw(0.1, weight_decay=0.5), wrt=nnx.Param)
    before = module(FEATURES)
    gradient = nnx.grad(lambda m: jnp.square(m(FEATURES)).sum())(module)
    with jax.numpy_dtype_promotion("standard"):  # for Optax
        optimizer.update(module, gradient)
    assert not np.allclose(module(FEATURES), before)
    np.testing.assert_array_equal(module.params()["embedding"], embedding)
    layer = sigfft.linen.OutputHead(head, label_axis="labels")
    variables = nn.unbox(layer.init(jax.random.key(0), FEATURES))
    assert {name: set(own) for name, own in variables.items()} == {
        "params": {"projection_kernel", "projection_bias"},
        "given": {"embedding"},
    }
    own = {**variables["params"], "embedding": embedding}
    expected = head.logits(own, FEATURES)
    found = layer.apply({"params": variables["params"], "given": {"embedding": embedding}}, FEATURES)
    np.testing.assert_array_equal(found, expected)
