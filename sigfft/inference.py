"""Predictions of a head block by block: the best labels and the predicted sets, never (batch, n_labels) logits.

Every function takes features (batch, feature_dim) and is jitted for its head, sizes and options.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32, Num

from sigfft.heads import Head, Params, per_label_params
from sigfft.heads.blocks import Blocks
from sigfft.metrics import Predictions
from sigfft.precision import compute_dtype
from sigfft.varying import vary_like

BLOCK_SIZE = 4096


class TopLabels(NamedTuple):
    """Labels of each example by falling logit, equal logits by ascending id.

    Attributes:
      labels: ids.
      scores: their logits, in float32 at least.
    """

    labels: Int32[Array, "batch k"]
    scores: Float[Array, "batch k"]


class PredictedSets(NamedTuple):
    """The labels whose logit exceeds the threshold.

    Attributes:
      labels: ids, ascending, padded with n_labels; of a set that is too large those of the largest logits.
      scores: their logits, -inf at padding.
      cardinality: how many labels exceed the threshold; more than the width of `labels` where the set did not fit.
    """

    labels: Int32[Array, "batch max_cardinality"]
    scores: Float[Array, "batch max_cardinality"]
    cardinality: Int32[Array, " batch"]


@functools.partial(jax.jit, static_argnames=("head", "k", "block_size"))
def top_k(
    head: Head, params: Params, features: Num[Array, "batch feature_dim"], k: int, *, block_size: int = BLOCK_SIZE
) -> TopLabels:
    """The `k` labels of the largest logits.

    Raises:
      ValueError: `k` is not within 1 .. n_labels, or `block_size` is below 1.
    """
    z, blocks = head.project(params, features), head.blocks(block_size)
    return _visit_all(head, params, z, blocks, _no_labels(head, z, k), functools.partial(_merge, blocks))


@functools.partial(jax.jit, static_argnames=("head", "max_cardinality", "block_size"))
def label_sets(
    head: Head,
    params: Params,
    features: Num[Array, "batch feature_dim"],
    max_cardinality: int,
    *,
    threshold: float | Float[Array, ""] = 0.0,
    block_size: int = BLOCK_SIZE,
) -> PredictedSets:
    """The labels whose logit exceeds `threshold`, up to `max_cardinality` of them; 0 is probability one half.

    Raises:
      ValueError: `max_cardinality` is not within 1 .. n_labels, or `block_size` is below 1.
    """
    z, blocks = head.project(params, features), head.blocks(block_size)

    def visit(carry, logits, block):
        top, count = carry
        return _merge(blocks, top, logits, block), count + _count(logits > threshold)

    start = (_no_labels(head, z, max_cardinality), jnp.zeros(len(z), jnp.int32))
    top, count = _visit_all(head, params, z, blocks, start, visit)
    above = top.scores > threshold
    ids, scores = jax.lax.sort(
        (jnp.where(above, top.labels, head.n_labels), jnp.where(above, top.scores, -jnp.inf)), num_keys=1
    )
    return PredictedSets(ids, scores, count)


@functools.partial(jax.jit, static_argnames=("head", "top", "block_size"))
def predictions(
    head: Head,
    params: Params,
    features: Num[Array, "batch feature_dim"],
    labels: Int[Array, "batch cardinality"],
    mask: Bool[Array, " batch"],
    *,
    top: int,
    threshold: float | Float[Array, ""] = 0.0,
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
      threshold: a label of a larger logit is predicted.
      block_size: labels a block.

    Raises:
      ValueError: `top` is not within 1 .. n_labels, or `block_size` is below 1.
    """
    z, blocks = head.project(params, features), head.blocks(block_size)
    own_ids = jnp.where(labels < head.n_labels, labels, -1).astype(jnp.int32)
    counted = mask.astype(jnp.float32)

    def visit(carry, logits, block):
        above = logits > threshold
        found = jnp.take_along_axis(above, blocks.positions(block, own_ids), axis=1, mode="fill", fill_value=False)
        per_label = (counted @ above.astype(jnp.float32)).astype(jnp.int32)
        best, tally = carry
        return _merge(blocks, best, logits, block), tally._replace(
            active=tally.active | found,
            per_example=tally.per_example + _count(above),
            per_label=blocks.add(tally.per_label, per_label, block),
        )

    nothing = Predictions(
        top_labels=jnp.zeros((len(features), 0), jnp.int32),
        active=jnp.zeros(labels.shape, bool),
        per_example=jnp.zeros(len(features), jnp.int32),
        per_label=blocks.split(jnp.zeros(head.n_labels, jnp.int32)),
    )
    best, tally = _visit_all(head, params, z, blocks, (_no_labels(head, z, top), nothing), visit)
    return tally._replace(top_labels=best.labels, per_label=blocks.join(tally.per_label))


def _visit_all(head: Head, params: Params, z: Array, blocks: Blocks, start: Any, visit: Callable[..., Any]) -> Any:
    """`visit(carry, logits, block)` over all blocks; logits of labels that are not counted are -inf.

    Those that are counted are finite or inf: NaN is the least, so that no label is lost to it.
    """
    own, decode = blocks.split(per_label_params(head, params)), head.block_decoder(blocks, z.dtype)
    z = z.astype(compute_dtype(z.dtype))
    least, offset = jnp.finfo(z.dtype).min, jnp.zeros((), jnp.int32)

    def step(carry, block):
        logits = decode(blocks.take(own, block), z, blocks.labels(block))
        logits = jnp.where(logits >= least, logits, least)
        logits = jnp.where(blocks.counted(block, offset)[None], logits, -jnp.inf)
        return visit(carry, logits, block), None

    return jax.lax.scan(step, vary_like(start, z, own), blocks.ids())[0]


def _no_labels(head: Head, z: Array, k: int) -> TopLabels:
    if not 1 <= k <= head.n_labels:
        raise ValueError(f"k={k} labels are asked for; expected 1 .. n_labels={head.n_labels}")
    shape = (len(z), k)
    scores = jnp.full(shape, -jnp.inf, compute_dtype(z.dtype))
    return TopLabels(jnp.full(shape, head.n_labels, jnp.int32), scores)


def _merge(blocks: Blocks, top: TopLabels, logits: Float[Array, "batch width"], block: Int[Array, ""]) -> TopLabels:
    k = top.labels.shape[1]
    best, positions = jax.lax.top_k(logits, min(k, blocks.width))
    ids = jnp.concatenate([top.labels, blocks.labels(block)[positions]], axis=1)
    scores = jnp.concatenate([top.scores, best], axis=1)
    # Two keys: blocks of residue classes do not bring equal logits in the order of their ids.
    falling, ids = jax.lax.sort((-scores, ids), num_keys=2)
    return TopLabels(ids[:, :k], -falling[:, :k])


def _count(above: Bool[Array, "batch width"]) -> Int32[Array, " batch"]:
    # By a product of 0s and 1s, exact below 2^24: integer sums are several times slower on CPU.
    return (above.astype(jnp.float32) @ np.ones(above.shape[1], np.float32)).astype(jnp.int32)
