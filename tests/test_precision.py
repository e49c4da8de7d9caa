import functools

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest

import sigfft
from sigfft.precision import product


def test_product_sums_in_float32():
    z, rows = jnp.full((2, 3000), 1.0), jnp.full((4, 3000), 1 / 256)
    for dtype in (jnp.float32, jnp.bfloat16):
        logits, pull_back = jax.vjp(lambda z, rows, dtype=dtype: product(z, rows, jnp.dtype(dtype)), z, rows)
        dz, drows = pull_back(jnp.ones_like(logits))
        assert logits.dtype == dz.dtype == drows.dtype == jnp.float32
        np.testing.assert_allclose(logits, 3000 / 256)
        np.testing.assert_allclose(dz, 4 / 256)
        np.testing.assert_allclose(drows, 2)


def dots(jaxpr):
    """The precision of every matrix product in a jaxpr, those inside other operations too."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            yield equation.params["precision"]
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            yield from dots(inner)


HEADS = {
    "sigmoid": sigfft.sigmoid_head(40, feature_dim=6),
    "bottleneck": sigfft.bottleneck_head(40, 3, feature_dim=6),
    "dft": sigfft.dft_head(40, 2, feature_dim=6, spread=4, slack=2, centred=True),
}
LABELS = jnp.array([[1, 7], [3, 40]])
USES = {
    "logits": lambda head, params, x: head.logits(params, x).sum(),
    "dense": lambda head, params, x: sigfft.losses.bce(head, params, x, LABELS),
    "blocked": lambda head, params, x: sigfft.losses.bce(head, params, x, LABELS, block_size=16),
    "weighted": lambda head, params, x: sigfft.losses.of_head(
        sigfft.losses.binary_cross_entropy(),
        head,
        params,
        x,
        LABELS,
        label_weights=np.ones(40),
        example_weights=np.ones(2),
    ),
    "softmax": lambda head, params, x: sigfft.losses.softmax(head, params, x, LABELS, block_size=16),
    "sampled": lambda head, params, x: sigfft.losses.of_sampled(
        sigfft.losses.binary_cross_entropy(), head, params, x, LABELS, jax.random.key(0), n_sampled=8
    ),
    "top": lambda head, params, x: sigfft.inference.top_k(head, params, x, 3, block_size=16).scores.sum(),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("head", HEADS)
def test_products_of_float32_are_whole_on_every_device(head, use):
    """By default accelerators round the operands of float32 products, and the guarantee with them."""
    function = functools.partial(USES[use], HEADS[head])
    function = function if use == "top" else jax.value_and_grad(function, argnums=(0, 1))
    arguments = HEADS[head].init(jax.random.key(0)), jnp.ones((2, 6))
    asked = list(dots(jax.make_jaxpr(function)(*arguments).jaxpr))
    whole = (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)
    assert asked
    assert set(asked) == {whole}
    with jax.default_matmul_precision("default"):  # what users ask for, they get
        assert whole not in dots(jax.make_jaxpr(function)(*arguments).jaxpr)
