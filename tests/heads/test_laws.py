import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from heads.laws import FEATURES, HEADS, random_params
from jax.test_util import check_grads

import sigfft
import sigfft.linen
import sigfft.nnx
from sigfft.heads import KINDS, per_label_params

# Jitted: operation by operation, each test would compile dozens of programs.
rows, decode, logits, init = (
    jax.jit(lambda head, *args, name=name: getattr(head, name)(*args), static_argnums=0)
    for name in ("rows", "decode", "logits", "init")
)


@pytest.fixture(params=HEADS, scope="module")
def head(request):
    return HEADS[request.param]


@pytest.fixture(scope="module")
def params(head):
    return random_params(head)


@pytest.fixture
def features():
    return jax.random.normal(jax.random.key(2), (5, FEATURES))


def activations(head):
    return jax.random.normal(jax.random.key(3), (5, head.dim))


def test_every_kind_is_here():
    assert {head.kind for head in HEADS.values()} == set(KINDS)


def test_decode_is_the_affine_map_of_rows_and_bias(head, params):
    labels = jnp.arange(head.n_labels)
    expected = activations(head) @ rows(head, params, labels).T
    bias = head.bias(params, labels)
    if bias is not None:
        expected = expected + bias[None, :]
    np.testing.assert_allclose(decode(head, params, activations(head)), expected, atol=1e-5)


def test_rows_of_some_labels(head, params):
    some = jnp.array([7, 0, 11, 7])
    np.testing.assert_array_equal(rows(head, params, some), rows(head, params, jnp.arange(head.n_labels))[some])


def test_rows_ask_for_no_other_labels_params(head, params):
    some = jnp.array([7, 0, 11, 7])
    own = {name: value[some] for name, value in per_label_params(head, params).items()}
    np.testing.assert_allclose(head.rows_of(own, some), rows(head, params, some), rtol=2e-7)  # GPUs fuse one of them
    assert {value.shape[0] for value in per_label_params(head, params).values()} <= {head.n_labels}


@pytest.mark.parametrize("block_size", [6, 1000])
@pytest.mark.parametrize("part", [None, 7], ids=["all labels", "a range that ends beyond the last"])
def test_blocks_hold_every_logit_once(head, params, block_size, part):
    z, held = activations(head), None if part is None else part + 3
    blocks, offset = head.blocks(block_size, held), 0 if part is None else head.n_labels - part
    assert blocks.width <= block_size
    own = per_label_params(head, params)
    if part is not None:
        own = jax.tree.map(lambda p: jnp.pad(p[offset:], [(0, 3)] + [(0, 0)] * (p.ndim - 1)), own)

    @jax.jit
    def of_block(block):
        decode_block, labels = head.block_decoder(blocks, z.dtype), blocks.labels(block)
        of_labels = decode_block(blocks.take(blocks.split(own), block), z, labels + offset)
        return of_labels, labels, blocks.counted(block, jnp.int32(offset))

    found, seen = np.full((len(z), blocks.held), np.nan), np.zeros(blocks.held, int)
    for block in range(blocks.n_blocks):
        block_logits, labels, counted = (np.asarray(x) for x in of_block(jnp.int32(block)))
        found[:, labels[counted]] = block_logits[:, counted]
        seen[labels[counted]] += 1
    size = part or head.n_labels
    np.testing.assert_array_equal(seen, [1] * size + [0] * (blocks.held - size))
    np.testing.assert_allclose(found[:, :size], decode(head, params, z)[:, offset:], atol=1e-5)


def test_shapes_dtypes_and_leading_axes(head, params, features):
    for dtype in (jnp.float32, jnp.bfloat16):
        z = head.project(params, features.astype(dtype))
        of_z = decode(head, params, z)
        assert (z.shape, z.dtype) == ((5, head.dim), dtype)
        assert (of_z.shape, of_z.dtype) == ((5, head.n_labels), dtype)
    np.testing.assert_allclose(logits(head, params, features[None])[0], logits(head, params, features), atol=2e-5)


def test_decode_gradient_matches_finite_differences(head, params):
    z = activations(head)[:2]
    given = {name: params[name] for name in head.given}
    learned = {name: params[name] for name in params.keys() - head.given}
    check_grads(lambda p, z: jnp.tanh(decode(head, p | given, z)), (learned, z), order=1, modes=["rev"], eps=1e-2)
    no_gradient = jax.grad(lambda own: jnp.tanh(decode(head, learned | own, z)).sum())(given)
    assert not any(np.any(value) for value in no_gradient.values())
    all_labels = jnp.arange(head.n_labels)
    no_gradient = jax.grad(lambda own: jnp.tanh(head.rows(learned | own, all_labels)).sum())(given)
    assert not any(np.any(value) for value in no_gradient.values())


def test_whole_numbers_are_activations_too(head, params):
    z = jnp.arange(2 * head.dim, dtype=jnp.int32).reshape(2, head.dim) % 5
    expected = decode(head, params, z.astype(jnp.float32))
    assert decode(head, params, z).dtype == jnp.float32
    np.testing.assert_array_equal(decode(head, params, z), expected)


def test_params_of_other_labels_are_refused(head, params):
    if not head.per_label:
        assert not any(value.shape[:1] == (head.n_labels,) for value in params.values())
        return
    for change in (lambda value: value[:-1], lambda value: jnp.concatenate([value, value[:1]])):
        wrong = params | {name: change(params[name]) for name in head.per_label}
        with pytest.raises(ValueError, match=rf"rows; expected one for each of {head.n_labels} labels"):
            sigfft.inference.top_k(head, wrong, jnp.ones((2, FEATURES)), 2, block_size=2)


def test_counts_are_features_too(head, params):
    counts = jnp.arange(5 * FEATURES, dtype=jnp.int32).reshape(5, FEATURES) % 4
    expected = logits(head, params, counts.astype(jnp.float32))
    assert logits(head, params, counts).dtype == jnp.float32
    np.testing.assert_array_equal(logits(head, params, counts), expected)


def test_rows_of_narrow_parameters_are_the_stored_values(head, params):
    narrow = jax.tree.map(lambda p: p.astype(jnp.bfloat16), params)
    wide = jax.tree.map(lambda p: p.astype(jnp.float32), narrow)
    labels = jnp.arange(head.n_labels)
    np.testing.assert_array_equal(np.asarray(rows(head, narrow, labels), np.float32), rows(head, wide, labels))


def test_wide_parameters_have_wide_rows(head):
    narrow = random_params(head)
    with jax.enable_x64():
        wide = {name: jnp.asarray(np.asarray(value, np.float64)) for name, value in narrow.items()}
        assert rows(head, wide, jnp.arange(3)).dtype == jnp.float64


def test_the_feature_layer_gives_the_logits_of_features(head, params, features):
    weight, bias = sigfft.feature_layer(head, params)
    assert (weight.shape, weight.dtype, bias.dtype) == ((head.n_labels, FEATURES), np.float64, np.float64)
    expected = logits(head, params, features)
    np.testing.assert_allclose(np.asarray(features) @ weight.T + bias, expected, rtol=3e-5, atol=3e-5)


def test_a_saved_head_is_the_same_head(head, params, tmp_path):
    sigfft.save_head(tmp_path / "head.safetensors", head, params)
    again, loaded = sigfft.load_head(tmp_path / "head.safetensors")
    assert again.arguments == head.arguments
    jax.tree.map(np.testing.assert_array_equal, loaded, params)
    np.testing.assert_array_equal(decode(again, loaded, activations(head)), decode(head, params, activations(head)))


def test_equal_heads_are_one_to_a_compiler(head, params):
    traces = []

    def of(head, params, z):
        traces.append(head)
        return head.decode(params, z)

    jitted = jax.jit(of, static_argnums=0)
    for same in (head, type(head)(**head.arguments), pickle.loads(pickle.dumps(head))):
        assert same == head
        assert hash(same) == hash(head)
        assert repr(same) == repr(head)
        jitted(same, params, activations(head))
    assert len(traces) == 1
    assert len({*HEADS.values()}) == len(HEADS)
    assert len(repr(head)) < 120


def test_both_flax_layers_have_the_heads_parameters(head, features):
    shapes = jax.tree.map(jnp.shape, jax.eval_shape(head.init, jax.random.key(0)))
    linen = sigfft.linen.OutputHead(head)
    variables = jax.jit(linen.init)(jax.random.key(0), features)
    params = {**variables["params"], **variables.get("given", {})}
    assert jax.tree.map(jnp.shape, params) == shapes
    np.testing.assert_array_equal(jax.jit(linen.apply)(variables, features), logits(head, params, features))
    module = sigfft.nnx.OutputHead(head, rngs=nnx.Rngs(0))
    assert jax.tree.map(jnp.shape, module.params()) == shapes
    np.testing.assert_array_equal(nnx.jit(lambda m: m(features))(module), logits(head, module.params(), features))
    grads = nnx.jit(nnx.grad(lambda m: jnp.square(m(features)).sum()))(module)
    assert all(jnp.abs(g).max() > 0 for g in jax.tree.leaves(grads))
