"""Synthetic multi-label data: power-law label frequencies, correlated labels, a label hierarchy, dense features.

The hierarchy has three levels: about n^(1/3) areas, n^(2/3) topics spread evenly over the areas, and leaves spread
evenly over the topics. A label set holds the parent of each of its labels. A point is about a few topics, drawn by
Zipf's law; its labels are paths area > topic > leaf through these topics, leaves drawn by Zipf's law within their
topic. So a few labels are frequent and most are rare, and labels of one topic occur together. Ids carry no order: they
are shuffled over the hierarchy. Features are the sum of one random vector per label, plus noise.
"""

import dataclasses
import hashlib
import itertools
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int, Int32

from sigfft import labels
from sigfft.data import records
from sigfft.data.dataset import Splits

_MIN_LABELS = 27  # three areas, nine topics, a leaf or more for each


@dataclasses.dataclass
class SyntheticSpec:
    """Size and shape of the data."""

    n_labels: int = 1000  # labels of all three levels together, at least 27
    feature_dim: int = 64  # length of a feature vector; fewer dimensions than labels make labels harder to tell apart
    n_train: int = 8000  # points of the train split
    n_dev: int = 1000  # points of the dev split; 0: there is none
    n_test: int = 1000  # points of the test split
    mean_cardinality: float = 8.0  # labels of a point before the cut: 1 + a Poisson draw whose rate is Gamma of shape 4
    max_cardinality: int = 16  # larger draws are cut to this many labels
    noise: float = 0.3  # standard deviation of the noise on each feature; that of the labels' part is about 1
    seed: int = 0  # of everything drawn

    def __post_init__(self) -> None:
        if self.n_labels < _MIN_LABELS:
            raise ValueError(f"n_labels={self.n_labels} is too few for a hierarchy; use {_MIN_LABELS} or more")
        for name, least in {"feature_dim": 1, "n_train": 1, "n_dev": 0, "n_test": 1, "noise": 0, "seed": 0}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)} must be at least {least}")
        if not 1 <= self.mean_cardinality <= self.max_cardinality <= self.n_labels // 2:
            raise ValueError(
                f"expected 1 <= mean_cardinality={self.mean_cardinality} <= max_cardinality={self.max_cardinality} "
                f"<= n_labels // 2 = {self.n_labels // 2}"
            )


class Hierarchy(NamedTuple):
    """Three levels of label ids. Every topic has an area and at least one leaf."""

    parent: Int[np.ndarray, " labels"]  # -1 for areas
    topics: Int[np.ndarray, " topics"]
    leaves: Int[np.ndarray, " leaves"]  # those of one topic lie together: see first_leaf
    first_leaf: Int[np.ndarray, " topics_plus_1"]


def hierarchy(n_labels: int, rng: np.random.Generator) -> Hierarchy:
    """A random assignment of ids to areas, topics and leaves."""
    ids = rng.permutation(n_labels)
    n_areas, n_topics = round(n_labels ** (1 / 3)), round(n_labels ** (2 / 3))
    areas, topics, leaves = np.split(ids, [n_areas, n_areas + n_topics])
    first_leaf = np.linspace(0, len(leaves), n_topics + 1).astype(int)
    parent = np.full(n_labels, -1)
    parent[topics] = areas[np.arange(n_topics) % n_areas]
    parent[leaves] = np.repeat(topics, np.diff(first_leaf))
    return Hierarchy(parent, topics, leaves, first_leaf)


def label_sets(
    spec: SyntheticSpec, tree: Hierarchy, n_points: int, rng: np.random.Generator
) -> Int32[np.ndarray, "points max_cardinality"]:
    """Random label sets that are closed under `tree.parent`, padded with `spec.n_labels`."""
    topics_per_point = 2 + spec.max_cardinality // 8
    own = _zipf(len(tree.topics), (n_points, topics_per_point), rng)
    draws = (n_points, 2 * spec.max_cardinality)
    topic = np.take_along_axis(own, _zipf(topics_per_point, draws, rng), axis=1)
    # Inverse of the continuous law of density 1/x on [1, leaves + 1): Zipf's law, however many leaves a topic has.
    n_leaves = np.diff(tree.first_leaf)[topic]
    rank = np.minimum((n_leaves + 1.0) ** rng.random(draws) - 1, n_leaves - 1).astype(int)
    leaf = tree.leaves[tree.first_leaf[topic] + rank]
    # Areas come before topics, and topics before leaves: whatever is cut off below, parents stay.
    paths = np.stack([tree.parent[tree.topics[topic]], tree.topics[topic], leaf], axis=2).reshape(n_points, -1)
    rates = rng.gamma(4.0, (spec.mean_cardinality - 1) / 4, n_points)
    wanted = np.minimum(1 + rng.poisson(rates), spec.max_cardinality)
    first = _first_occurrence(paths)
    chosen = first & (np.cumsum(first, axis=1) <= wanted[:, None])
    indptr = np.concatenate([[0], np.cumsum(chosen.sum(axis=1))])
    return labels.from_csr(indptr, paths[chosen], spec.n_labels, spec.max_cardinality)


def features_of(
    spec: SyntheticSpec, sets: Int32[np.ndarray, "points max_cardinality"], rng: np.random.Generator
) -> Float32[np.ndarray, "points feature_dim"]:
    """The sum of one standard normal vector per label, over the root of the mean cardinality, plus noise."""
    active = labels.to_sparse(sets, spec.n_labels, np.float32)
    vectors = rng.standard_normal((spec.n_labels, spec.feature_dim), np.float32)
    noise = rng.standard_normal((len(sets), spec.feature_dim), np.float32)
    return active @ vectors / np.float32(np.sqrt(spec.mean_cardinality)) + np.float32(spec.noise) * noise


class Synthetic(records.ArrayBuilder):
    """Synthetic multi-label data with power-law, correlated, hierarchical labels."""


def load_synthetic(cache_dir: Path, *, synthetic: SyntheticSpec) -> Splits:
    """The splits of synthetic data of this size and shape; its records are kept below `cache_dir`."""
    fields = dataclasses.asdict(synthetic)
    config = records.ArrayConfig(
        name=hashlib.blake2b(json.dumps(fields).encode(), digest_size=16).hexdigest(),
        arrays={"labels": (np.int32, None), "features": (np.float32, synthetic.feature_dim)},
        metadata=fields,
        generate=lambda: _generate(synthetic),
    )
    return records.read_splits(records.prepare(Synthetic, config, cache_dir))


def _generate(spec: SyntheticSpec) -> dict[str, list[records.Record]]:
    rng = np.random.default_rng(spec.seed)
    sizes = {"train": spec.n_train, "dev": spec.n_dev, "test": spec.n_test}
    sets = label_sets(spec, hierarchy(spec.n_labels, rng), sum(sizes.values()), rng)
    points = zip(sets, features_of(spec, sets, rng), strict=True)
    made = ({"labels": ids[ids < spec.n_labels], "features": vector} for ids, vector in points)
    return {split: list(itertools.islice(made, size)) for split, size in sizes.items() if size}


def _zipf(n: int, shape: tuple[int, ...], rng: np.random.Generator) -> Int[np.ndarray, "..."]:
    """Ranks 0 .. n - 1, rank r with a probability proportional to 1 / (r + 1)."""
    cumulative = np.cumsum(1 / np.arange(1, n + 1))
    return np.searchsorted(cumulative, rng.random(shape) * cumulative[-1], side="right").clip(max=n - 1)


def _first_occurrence(rows: Int[np.ndarray, "points width"]) -> np.ndarray:
    """True where a value appears for the first time in its row."""
    order = np.argsort(rows, axis=1, kind="stable")
    in_order = np.take_along_axis(rows, order, axis=1)
    new = np.concatenate([np.ones((len(rows), 1), bool), in_order[:, 1:] != in_order[:, :-1]], axis=1)
    first = np.empty_like(new)
    np.put_along_axis(first, order, new, axis=1)
    return first
