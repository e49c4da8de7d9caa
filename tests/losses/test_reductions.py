"""Weights of labels, active labels and examples, and reductions: dense, by blocks, and as NumPy defines them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from heads.laws import FEATURES, HEADS, random_params

import sigfft
from sigfft.losses import REDUCTIONS, binary_cross_entropy, of_head

LABEL_SETS = [[0, 3, 11], [], [5], [2, 9], list(range(7))]
EXAMPLES = np.array([1.0, 0.5, 0.0, 2.0, 1.0])


def problem(head):
    with jax.enable_x64(False):
        params = random_params(head)
    features = jax.random.normal(jax.random.key(1), (len(LABEL_SETS), FEATURES), jnp.float64)
    return jax.tree.map(lambda p: p.astype(jnp.float64), params), features, sigfft.labels.pad(LABEL_SETS, head.n_labels)


@pytest.mark.parametrize("name", ["sigmoid", "dft folding, longer"])
def test_each_reduction_with_all_weights_is_the_definition(name):
    head = HEADS[name]
    n = head.n_labels
    of_label, positive = np.linspace(0.5, 2, n), np.linspace(1, 5, n)
    cotangent = np.array([1.0, -2.0, 3.0, 0.5, 1.5])
    weights = {"label_weights": of_label, "positive_weights": positive, "example_weights": EXAMPLES}
    with jax.enable_x64():
        params, features, labels = problem(head)

        @jax.jit
        def both_ways(params, features):
            def derived(reduction, size):
                def number(params, features):
                    value = of_head(
                        binary_cross_entropy(), head, params, features, labels, size, reduction=reduction, **weights
                    )
                    return (value @ jnp.asarray(cotangent) if value.ndim else value), value

                return jax.value_and_grad(number, (0, 1), has_aux=True)(params, features)

            return {reduction: (derived(reduction, None), derived(reduction, 6)) for reduction in REDUCTIONS}

        found = both_ways(params, features)
        logits = np.asarray(head.logits(params, features))
    active = sigfft.labels.to_multi_hot(labels, n)
    terms = np.where(active, positive * np.logaddexp(0, -logits), np.logaddexp(0, logits)) * of_label.astype(np.float32)
    sums = EXAMPLES * terms.sum(1)
    expected = {"mean": sums.sum() / EXAMPLES.sum(), "sum": sums.sum(), "none": sums}
    for reduction, (dense, blocked) in found.items():
        np.testing.assert_allclose(dense[0][1], expected[reduction], rtol=1e-6)  # weights are float32
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), blocked, dense)


def test_sums_of_each_example_keep_leading_axes_and_map():
    head = HEADS["sigmoid"]
    with jax.enable_x64():
        params, features, labels = problem(head)
        loss = lambda x, y: sigfft.losses.bce(head, params, x, y, 6, reduction="none")  # noqa: E731
        flat = loss(features, labels)
        nested = loss(features[None, :, None], jnp.asarray(labels)[None, :, None])
        assert nested.shape == (1, 5, 1)
        np.testing.assert_allclose(nested[0, :, 0], flat, rtol=1e-12)
        mapped = jax.vmap(jax.grad(loss))(features, jnp.asarray(labels))
        at_once = jax.grad(lambda x: loss(x, labels).sum())(features)
        np.testing.assert_allclose(mapped, at_once, rtol=1e-9)


def test_a_repeated_id_counts_once():
    head = HEADS["sigmoid"]
    with jax.enable_x64():
        params, features, labels = problem(head)
        twice = jnp.concatenate([labels, labels[:, ::-1]], axis=1)
        losses = {
            "dense": jax.jit(lambda y: sigfft.losses.bce(head, params, features, y)),
            "blocked": jax.jit(lambda y: sigfft.losses.bce(head, params, features, y, 6)),
            "softmax": jax.jit(lambda y: sigfft.losses.softmax(head, params, features, y)),
            "softmax, blocked": jax.jit(lambda y: sigfft.losses.softmax(head, params, features, y, 6)),
        }
        for name, loss in losses.items():
            np.testing.assert_allclose(loss(twice), loss(jnp.asarray(labels)), rtol=1e-12, err_msg=name)


def test_one_positive_weight_is_that_weight_of_each_label():
    logits = 3 * np.random.default_rng(0).standard_normal((4, 17)).astype(np.float32)
    labels = sigfft.labels.pad([[0, 3], [], [5], [2, 9, 16]], 17)
    of_all = sigfft.losses.bce_with_logits(jnp.asarray(logits), labels, positive_weight=4.0)
    of_each = sigfft.losses.with_logits(
        binary_cross_entropy(), jnp.asarray(logits), labels, positive_weights=np.full(17, 4, np.float32)
    )
    active = sigfft.labels.to_multi_hot(labels, 17)
    expected = np.where(active, 4 * np.logaddexp(0, -logits), np.logaddexp(0, logits)).sum(1).mean()
    np.testing.assert_allclose([of_all, of_each], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reduction": "max"}, "reduction='max' must be one of: mean, sum, none"),
        ({"positive_weights": np.ones(3, np.float32)}, r"positive_weights must be \(17,\); given shape \(3,\)"),
        ({"example_weights": np.ones(3, np.float32)}, r"example_weights must be \(5,\); given shape \(3,\)"),
    ],
)
@pytest.mark.loose_types
def test_what_does_not_fit_is_refused(options, message):
    params = HEADS["sigmoid"].init(jax.random.key(0))
    features, labels = jnp.zeros((5, FEATURES)), sigfft.labels.pad(LABEL_SETS, 17)
    for size in (None, 6):
        with pytest.raises(ValueError, match=message):
            of_head(binary_cross_entropy(), HEADS["sigmoid"], params, features, labels, size, **options)
