"""What `why_spread.py` measures of a trained head: ranks, gradients by kind of column, recall by label frequency."""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sigfft.data import Dataset, Splits, batches
from sigfft.heads import DFTHead, Head
from sigfft.losses import LOSSES, of_head
from sigfft.training.config import Config
from sigfft.training.model import Model, ModelParams

THIRDS = ("head", "torso", "tail")
_TOP = 5
_EXAMPLES = 1024


def measured(model: Model, params: ModelParams, splits: Splits, config: Config) -> dict[str, Any]:
    """Of one head: see `why_spread.py` for each. Ranks and gradients are of the first thousand examples."""
    thirds = by_frequency(splits["train"].label_counts())
    hits, actives, first = np.zeros(3), np.zeros(3), []
    for batch in _batches(splits["dev"]):
        logits, mask = _logits(model, params, batch), batch["mask"]
        top = np.asarray(jax.lax.top_k(logits, _TOP)[1])
        active = batch["labels"] < splits["dev"].n_labels
        found = active & (batch["labels"][:, :, None] == top[:, None, :]).any(2)
        third = thirds[np.minimum(batch["labels"], len(thirds) - 1)]
        hits += np.bincount(third[found], minlength=3)
        actives += np.bincount(third[active], minlength=3)
        if sum(map(len, first)) < _EXAMPLES:
            first.append(np.asarray(logits)[mask])
    learned = {name: np.asarray(params["head"][name]) for name in ("slack", "weight") if name in params["head"]}
    start = model.init(jax.random.key(config.seed))
    return {
        "recall@5": dict(zip(THIRDS, (hits / actives).tolist(), strict=True)),
        "rank of logits": effective_rank(np.concatenate(first)),
        **{f"rank of {name}": effective_rank(rows) for name, rows in learned.items()},
        **{f"spectrum of {name}": spectrum(rows).tolist() for name, rows in learned.items()},
        **{f"cosine of {name}": cosine(np.asarray(start["head"][name]), rows) for name, rows in learned.items()},
        "length of rows": lengths(learned, thirds),
        "gradients": {
            "start": gradients(model, start, splits["train"]),
            "end": gradients(model, params, splits["train"]),
        },
    }


def by_frequency(counts: Int[np.ndarray, " labels"]) -> Int[np.ndarray, " labels"]:
    """0, 1 or 2 for each label: the most frequent labels, which have a third of all positives, the next, the rest."""
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    thirds = np.empty(len(counts), int)
    thirds[order] = np.minimum(3 * before // max(1, counts.sum()), 2)
    return thirds


def spectrum(rows: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, " directions"]:
    """Shares of the sum of squares in each direction, largest first, of rows less their mean."""
    rows = rows.astype(np.float64) - rows.mean(0, dtype=np.float64)
    gram = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    energies = np.maximum(np.linalg.eigvalsh(gram)[::-1], 0)
    return energies / energies.sum()


def effective_rank(rows: Float[np.ndarray, "rows columns"]) -> float:
    """Exp of the entropy of the spectrum: how many directions of equal energy have as much of it."""
    shares = spectrum(rows)
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def cosine(start: Float[np.ndarray, "rows columns"], end: Float[np.ndarray, "rows columns"]) -> float:
    """Mean cosine of a column at the start and the same at the end: 1 where training left its direction alone."""
    products = (start * end).sum(0, dtype=np.float64)
    return float((products / (np.linalg.norm(start, axis=0) * np.linalg.norm(end, axis=0))).mean())


def lengths(learned: dict[str, np.ndarray], thirds: Int[np.ndarray, " labels"]) -> dict[str, float]:
    """Mean length of the learned rows of each third, over that of all; empty where rows are not of labels."""
    for rows in learned.values():
        if len(rows) == len(thirds):
            length = np.linalg.norm(rows, axis=1)
            return {name: float(length[thirds == i].mean() / length.mean()) for i, name in enumerate(THIRDS)}
    return {}


def gradients(model: Model, params: ModelParams, data: Dataset) -> dict[str, float]:
    """Mean length of the gradient of a column of the projection, by kind of column of W."""
    head = model.head
    total, count = np.zeros((head.feature_dim, head.dim)), 0
    for batch in _batches(data):
        total, count = total + np.asarray(_gradient(model, params, batch)), count + 1
        if count * len(batch["mask"]) >= _EXAMPLES:
            break
    length = np.linalg.norm(total / count, axis=0)
    return {name: float(length[columns].mean()) for name, columns in kinds_of(head).items()}


def kinds_of(head: Head) -> dict[str, slice]:
    """The columns of W by kind; the halves of the low frequencies apart."""
    if not isinstance(head, DFTHead):
        return {"learned": slice(0, head.dim)}
    k, low = head.max_cardinality, 1 + 2 * head.max_cardinality
    given = head.dim - head.embedding
    fixed = given - head.slack
    kinds = {
        **{"lower half of 1..k": slice(1, 1 + k), "upper half of 1..k": slice(1 + k, low)},
        **{"spread": slice(low, fixed), "slack": slice(fixed, given), "embedding": slice(given, head.dim)},
    }
    return {name: columns for name, columns in kinds.items() if columns.start < columns.stop}


@functools.partial(jax.jit, static_argnums=0)
def _logits(model: Model, params: ModelParams, batch: dict[str, Array]) -> Float[Array, "batch labels"]:
    return model.head.logits(params["head"], model.features(params["encoder"], batch))


@functools.partial(jax.jit, static_argnums=0)
def _gradient(model: Model, params: ModelParams, batch: dict[str, Array]) -> Float[Array, "feature_dim dim"]:
    features, labels = model.features(params["encoder"], batch), jnp.asarray(batch["labels"])
    return jax.grad(lambda own: of_head(LOSSES["bce"](), model.head, own, features, labels))(params["head"])[
        "projection_kernel"
    ]


def _batches(data: Dataset) -> Iterator[dict[str, Any]]:
    yield from batches(data, 256)
