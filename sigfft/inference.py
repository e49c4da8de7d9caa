"""Predictions of a head block by block: the best labels and the predicted sets, never (batch, n_labels) logits.

Every function is jitted for its head, sizes and options. Where the parameters of the labels are sharded over explicit
axes of a mesh, each device ranks its own labels, and what travels is the best of each.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32, Num

from sigfft.heads import Head, Params, per_label_params
from sigfft.heads.shards import Shards
from sigfft.meshes import flat
from sigfft.metrics import Binned, Histograms, Predictions
from sigfft.precision import compute_dtype
from sigfft.visits import TopLabels as TopLabels
from sigfft.visits import Visit

BLOCK_SIZE = 4096

Features = Num[Array | np.ndarray, "*batch feature_dim"]
Threshold = float | Float[Array | np.ndarray, ""] | Float[Array | np.ndarray, " labels"]


class PredictedSets(NamedTuple):
    """The labels whose logit exceeds their threshold.

    Attributes:
      labels: ids, ascending, padded with n_labels; of a set that is too large those of the largest logits.
      scores: their logits, -inf at padding.
      cardinality: how many labels exceed the threshold; more than the width of `labels` where the set did not fit.
    """

    labels: Int32[Array, "*batch max_cardinality"]
    scores: Float[Array, "*batch max_cardinality"]
    cardinality: Int32[Array, "*batch"]


@functools.partial(jax.jit, static_argnames=("head", "k", "block_size"))
def top_k(head: Head, params: Params, features: Features, k: int, *, block_size: int = BLOCK_SIZE) -> TopLabels:
    """The `k` labels of the largest logits.

    Raises:
      ValueError: `k` is not within 1 .. n_labels, or `block_size` is below 1.

    Example:
      >>> head = sigfft.sigmoid_head(6, feature_dim=2)
      >>> params = head.init(jax.random.key(0)) | {"weight": jnp.arange(12.0).reshape(6, 2)}
      >>> top_k(head, params, jnp.ones((1, 2)), 3).labels
      Array([[5, 4, 3]], dtype=int32)
    """
    shards = Shards.of(head, params, features)

    def local(own: Params, z: Array) -> tuple[TopLabels, None, None]:
        visit = Visit(head, own, z, block_size, shards)
        return visit.best(visit.all(visit.no_labels(k), visit.merge)), None, None

    z = flat(head.project(params, features), 1)
    found, _, _ = shards.run(local, per_label_params(head, params), z)
    return _unflat(shards, found, features.shape[:-1])


@functools.partial(jax.jit, static_argnames=("head", "max_cardinality", "block_size"))
def label_sets(
    head: Head,
    params: Params,
    features: Features,
    max_cardinality: int,
    *,
    threshold: Threshold = 0.0,
    block_size: int = BLOCK_SIZE,
) -> PredictedSets:
    """The labels whose logit exceeds `threshold`, up to `max_cardinality` of them.

    Args:
      head: the output layer.
      params: its parameters.
      features: (..., feature_dim).
      max_cardinality: of a larger set those of the largest logits are left.
      threshold: in logits, one for all labels or one for each; 0 is probability one half.
      block_size: labels a block.

    Raises:
      ValueError: `max_cardinality` is not within 1 .. n_labels, `block_size` is below 1, or `threshold` is of another
        shape than () and (n_labels,).
    """
    shards = Shards.of(head, params, features)

    def local(by_label: tuple[Params, Array], z: Array) -> tuple[PredictedSets, None, None]:
        own, thresholds = by_label
        visit = Visit(head, own, z, block_size, shards)
        thresholds = visit.blocks.split(thresholds)

        def step(carry: tuple[TopLabels, Array], logits: Array, block: Array) -> tuple[TopLabels, Array]:
            top, count = carry
            above = logits > visit.blocks.take(thresholds, block)[None]
            return visit.merge(top, jnp.where(above, logits, -jnp.inf), block), count + _count(above)

        top, count = visit.all((visit.no_labels(max_cardinality), jnp.zeros(z.shape[0], jnp.int32)), step)
        top = visit.best(top)
        found = jnp.where(top.scores > -jnp.inf, top.labels, head.n_labels)
        ids, scores = jax.lax.sort((found, top.scores), num_keys=1)
        return PredictedSets(ids, scores, shards.over_labels(count)), None, None

    z = flat(head.project(params, features), 1)
    by_label = per_label_params(head, params), _each(head, threshold, z)
    found, _, _ = shards.run(local, by_label, z)
    return _unflat(shards, found, features.shape[:-1])


@functools.partial(jax.jit, static_argnames=("head", "top", "block_size"))
def predictions(
    head: Head,
    params: Params,
    features: Features,
    labels: Int[Array, "batch cardinality"],
    mask: Bool[Array, " batch"],
    *,
    top: int,
    threshold: Threshold = 0.0,
    block_size: int = BLOCK_SIZE,
) -> Predictions:
    """What `Metrics.update_predictions` needs of a batch: `sigfft.metrics.predict` without whole logits.

    Args:
      head: the output layer.
      params: its parameters.
      features: float (batch, feature_dim).
      labels: the true label sets, padded with n_labels.
      mask: which examples count.
      top: how many labels to rank: the largest cut-off of the metrics.
      threshold: a label of a larger logit is predicted; one for all labels or one for each.
      block_size: labels a block.

    Raises:
      ValueError: `top` is not within 1 .. n_labels, `block_size` is below 1, or `threshold` is of another shape than ()
        and (n_labels,).
    """
    shards, labels = Shards.of(head, params, features), jnp.asarray(labels, jnp.int32)

    def local(by_label: tuple[Params, Array], by_example: tuple[Array, Array, Array]) -> tuple[Any, Array, None]:
        (own, thresholds), (z, labels, mask) = by_label, by_example
        visit = Visit(head, own, z, block_size, shards)
        blocks, thresholds = visit.blocks, visit.blocks.split(thresholds)
        own_ids = jnp.where(labels < head.n_labels, labels - visit.offset, -1)
        counted = mask.astype(jnp.float32)

        def step(carry: tuple[TopLabels, Predictions], logits: Array, block: Array) -> tuple[TopLabels, Predictions]:
            best, tally = carry
            above = logits > blocks.take(thresholds, block)[None]
            found = jnp.take_along_axis(above, blocks.positions(block, own_ids), axis=1, mode="fill", fill_value=False)
            per_label = (counted @ above.astype(jnp.float32)).astype(jnp.int32)
            return visit.merge(best, logits, block), tally._replace(
                active=tally.active | found,
                per_example=tally.per_example + _count(above),
                per_label=blocks.add(tally.per_label, per_label, block),
            )

        nothing = Predictions(
            top_labels=jnp.zeros((z.shape[0], 0), jnp.int32),
            active=jnp.zeros(labels.shape, bool),
            per_example=jnp.zeros(z.shape[0], jnp.int32),
            per_label=blocks.split(jnp.zeros(blocks.held, jnp.int32)),
        )
        best, tally = visit.all((visit.no_labels(top), nothing), step)
        active = shards.over_labels(tally.active.astype(jnp.int32)) > 0
        of_examples = visit.best(best).labels, active, shards.over_labels(tally.per_example)
        return of_examples, shards.over_examples(blocks.join(tally.per_label)), None

    z = flat(head.project(params, features), 1)
    by_label = per_label_params(head, params), _each(head, threshold, z)
    (top_labels, active, per_example), per_label, _ = shards.run(local, by_label, (z, labels, mask))
    return Predictions(top_labels, active, per_example, per_label)


def binned(
    head: Head,
    params: Params,
    features: Features,
    labels: Int[Array, "batch cardinality"],
    mask: Bool[Array, " batch"],
    *,
    histograms: Histograms,
    block_size: int = BLOCK_SIZE,
) -> Binned:
    """What `sigfft.metrics.curves_of` needs of a batch: the bins of all logits, without the whole of them.

    For use inside a jitted function: it is not jitted itself.

    Args:
      head: the output layer.
      params: its parameters.
      features: float (batch, feature_dim).
      labels: the true label sets, padded with n_labels.
      mask: which examples count.
      histograms: of n_labels labels.
      block_size: labels a block.
    """
    shards, n_bins = Shards.of(head, params, features), len(histograms.edges) + 1
    labels = jnp.asarray(labels, jnp.int32)

    def local(own: Params, by_example: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], Array, None]:
        z, labels, mask = by_example
        visit = Visit(head, own, z, block_size, shards)
        own_ids = jnp.where(labels < head.n_labels, labels - visit.offset, -1)
        rows, columns = (np.arange(size, dtype=np.int32) for size in (len(z), visit.blocks.width))

        def step(carry: Binned, logits: Array, block: Array) -> Binned:
            bins, counted = histograms.bins(logits), (logits > -jnp.inf).astype(jnp.int32)
            found = jnp.take_along_axis(bins, visit.blocks.positions(block, own_ids), 1, mode="fill", fill_value=0)
            of_block = jnp.zeros((len(columns), n_bins), jnp.int32)
            per_label = of_block.at[columns[None], bins].add(counted * mask.astype(jnp.int32)[:, None])
            return Binned(
                visit.blocks.add(carry.per_label, per_label, block),
                carry.per_example.at[rows[:, None], bins].add(counted),
                carry.active + found,
            )

        per_label = visit.blocks.split(jnp.zeros((visit.blocks.held, n_bins), jnp.int32))
        start = Binned(per_label, jnp.zeros((len(z), n_bins), jnp.int32), jnp.zeros(labels.shape, jnp.int32))
        tally = visit.all(start, step)
        of_examples = shards.over_labels((tally.per_example, tally.active))
        return of_examples, shards.over_examples(visit.blocks.join(tally.per_label)), None

    z = flat(head.project(params, features), 1)
    (per_example, active), per_label, _ = shards.run(local, per_label_params(head, params), (z, labels, mask))
    return Binned(per_label, per_example, active)


def _each(head: Head, threshold: Threshold, z: Array) -> Float[Array, " labels"]:
    if np.shape(threshold) not in ((), (head.n_labels,)):
        raise ValueError(
            f"threshold must be a number or one for each of n_labels={head.n_labels} labels; given shape "
            f"{np.shape(threshold)}"
        )
    return jnp.broadcast_to(jnp.asarray(threshold, compute_dtype(z.dtype)), (head.n_labels,))


def _unflat(shards: Shards, tree: Any, batch: tuple[int, ...]) -> Any:
    return jax.tree.map(lambda array: shards.unflat(array, batch), tree)


def _count(above: Bool[Array, "batch width"]) -> Int32[Array, " batch"]:
    # By a product of 0s and 1s, exact below 2^24: integer sums are several times slower on CPU.
    return (above.astype(jnp.float32) @ np.ones(above.shape[1], np.float32)).astype(jnp.int32)
