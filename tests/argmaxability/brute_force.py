"""Every argmaxable label set of a small layer, in rational arithmetic; shares nothing with the package.

Regions of an arrangement are cut by one hyperplane after another. A region is cut in two exactly if it is also a
region of the arrangement that the earlier hyperplanes leave on the new one: the same problem, one dimension lower.
"""

from fractions import Fraction

import numpy as np


def regions(rows: list[list[Fraction]], dim: int) -> dict[tuple[int, ...], list[Fraction]]:
    """Sign vectors of the full-dimensional regions of rows·z != 0 (no row zero), each with a point inside."""
    found = {(): [Fraction(0)] * dim}
    for m, row in enumerate(rows):
        p = next(j for j in range(dim) if row[j])
        traces = [[r[j] - r[p] * row[j] / row[p] for j in range(dim) if j != p] for r in rows[:m]]
        cut = regions(traces, dim - 1) if all(map(any, traces)) else {}
        split = {}
        for signs, point in found.items():
            if signs not in cut:
                split[(*signs, 1 if dot(row, point) > 0 else -1)] = point
                continue
            on = list(cut[signs])
            on.insert(p, -sum(row[j] * u for j, u in zip([j for j in range(dim) if j != p], on, strict=True)) / row[p])
            near = [abs(dot(r, on)) / (2 * abs(dot(r, row))) for r in rows[:m] if dot(r, row)]
            step = simplest_below(min(near, default=Fraction(1)))
            for sign in (1, -1):
                split[(*signs, sign)] = [a + sign * step * b for a, b in zip(on, row, strict=True)]
        found = split
    return found


def simplest_below(bound: Fraction) -> Fraction:
    """A power of two in (0, bound): keeps the numbers short."""
    return Fraction(2) ** min(0, bound.numerator.bit_length() - bound.denominator.bit_length() - 1)


def dot(a: list[Fraction], b: list[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def exact(array) -> list:
    return [[Fraction(x) for x in row] for row in np.asarray(array).astype(np.float64).tolist()]


def argmaxable_sets(weight, bias, rule: str) -> dict[tuple[int, ...], list[Fraction]]:
    """Every argmaxable set of labels, with an exact point of the homogeneous system (z, then β, then the level)."""
    rows = exact(weight)
    if bias is not None:
        rows = [row + b for row, b in zip(rows, exact(np.asarray(bias)[:, None]), strict=True)]
    if rule != "threshold":
        rows = [[*row, Fraction(1)] for row in rows]
    ids = [i for i, row in enumerate(rows) if any(row)]  # a zero row is never on, and asks for nothing
    system = [rows[i] for i in ids]
    if bias is not None:
        system.append([Fraction(int(j == np.shape(weight)[1])) for j in range(len(rows[0]))])
    sets = {}
    for signs, point in regions(system, len(rows[0])).items():
        if bias is None or signs[-1] > 0:
            active = tuple(i for i, sign in zip(ids, signs, strict=False) if sign > 0)
            if rule != "argmax" or len(active) == 1:
                sets[active] = point
    return sets


def yields(weight, bias, rule: str, labels, z) -> bool:
    """The definition: does the activation z give exactly this label set, ties excluded."""
    point = [Fraction(x) for x in z.tolist()]
    offsets = [b for (b,) in exact(np.zeros((len(weight), 1)) if bias is None else np.asarray(bias)[:, None])]
    logits = [dot(row, point) + b for row, b in zip(exact(weight), offsets, strict=True)]
    on = [logits[i] for i in labels]
    off = [v for i, v in enumerate(logits) if i not in labels]
    if rule != "threshold":
        return not on or not off or min(on) > max(off)
    dead = [not any(row) and not b for row, b in zip(exact(weight), offsets, strict=True)]
    return all(v > 0 for v in on) and all(v < 0 or dead[i] for i, v in enumerate(logits) if i not in labels)


def all_sets(n_labels: int, rule: str) -> list[tuple[int, ...]]:
    every = [tuple(i for i in range(n_labels) if code >> i & 1) for code in range(1 << n_labels)]
    return [s for s in every if len(s) == 1] if rule == "argmax" else every


def layers() -> dict[str, np.ndarray]:
    """The table of weights: random, cyclic, degenerate, duplicated, tied; at most 8 labels."""
    rng = np.random.default_rng(0)
    angles = 2 * np.pi * np.arange(8)[:, None] * np.arange(1, 3) / 8
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    plane = rng.integers(-3, 4, (7, 2)) @ rng.integers(-3, 4, (2, 4))
    return {
        "random": rng.standard_normal((8, 3)).astype(np.float32),
        "random, double": rng.standard_normal((7, 4)),
        "cyclic": np.hstack([np.ones((8, 1)), np.cos(angles), np.sin(angles)])[:, [0, 1, 3]].astype(np.float32),
        "octahedron": np.hstack([np.ones((6, 1)), axes]),  # four squares share the centre: not in general position
        "duplicated rows": np.repeat(rng.standard_normal((4, 3)), 2, axis=0).astype(np.float32),
        "opposite rows": np.concatenate([axes, [[1.0, 1, 1], [-2, -2, -2]]]),
        "rank 2 of 4": plane.astype(np.float32),
        "ties": rng.integers(-1, 2, (8, 3)).astype(np.float64),
        "zero rows": np.concatenate([np.zeros((2, 2)), rng.integers(-2, 3, (5, 2))]).astype(np.float32),
        "one dimension": np.array([[1.0], [2], [-1], [0], [3]], np.float16),
        "wide": rng.standard_normal((3, 5)).astype(np.float32),
        "one label": np.array([[0.5, -1.0]]),
        "all zero": np.zeros((3, 2)),
    }


def biases(n_labels: int) -> dict[str, np.ndarray | None]:
    rng = np.random.default_rng(1)
    ties = rng.integers(-1, 2, n_labels).astype(np.float64)
    return {"no bias": None, "bias": rng.standard_normal(n_labels).astype(np.float32), "tied bias": ties}
