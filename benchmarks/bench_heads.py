"""Whole train steps against the published layer in PyTorch, and four ways to evaluate a block of a DFT head.

    python benchmarks/bench_heads.py           # about 4 minutes on 2 cores; needs torch: pip install sigfft[bench]

Batch 256, feature_dim 768, float32; forward, backward and Adam. blocked: the loss visits blocks of labels; dense: it
holds all logits; PyTorch: the published layer, written straightforwardly. Times are interleaved (blocked, dense,
PyTorch, blocked, ...) and medians; a ratio is the median of the rounds' ratios. MB: temporary memory that XLA plans
for the compiled step.
"""

import argparse
import functools
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch_reference
from results import explained, table, write_section
from steps import BLOCK_SIZE, FEATURE_DIM, batch, interleaved, train_step

import sigfft
from sigfft import spectrum
from sigfft.heads import DFTHead, Head

HEADS: dict[str, dict[str, Any]] = {
    "slack 0": {"n_labels": 20_000, "max_cardinality": 50},
    "slack 100": {"n_labels": 20_000, "max_cardinality": 50, "slack": 100},
    "spread 200": {"n_labels": 20_000, "max_cardinality": 50, "spread": 200},
    "prime n, n_fft = 20,000": {"n_labels": 19_997, "max_cardinality": 50},
    "prime n, n_fft = n": {"n_labels": 19_997, "max_cardinality": 50, "n_fft": 19_997},
    "n_fft = 8,960, slack 100": {"n_labels": 8_921, "max_cardinality": 80, "slack": 100},
    "n_fft = n, slack 100": {"n_labels": 8_921, "max_cardinality": 80, "n_fft": 8_921, "slack": 100},
    "bottleneck": {"n_labels": 20_000, "dim": 101},
}
ABOUT_WAYS = (
    "Milliseconds of the whole blocked step above, by how a block's logits are made: from cosines and sines "
    "computed for the block; from a W held in memory; from the first block's rows, after a turn of the "
    "spectrum (rotation); by one short inverse FFT of a residue class of labels (folding)."
)
WAYS = {"k = 50": {}, "k = 50, spread 200": {"spread": 200}, "k = 50, slack 100": {"slack": 100}}


def against_reference(name: str, arguments: dict[str, Any], rounds: int) -> list[object]:
    """One row: times, ratios and temporary memory of a head."""
    make = sigfft.bottleneck_head if "dim" in arguments else sigfft.dft_head
    head = make(**arguments, feature_dim=FEATURE_DIM)
    blocked, blocked_program, _ = train_step(head, BLOCK_SIZE)
    dense, dense_program, _ = train_step(head, None)
    features, labels = batch(head.n_labels)
    reference = torch_reference.train_step(_reference(head), features, labels, head.n_labels)
    seconds = interleaved({"blocked": blocked, "dense": dense, "reference": reference}, rounds)
    blocked_ms, dense_ms, reference_ms = (f"{1e3 * np.median(values):.1f}" for values in seconds.values())
    ratios = [np.median(seconds["reference"] / seconds[ours]) for ours in ("blocked", "dense")]
    memory = [program.memory_analysis().temp_size_in_bytes / 1e6 for program in (blocked_program, dense_program)]
    return [
        name,
        head.n_labels,
        head.dim,
        blocked_ms,
        dense_ms,
        reference_ms,
        *(f"{ratio:.1f}" for ratio in ratios),
        *(f"{megabytes:.1f}" for megabytes in memory),
        f"{memory[1] / memory[0]:.1f}",
    ]


def ways(name: str, arguments: dict[str, Any], rounds: int) -> list[object]:
    """One row: milliseconds of a step with each way to evaluate a block."""
    kinds = {"rows on the fly": ByRows, "cached W": CachedRows, "rotation": Rotated, "folding": Folded}
    candidates = {way: kind(20_000, 50, feature_dim=FEATURE_DIM, **arguments) for way, kind in kinds.items()}
    steps = {way: train_step(candidate, BLOCK_SIZE)[0] for way, candidate in candidates.items()}
    return [
        name,
        candidates["rotation"].dim,
        *(f"{1e3 * np.median(s):.1f}" for s in interleaved(steps, rounds).values()),
    ]


def main() -> None:
    """Measure, print, and write both sections."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--heads", nargs="+", default=list(HEADS), choices=HEADS)
    args = parser.parse_args()
    header = ["head", "n", "d", "blocked ms", "dense ms", "PyTorch ms", "PyTorch / blocked", "PyTorch / dense"]
    header += ["blocked MB", "dense MB", "dense / blocked MB"]
    rows = []
    for name in args.heads:
        rows.append(against_reference(name, HEADS[name], args.rounds))
        print(*rows[-1], sep="  ", flush=True)
    sizes = f"Blocks of {BLOCK_SIZE} labels, torch {torch.__version__}."
    write_section("Train step of the heads", f"{explained(__doc__)}\n\n{sizes}", table(header, rows))
    header = ["head, n = 20,000", "d", "rows on the fly ms", "cached W ms", "rotation ms", "folding ms"]
    rows = []
    for name, arguments in WAYS.items():
        rows.append(ways(name, arguments, args.rounds))
        print(*rows[-1], sep="  ", flush=True)
    write_section("Ways to evaluate a block", ABOUT_WAYS, table(header, rows))


def _reference(head: sigfft.Head) -> torch.nn.Module:
    if head.kind == "bottleneck":
        return torch_reference.bottleneck(FEATURE_DIM, head.n_labels, head.dim)
    return torch_reference.DFTLayer(FEATURE_DIM, head.n_labels, head.frequencies, head.slack)


class Rotated(DFTHead):
    """Blocks of neighbours on every backend."""

    fold_from = sys.maxsize


class Folded(DFTHead):
    """Residue classes, however few frequencies."""

    fold_from = 0


class ByRows(DFTHead):
    """Blocks by sines and cosines for each label, as any head has them."""

    blocks, block_decoder = Head.blocks, Head.block_decoder


class CachedRows(ByRows):
    """Blocks by rows of W that were made once and are held."""

    def rows_of(self, own, labels, dtype=jnp.float32):
        """As `Head.rows_of`, by a gather."""
        fixed = self.held[labels]
        return jnp.concatenate([fixed, own["slack"] * self.n_labels**-0.5], 1) if self.slack else fixed

    @functools.cached_property
    def held(self) -> jax.Array:
        """The fixed columns of W."""
        with jax.ensure_compile_time_eval():
            return spectrum.rows(jnp.arange(self.n_labels), self.frequencies, self.n_fft, jnp.float32)


if __name__ == "__main__":
    main()
