"""The formula of `spread="auto"` against `sigfft.plan`, which samples, at 20 sizes.

    python benchmarks/bench_auto.py --samples 72    # some 40 minutes of one core

plan: the spread that `sigfft.plan` finds to be enough for a share of 0.95 of random sets of exactly k labels in
float32, to within 6 %; all sampled sets must be reproduced for that. auto: the formula's, `sigfft.heads.enough_spread`.
room: how many spread frequencies there are. reproduced: of other random sets, with the formula's spread. features:
that reach every z of the head with that spread, of any sign and nonnegative ones.
"""

import argparse
import time

import jax
import numpy as np
from results import explained, table, write_section

import sigfft
from sigfft.argmaxability.of_heads.trials import Sets, try_head
from sigfft.argmaxability.theory.sampling import random_sets
from sigfft.heads import least_features

SIZES = (
    *((100, 1), (100, 5), (100, 20), (159, 28), (300, 3), (500, 10), (983, 25), (1000, 1), (1000, 5), (1000, 16)),
    *((2000, 10), (2000, 50), (4000, 5), (4000, 20), (4271, 80), (8921, 50), (8921, 80), (14_642, 55), (20_000, 3)),
    (20_000, 50),
)
HEADER = ("n", "k", "room", "plan", "auto", "auto / plan", "reproduced", "d", "features", "nonnegative", "s")
TRIED = {"dtype": "float32", "confidence": 0.95, "thorough": False}


def measure(n_labels: int, k: int, samples: int) -> list[object]:
    """The line of one size."""
    start = time.perf_counter()
    chosen = sigfft.plan(n_labels, k, samples=samples).chosen
    head = sigfft.dft_head(n_labels, k, feature_dim=1, spread="auto")
    trial = try_head(head, Sets(random_sets(n_labels, k, samples, seed=1)), None, seed=1, **TRIED)
    room = (head.n_points - 1) // 2 - k
    ratio = "" if chosen is None or not chosen.spread else f"{trial.spread / chosen.spread:.2f}"
    found = "none" if chosen is None else chosen.spread
    needed = least_features(head.dim), least_features(head.dim, "nonnegative")
    reproduced = f"{trial.random.reproduced} of {trial.random.of}"
    seconds = round(time.perf_counter() - start)
    return [n_labels, k, room, found, trial.spread, ratio, reproduced, head.dim, *needed, seconds]


def main() -> None:
    """Measure, print, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=100, help="sets tried for each spread (default: %(default)s)")
    args = parser.parse_args()
    rows = []
    for n_labels, k in SIZES:
        rows.append(measure(n_labels, k, args.samples))
        jax.clear_caches()  # a compilation for each spread tried
        print(*rows[-1], flush=True)
    ratios = np.array([float(row[5]) for row in rows if row[5]])
    text = f"auto / plan: from {ratios.min():.2f} to {ratios.max():.2f}, median {np.median(ratios):.2f}."
    write_section("Spread without sampling", explained(__doc__), f"{table(HEADER, rows)}\n\n{text}")


if __name__ == "__main__":
    main()
