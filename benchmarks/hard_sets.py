"""Label sets that are hard to decide: families of layers and sets, seeded, and how long a set of each may take."""

from collections.abc import Iterator
from dataclasses import dataclass

import hard_layers as layers
import jax
import numpy as np

import sigfft
from sigfft.argmaxability.theory.sampling import random_sets
from sigfft.heads.layer import stored_layer
from sigfft.projection import Projection

MARGINS = (1e-6, 1e-9, 1e-12, 1e-15)


@dataclass
class Layer:
    """A layer and label sets of it."""

    weight: np.ndarray
    sets: list[list[int]]
    bias: np.ndarray | None = None
    projection: Projection | None = None


@dataclass
class Case:
    """What one line of the table is about.

    Attributes:
      family: its name.
      layers: one, or several of the same shape.
      rule: of the decision.
      domain: of the input.
      wanted: seconds that a set may take.
      status: that all sets must have; None: any.
    """

    family: str
    layers: list[Layer]
    rule: str = "threshold"
    domain: str = "any"
    wanted: float = 5.0
    status: str | None = None


def cases(count: int) -> Iterator[Case]:
    """Every family, with about `count` label sets of each kind."""
    yield from curves(count)
    yield from planted(max(1, count // 10))
    yield from masked(max(1, count // 2))
    yield from near_duplicates(count)
    yield from stored(max(1, count // 2))
    yield from features(max(1, count // 20))


def curves(count: int) -> Iterator[Case]:
    """Points of curves: sets of few labels are within reach, by margins that may be far below rounding."""
    for n in (100, 1000, 10_000):
        for dim in (5, 11, 21):
            made = {
                "cyclic": layers.cyclic(n, dim),
                "Vandermonde, −1 to 1": layers.vandermonde(np.linspace(-1, 1, n), dim),
                "Vandermonde, 1 to n": layers.vandermonde(np.arange(1.0, n + 1), dim),
            }
            number = count if n < 10_000 else -(-3 * count // 10)
            sets = drawn(n, (dim // 2, dim - 1), number)
            for name, weight in made.items():
                for more, wide in (("", weight), (" + 5 uniform", layers.widened(weight, 5))):
                    yield Case(name + more, [Layer(wide, sets)], wanted=10.0 if n == 10_000 else 2.0)


def planted(count: int) -> Iterator[Case]:
    """Margins from 1e-6 down to rounding, and below 0 alike."""
    for n, dim in ((200, 10), (1000, 50), (2000, 100)):
        for name, margins, status in (
            ("planted margins, 1e-6 to 1e-15", MARGINS, "argmaxable"),
            ("planted margins, 0", (0.0,), None),
            ("planted margins, −1e-15 to −1e-6", tuple(-m for m in MARGINS), "unargmaxable"),
        ):
            pairs = [layers.planted(n, dim, margin, seed) for margin in margins for seed in range(count)]
            yield Case(name, [Layer(weight, [labels]) for weight, labels in pairs], status=status)


def masked(count: int) -> Iterator[Case]:
    """Ten labels of huge negative biases; half of the sets hold one or two of them."""
    for n, dim, k in ((60, 8, 3), (1000, 50, 5)):
        for bias in (-1e9, -1e12):
            weight, biases = layers.masked(n, dim, bias)
            rng = np.random.default_rng(2)
            sets = []
            for i in range(2 * count):
                on = 10 + rng.choice(n - 10, k, replace=False)
                on[: i % 2 * (1 + i % 4 // 2)] = rng.choice(10, i % 2 * (1 + i % 4 // 2), replace=False)
                sets.append(sorted(on.tolist()))
            for rule in ("threshold", "top_k"):
                yield Case(f"masked, bias {bias:.0e}, {rule}", [Layer(weight, sets, biases)], rule)


def near_duplicates(count: int) -> Iterator[Case]:
    """Labels that are all but one label: sets with one pair split, and random ones, which split each pair."""
    n = 2000
    weight = layers.near_duplicates(n, 100, 1e-7)
    pairs = drawn(n // 2, (5,), count)
    split = [sorted([*some, *(i + n // 2 for i in some[1:])]) for some in pairs]
    yield Case("near-duplicates, one pair split", [Layer(weight, split)])
    yield Case("near-duplicates, random", [Layer(weight, drawn(n, (10,), count))])


def stored(count: int) -> Iterator[Case]:
    """DFT heads without spread as float32 stores them, and layers of nearly as many dimensions as labels."""
    n = 1000
    sets = drawn(n, (10, 200), count)
    for name, weight in (
        ("DFT head, k = 20", layers.dft(n, 20)),
        ("DFT head, k = 50", layers.dft(n, 50)),
        ("DFT head, k = 20, slack 10, 1e-3 of its start", layers.dft(n, 20, slack=10, size=1e-3)),
        ("gaussian", layers.gaussian(n, 984)),
        ("singular values 1 to 1e-6", layers.decaying(n, 984, 1e-6)),
    ):
        yield Case(name, [Layer(weight, sets)])


def features(count: int) -> Iterator[Case]:
    """Heads of README at their random start, with fewer features than dim, behind their exact projection."""
    for name, n, k, spread, size in (
        ("README's example", 1000, 5, 50, 16),
        ("delicious, spread 200", 983, 25, 200, 256),
        ("tate, spread 100", 14_642, 55, 100, 256),
        ("tate, spread 200", 14_642, 55, 200, 256),
        ("tate, spread 400", 14_642, 55, 400, 256),
        ("tibkat_en, spread 400", 22_625, 26, 400, 256),
    ):
        head = sigfft.dft_head(n, k, feature_dim=size, spread=spread)
        params = head.init(jax.random.key(0))
        weight, bias = stored_layer(head, params)
        layer = Layer(weight, drawn(n, (min(6, k), k), count), bias, head.projection(params))
        for domain in ("any", "nonnegative"):
            yield Case(f"{size} features of {name}, {domain}", [layer], domain=domain)


def drawn(n_labels: int, sizes: tuple[int, ...], count: int) -> list[list[int]]:
    """Random sets of each size."""
    return [labels for size in sizes for labels in random_sets(n_labels, size, count, seed=0).tolist()]
