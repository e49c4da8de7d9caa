"""Streamed check of a head whose W is too large to hold: activations by its transform, proofs by blocks of rows."""

import hashlib
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import tqdm
from jaxtyping import Bool, Float, Int

from sigfft import labels
from sigfft.argmaxability.layer import Digest, Layer
from sigfft.argmaxability.of_heads.forward import proposed
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.argmaxability.proofs.witness import proves_witnesses
from sigfft.argmaxability.report import Report
from sigfft.argmaxability.rules import Rule, named
from sigfft.heads import Head, Params

BLOCK_ENTRIES = 1 << 23  # of W, made at a time
HELD = 1 << 28  # entries of W up to which `check` holds it: some 7 GB with its unit rows and whitened rows
_OPEN = "no activation was found; W is too large to hold, so that nothing more thorough was tried"


def check_streamed(
    head: Head,
    params: Params,
    label_sets: labels.LabelSets,
    rule: str | Rule = "threshold",
    *,
    progress: bool = False,
    block_entries: int = BLOCK_ENTRIES,
) -> Report:
    """`check` under a rule whose level is zero, in memory of O(block of W + sets × n_labels), with W made on the fly.

    Argmaxable sets get a witness that is proved on every row, as `check` does. Nothing proves a set unargmaxable
    here: the others stay undecided, and margins are the trivial bounds. `verify` takes the report together with the
    whole W, which may be a memory map.

    Args:
      head: any head.
      params: its parameters.
      label_sets: as `check`.
      rule: as `check`, without a free level.
      progress: show a progress bar over the blocks.
      block_entries: entries of W made at a time.

    Raises:
      ValueError: ids out of range, or the rule has no set of this size.
    """
    rule = named(rule)
    padded = labels.pad(label_sets, head.n_labels)
    rule.check_sets(padded, head.n_labels)
    distinct, inverse, _ = labels.dedupe(padded)
    z = proposed(head, params, distinct, rule)
    proved, layer = prove(head, params, distinct, z, progress=progress, block_entries=block_entries)
    verdicts = [
        Verdict("argmaxable", (0.0, 1.0), "transform", witness)
        if holds
        else Verdict("undecided", (-1.0, 1.0), "transform", reason=_OPEN)
        for holds, witness in zip(proved, z, strict=True)
    ]
    return Report(replace(layer, rule=rule.name), padded, [verdicts[i] for i in inverse])


def prove(
    head: Head,
    params: Params,
    padded: Int[np.ndarray, "sets width"],
    z: Float[np.ndarray, "sets dim"],
    progress: bool = False,
    block_entries: int = BLOCK_ENTRIES,
) -> tuple[Bool[np.ndarray, " sets"], Digest]:
    """Which activations yield exactly their sets, block by block of rows; and the digests of all rows and biases."""
    n_labels, width = head.n_labels, min(head.n_labels, max(1, block_entries // head.dim))
    of_block = jax.jit(lambda params, ids: (head.rows(params, ids), head.bias(params, ids)))
    proved = np.isfinite(z).all(axis=1)
    rows_hash, bias_hash, bias = hashlib.sha256(), hashlib.sha256(), None
    for first in tqdm.tqdm(range(0, n_labels, width), disable=not progress, unit="block", desc="proofs"):
        count = min(width, n_labels - first)
        ids = jnp.minimum(first + jnp.arange(width), n_labels - 1)  # one shape: compiled once
        made_rows, made_bias = of_block(params, ids)
        rows, bias = np.asarray(made_rows)[:count], None if made_bias is None else np.asarray(made_bias)[:count]
        rows_hash.update(np.ascontiguousarray(rows, "<f4").tobytes())
        if bias is not None:
            bias_hash.update(np.ascontiguousarray(bias, "<f4").tobytes())
        left = np.flatnonzero(proved)
        inside = (padded[left] >= first) & (padded[left] < first + count)
        local = np.where(inside, padded[left] - first, count)
        proved[left] = proves_witnesses(Layer.of(rows, bias), local, z[left])
    weight = {"dtype": "float32", "shape": [n_labels, head.dim], "sha256": rows_hash.hexdigest()}
    biases = {"dtype": "float32", "shape": [n_labels], "sha256": bias_hash.hexdigest()}
    return proved, Digest("threshold", n_labels, head.dim, weight, None if bias is None else biases)
