"""The checker against the oracle: every verdict is right, none is missing, and every proof is accepted."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from argmaxability import oracle

from sigfft.argmaxability import check, verify
from sigfft.argmaxability.proofs.witness import ExactWitness
from sigfft.projection import Projection


def normal(rng, *shape):
    return rng.standard_normal(shape)


def magnitudes(rng, digits, *shape):
    return 10.0 ** rng.uniform(-digits, digits, shape)


FAMILIES = {
    "small integers": lambda rng, n, d: rng.integers(-2, 3, (n, d)).astype(np.float64),
    "float64": normal,
    "float32": lambda rng, n, d: normal(rng, n, d).astype(np.float32),
    "bfloat16": lambda rng, n, d: normal(rng, n, d).astype(ml_dtypes.bfloat16),
    "near-duplicates": lambda rng, n, d: normal(rng, 1, d) + 10.0 ** rng.integers(-16, -4) * normal(rng, n, d),
    "last bits": lambda rng, n, d: normal(rng, 1, d) * (1 + 2.0**-52 * rng.integers(-2, 3, (n, d))),
    "rows of any scale": lambda rng, n, d: normal(rng, n, d) * magnitudes(rng, 150, n, 1),
    "entries of any scale": lambda rng, n, d: normal(rng, n, d) * magnitudes(rng, 40, n, d),
    "cyclic": lambda rng, n, d: np.cos(
        2 * np.pi * np.outer(np.arange(n), np.arange(d)) / n - np.pi / 2 * (np.arange(d) % 2)
    ),
    "Vandermonde": lambda rng, n, d: np.vander(np.linspace(-1, 1, n) * 10.0 ** rng.integers(-3, 4), d),
    "zero rows": lambda rng, n, d: rng.integers(-1, 2, (n, d)) * (rng.random((n, 1)) < 0.6) * 1.0,
    "one dimension": lambda rng, n, d: rng.integers(-2, 3, (n, 1)) * 0.5,
    "rank below the dimension": lambda rng, n, d: normal(rng, n, 1) @ normal(rng, 1, d),
}
BIASES = {
    "none": lambda rng, n: None,
    "ordinary": normal,
    "ties": lambda rng, n: rng.integers(-1, 2, n).astype(np.float32),
    "masked, 1e9": lambda rng, n: np.where(rng.random(n) < 0.3, -1e9, normal(rng, n)).astype(np.float32),
    "masked, 1e12": lambda rng, n: np.where(rng.random(n) < 0.3, -1e12, normal(rng, n)),
    "huge": lambda rng, n: 1e30 * normal(rng, n),
    "tiny": lambda rng, n: 1e-30 * normal(rng, n),
}
DOMAINS = ["any", "nonnegative", (-1, 2), (0.5, 1), (1, None), (None, 0.0), (0.1, 0.1 + 1e-12)]
PROJECTIONS = {
    "none": lambda rng, d: None,
    "fewer features": lambda rng, d: normal(rng, d, max(1, d - 1)),
    "more features": lambda rng, d: normal(rng, d, d + 2).astype(np.float32),
    "deficient": lambda rng, d: rng.integers(-2, 3, (d, 1)) @ rng.integers(-2, 3, (1, d + 1)) * 0.25,
    "cancelling": lambda rng, d: np.ones((d, d)) + 10.0 ** rng.integers(-17, -8) * normal(rng, d, d),
    "small": lambda rng, d: 1e-60 * normal(rng, d, d),
    "large": lambda rng, d: 1e60 * normal(rng, d, d + 1),
}
RULES = ("threshold", "argmax", "top_k")


def rotated(rng, options, count):
    """All of the options in random order, over and over."""
    return [options[i] for _ in range(count // len(options) + 1) for i in rng.permutation(len(options))][:count]


def inputs(rng, domain, size):
    """Random members of a domain."""
    low, high = {"any": (None, None), "nonnegative": (0.0, None)}.get(domain, domain)
    if low is not None and high is not None:
        return low + (high - low) * rng.random(size)
    x = rng.standard_normal(size)
    return x if low is None and high is None else high - np.abs(x) if low is None else low + np.abs(x)


def label_sets(rng, weight, bias, rule, domain, projection, count):
    """Sets that random inputs yield, some of them with one label changed, and random ones."""
    n, sets = len(weight), set()
    for i in range(count):
        x = inputs(rng, domain, weight.shape[1] if projection is None else projection.matrix.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):
            z = x if projection is None else projection.matrix @ x + projection.offset
            logits = np.nan_to_num(weight.astype(np.float64) @ z + (0 if bias is None else bias))
        order = np.argsort(-logits)
        size = {"threshold": int((logits > 0).sum()), "argmax": 1, "top_k": rng.integers(n + 1)}[rule]
        chosen = order[:size].tolist() if i % 3 < 2 else rng.choice(n, size, replace=False).tolist()
        if i % 3 == 1:
            other = int(rng.integers(n))
            chosen = [other] if rule == "argmax" else sorted({*chosen} ^ {other})
        sets.add(tuple(sorted(chosen)))
    return [list(labels) for labels in sorted(sets)]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_verdict_is_the_oracles(family, rule, tmp_path):
    rng = np.random.default_rng([*map(ord, family + rule)])
    count = 3
    given = (rotated(rng, [*options], count) for options in (BIASES, DOMAINS, PROJECTIONS))
    for offset, domain, fed in zip(*given, strict=True):
        weight = FAMILIES[family](rng, int(rng.integers(2, 9)), int(rng.integers(1, 5)))
        bias, matrix = BIASES[offset](rng, len(weight)), PROJECTIONS[fed](rng, weight.shape[1])
        shift = normal(rng, weight.shape[1]) * (rng.random() < 0.5)
        projection = None if matrix is None else Projection(matrix, shift)
        layer = (weight, bias, rule, domain, projection)
        sets = label_sets(rng, *layer, 5)
        assert_right(tmp_path, layer, sets)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("offset", "domain", "scale"),
    [
        (1e150, (0.5, 1), None),
        (1e-300, (1, None), None),
        (1e-300, (-1e300, 1e300), None),
        (0.0, "any", 1e-250),
        (1e-300, "any", 1e-250),
        (1.0, "nonnegative", 1e250),
    ],
)
def test_nothing_is_lost_where_products_leave_the_range_of_floats(offset, domain, scale, rule, tmp_path):
    rng = np.random.default_rng(5)
    weight, bias = normal(rng, 5, 2) * (scale or 1), offset * normal(rng, 5)
    projection = None if scale is None else Projection(scale * normal(rng, 2, 3), np.zeros(2))
    sets = [[0], [3]] if rule == "argmax" else [[0], [1, 2], [0, 3, 4]]
    assert_right(tmp_path, (weight, bias, rule, domain, projection), sets)


def assert_right(folder, layer, sets):
    """Statuses and witnesses are right, by the oracle, and what is saved is verified."""
    weight, bias, rule, domain, projection = layer
    report = check(weight, sets, bias, rule, domain=domain, projection=projection, on_error="raise")
    for labels, status, witness in zip(sets, report.status.tolist(), report.witness, strict=True):
        expected = "argmaxable" if oracle.argmaxable(*layer, labels) else "unargmaxable"
        assert status == expected, (layer, labels)
        if status == "argmaxable":
            assert oracle.yields(*layer, labels, point(witness)), (layer, labels)
    report.save(folder / "verdicts.jsonl")
    counts = verify(folder / "verdicts.jsonl", weight, bias, sets, projection=projection)
    assert sum(counts.values()) == len(sets)
    assert counts["undecided"] == 0


def point(witness):
    """An input as fractions."""
    if isinstance(witness, ExactWitness):
        return [Fraction(value, witness.denominator) for value in witness.numerators]
    return [Fraction(value) for value in witness.tolist()]


@pytest.mark.parametrize(
    ("weight", "bias", "rule", "domain", "projection", "reached"),
    [
        ([[1.0], [-1.0]], None, "threshold", "any", None, [(0,), (1,)]),
        ([[1.0], [-1.0]], None, "threshold", "nonnegative", None, [(0,)]),
        ([[1.0], [-1.0]], [0.5, 0.5], "threshold", (None, 0), None, [(1,), (0, 1)]),
        ([[1.0], [-1.0]], [0.5, 0.5], "threshold", (1, 2), None, [(0,)]),
        ([[1.0], [0.0]], None, "threshold", "any", None, [(), (0,)]),  # a zero row is off
        ([[1.0], [0.0]], [0.0, 1.0], "threshold", "any", None, [(1,), (0, 1)]),
        ([[1.0], [0.0]], None, "top_k", "any", None, [(), (0,), (1,), (0, 1)]),
        ([[1.0], [1.0]], None, "top_k", "any", None, [(), (0, 1)]),  # ties
        ([[1.0], [2.0], [3.0]], None, "argmax", "any", None, [(0,), (2,)]),
        ([[1.0], [2.0], [3.0]], None, "argmax", "nonnegative", None, [(2,)]),
        ([[1.0, 1.0], [1.0, 0.0]], None, "threshold", "any", ([[1.0], [-1.0]], [0.0, 0.0]), [(), (1,)]),
        ([[1.0, 1.0], [1.0, 0.0]], None, "threshold", "any", ([[1.0], [-1.0]], [0.0, 2.0]), [(0,), (0, 1)]),
    ],
)
def test_the_oracle_knows_layers_that_are_solved_by_hand(weight, bias, rule, domain, projection, reached):
    n = len(weight)
    sets = [tuple(i for i in range(n) if code >> i & 1) for code in range(1 << n)]
    sets = [labels for labels in sets if rule != "argmax" or len(labels) == 1]
    assert [labels for labels in sets if oracle.argmaxable(weight, bias, rule, domain, projection, labels)] == sorted(
        reached, key=sets.index
    )
