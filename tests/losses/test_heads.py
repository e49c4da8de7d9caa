import jax
import jax.numpy as jnp
import numpy as np
import pytest
from heads.laws import FEATURES, HEADS, WAYS
from jax.test_util import check_grads

import sigfft
from sigfft.losses import PerLabelLoss, of_head

LABEL_SETS = [[0, 3, 11], [], [5], [2, 9], list(range(7))]


def problem(head, dtype):
    params = jax.jit(head.init)(jax.random.key(0))
    moved = {name: p + 0.1 * jax.random.normal(jax.random.key(3), p.shape, p.dtype) for name, p in params.items()}
    features = jax.random.normal(jax.random.key(1), (len(LABEL_SETS), FEATURES))
    labels = jnp.asarray(sigfft.labels.pad(LABEL_SETS, head.n_labels))
    return jax.tree.map(lambda x: x.astype(dtype), moved), features.astype(dtype), labels


def value_and_grad(loss, head, params, features, labels, block_size):
    return jax.jit(jax.value_and_grad(lambda p, x: loss(head, p, x, labels, block_size), (0, 1)))(params, features)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("loss", [sigfft.losses.bce, sigfft.losses.asymmetric], ids=["bce", "asymmetric"])
def test_value_and_gradient_are_the_dense_losss(name, loss):
    head = HEADS[name]
    with jax.enable_x64():
        params, features, labels = problem(head, jnp.float64)
        dense = value_and_grad(loss, head, params, features, labels, None)
        for block_size in (6, 20):  # a short last block, or more than all labels; whole residue classes
            blocked = value_and_grad(loss, head, params, features, labels, block_size)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13), blocked, dense)
        undifferentiated = loss(head, params, features, labels, 6)
        np.testing.assert_allclose(undifferentiated, dense[0], rtol=1e-12)


@pytest.mark.loose_types  # check_grads gives NumPy arrays
def test_gradient_matches_finite_differences():
    with jax.enable_x64():
        params, features, labels = problem(HEADS["dft slack"], jnp.float64)
        loss = lambda p, x: 3 * sigfft.losses.bce(HEADS["dft slack"], p, x, labels, 5)  # noqa: E731
        check_grads(loss, (params, features), order=1, modes=["rev"])


def test_bfloat16_activations_are_summed_in_float32():
    head = sigfft.dft_head(4003, 20, feature_dim=FEATURES, slack=2)
    params, features, _ = problem(head, jnp.float32)
    labels = jnp.asarray(sigfft.labels.pad(LABEL_SETS, 4003))
    exact = value_and_grad(sigfft.losses.bce, head, params, features, labels, None)
    half = value_and_grad(sigfft.losses.bce, head, params, features.astype(jnp.bfloat16), labels, 50)
    assert half[0].dtype == jnp.float32
    assert half[1][1].dtype == jnp.bfloat16
    np.testing.assert_allclose(half[0], exact[0], rtol=0.03)
    for mine, other in zip(jax.tree.leaves(half[1][0]), jax.tree.leaves(exact[1][0]), strict=True):
        assert mine.dtype == jnp.float32
        assert jnp.linalg.norm(mine - other) < 0.05 * jnp.linalg.norm(other)


def compiled(n_labels, block_size, **options):
    head = sigfft.dft_head(n_labels, 80, feature_dim=FEATURES, n_fft=n_labels, **options)
    params, features, labels = problem(head, jnp.float32)
    gradient = jax.grad(lambda p, x: sigfft.losses.bce(head, p, x, labels, block_size))
    return jax.jit(gradient).lower(params, features).compile()


@pytest.mark.parametrize("n_labels", [1000, 1009], ids=["folding", "rotation"])
def test_all_logits_are_never_held(n_labels):
    logits = f"[5,{n_labels}]"
    assert logits in compiled(n_labels, None).as_text()
    assert logits not in compiled(n_labels, 100).as_text()


def test_the_program_does_not_grow_with_the_label_space():
    few, many = (len(compiled(n, 100, slack=1).as_text().splitlines()) for n in (1000, 100_000))
    assert abs(few - many) < 0.05 * few


def test_impossible_arguments_raise():
    head = HEADS["sigmoid"]
    params, features, labels = problem(head, jnp.float32)
    with pytest.raises(ValueError, match="block_size=0 must be a whole number of at least 1"):
        sigfft.losses.bce(head, params, features, labels, 0)
    params["bias"] = params["bias"][:-1]
    with pytest.raises(ValueError, match=r"params\['bias'\] has 16 rows; expected one for each of 17 labels"):
        sigfft.losses.bce(head, params, features, labels, 4)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_narrow_parameters_have_gradients_of_their_dtype(name, dtype):
    params, features, labels = problem(HEADS[name], dtype)
    dense = value_and_grad(sigfft.losses.bce, HEADS[name], params, features.astype(jnp.float32), labels, None)
    blocked = value_and_grad(sigfft.losses.bce, HEADS[name], params, features.astype(jnp.float32), labels, 6)
    np.testing.assert_allclose(blocked[0], dense[0], rtol=1e-3)
    for mine, other in zip(jax.tree.leaves(blocked[1][0]), jax.tree.leaves(dense[1][0]), strict=True):
        assert mine.dtype == dtype
        np.testing.assert_allclose(np.asarray(mine, np.float32), np.asarray(other, np.float32), rtol=0.1, atol=0.02)


@pytest.mark.parametrize("name", WAYS)
def test_replicated_parameters_and_a_sharded_batch(name):
    """Under `shard_map` as it is, each device's loss on its own examples; JAX sums the parameters' gradient."""
    head, spec = HEADS[name], jax.sharding.PartitionSpec
    params, features, labels = problem(head, jnp.float32)
    features, labels = features[:4], labels[:4]
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:4])

    def mean(params, features, labels):
        return jax.lax.pmean(sigfft.losses.bce(head, params, features, labels, 6), "data")

    sharded = jax.shard_map(
        jax.value_and_grad(mean), mesh=mesh, in_specs=(spec(), spec("data"), spec("data")), out_specs=(spec(), spec())
    )
    value, gradient = jax.jit(sharded)(params, features, labels)
    expected, (expected_gradient, _) = value_and_grad(sigfft.losses.bce, head, params, features, labels, 6)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), gradient, expected_gradient)


@pytest.mark.parametrize("name", WAYS)
def test_gradient_of_a_jitted_loss(name):
    params, features, labels = problem(HEADS[name], jnp.float32)
    loss = lambda p, x: sigfft.losses.bce(HEADS[name], p, x, labels, 6)  # noqa: E731
    outside = jax.grad(jax.jit(loss))(params, features)
    inside = jax.jit(jax.grad(loss))(params, features)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), outside, inside)


def test_a_loss_without_jit_compiles_once():
    head = HEADS["dft slack"]
    params, features, labels = problem(head, jnp.float32)
    gradient = jax.grad(lambda p: sigfft.losses.bce(head, p, features, labels, 6))
    compiled = []

    def listen(event, duration, **_):
        compiled.append("backend_compile" in event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        gradient(params)
        assert any(compiled)
        compiled.clear()
        gradient(params)
        assert not any(compiled)
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.parametrize("block_size", [None, 6])
def test_negative_labels_are_padding_too(block_size):
    head = HEADS["sigmoid"]
    params, features, labels = problem(head, jnp.float32)
    negative = jnp.where(labels < head.n_labels, labels, -1)
    expected = sigfft.losses.bce(head, params, features, labels, block_size)
    np.testing.assert_allclose(sigfft.losses.bce(head, params, features, negative, block_size), expected, rtol=1e-6)


@pytest.mark.parametrize("name", WAYS)
def test_an_empty_batch_has_a_gradient(name):
    params, features, labels = problem(HEADS[name], jnp.float32)
    _, (gradient, _) = value_and_grad(sigfft.losses.bce, HEADS[name], params, features[:0], labels[:0], 6)
    assert jax.tree.map(jnp.shape, gradient) == jax.tree.map(jnp.shape, params)


def test_any_per_label_loss_goes_by_blocks():
    head = HEADS["dft folding, longer"]
    params, features, labels = problem(head, jnp.float32)
    hinge = PerLabelLoss(lambda logit: jnp.square(jax.nn.relu(1 + logit)), lambda logit: -jnp.square(logit))
    dense, blocked = (of_head(hinge, head, params, features, labels, size) for size in (None, 6))
    np.testing.assert_allclose(blocked, dense, rtol=1e-5)


def test_equal_heads_and_losses_compile_once():
    traces = []

    def loss(head, params, features, labels):
        traces.append(head)
        return sigfft.losses.bce(head, params, features, labels, 6, label_smoothing=0.1)

    params, features, labels = problem(HEADS["dft slack"], jnp.float32)
    for _ in range(3):
        head = sigfft.heads.make("dft", HEADS["dft slack"].arguments)
        jax.jit(loss, static_argnums=0)(head, params, features, labels)
    assert len(traces) == 1
