"""Enumeration of the label sets of a small layer, by random activations."""

import jax
import numpy as np
from jaxtyping import Float, Int

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.witness import proves_witnesses
from sigfft.argmaxability.rules import Rule
from sigfft.argmaxability.search.system import System

_LOGITS_AT_ONCE = 1 << 24  # of a chunk of directions


def enumerate_sets(
    weight: Float[np.ndarray, "labels dim"],
    bias: Float[np.ndarray, " labels"] | None = None,
    rule: str | Rule = "threshold",
    *,
    cardinality: int = 1,
    n_directions: int = 1 << 16,
    seed: int = 0,
) -> tuple[Int[np.ndarray, "sets width"], Float[np.ndarray, "sets dim"]]:
    """The distinct label sets that random activations yield, each with one activation that is proved to yield it.

    For small layers, whose sets are few: with enough directions it finds all but those of the narrowest regions.

    Args:
      weight: (n_labels, dim).
      bias: (n_labels,) or None.
      rule: as `check`.
      cardinality: size of the sets under a rule that has sets of any size and a free level.
      n_directions: how many activations are tried.
      seed: of the random directions.

    Raises:
      ValueError: as `check`, a cardinality that is not in 0 .. n_labels, or n_directions below 1.
    """
    system = System.of(layer := Layer.of(weight, bias, rule))
    k = cardinality if layer.rule.cardinality is None else layer.rule.cardinality
    if not 0 <= k <= layer.n_labels:
        raise ValueError(f"cardinality must be in 0 .. {layer.n_labels}; given {cardinality}")
    if n_directions < 1:
        raise ValueError(f"n_directions must be at least 1; given {n_directions}")
    seen: dict[bytes, np.ndarray] = {}
    step = max(1, _LOGITS_AT_ONCE // layer.n_labels)
    for start in range(0, n_directions, step):
        key = jax.random.fold_in(jax.random.key(seed), start)
        count = min(step, n_directions - start)
        directions = np.asarray(jax.random.normal(key, (count, layer.width)), np.float64)
        if layer.positive is not None:
            directions[:, layer.positive] = np.abs(directions[:, layer.positive])
        on = system.yielded(directions, k)
        codes, first = np.unique(np.packbits(on, axis=1), axis=0, return_index=True)
        for code, i in zip(codes, first, strict=True):
            seen.setdefault(code.tobytes(), directions[i])
    codes = np.frombuffer(b"".join(seen), np.uint8).reshape(len(seen), -1)
    on = np.unpackbits(codes, axis=1, count=layer.n_labels)
    padded = layer.pad([np.flatnonzero(row) for row in on])
    witnesses = system.witness(np.array(list(seen.values())))
    proved = proves_witnesses(layer, padded, witnesses)
    return padded[proved], witnesses[proved]
