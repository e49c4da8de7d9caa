"""Which scattered frequencies? Worst correlation of two rows, and margins of random label sets, for each choice.

    python benchmarks/bench_spread.py

Every choice has the frequencies 1..k and the same number of further ones. Worst correlation: the largest |cosine| of
two rows of W. Sets found: random sets of exactly k labels for which an activation was found. Margins (10 %: the tenth
percentile) are those that `sigfft.argmaxability.of_heads.admm.widen` reaches, so lower bounds up to float32 rounding; a
negative one belongs to a set that was not found.
"""

import argparse
import itertools
import math
from collections.abc import Iterator

import jax
import numpy as np
from results import explained, table, write_section

import sigfft
from sigfft import spectrum
from sigfft.argmaxability.of_heads import admm
from sigfft.argmaxability.theory.sampling import random_sets

SETTINGS = ((5000, 1, 8), (5000, 1, 24), (2000, 10, 40), (4001, 10, 40), (8921, 50, 150))


def choices(n_fft: int, k: int, spread: int) -> dict[str, np.ndarray]:
    """Spread frequencies by name of the method."""
    room = (n_fft - 1) // 2 - k
    prime = next(p for p in range(room, 1, -1) if _is_prime(p))
    root = _primitive_root(prime)
    seeded = np.random.default_rng(0).choice(room, spread, replace=False) + k + 1
    chosen = {
        "consecutive": np.arange(k + 1, k + spread + 1),
        "one seeded draw": np.sort(seeded),
        "best of 64 draws (used)": np.array(spectrum.spread_frequencies(n_fft, k, spread)),
        "exchange search": _exchange(n_fft, k, spread),
        "squares": _first((i * i % prime for i in itertools.count(1)), k, spread),
        "cubes": _first((i**3 % prime for i in itertools.count(1)), k, spread),
        "powers of a primitive root": _first((pow(root, i, prime) for i in itertools.count(1)), k, spread),
        "Sidon set": _sidon(room, k, spread),
    }
    return {name: f for name, f in chosen.items() if len(f) == spread}


def margins(n_fft: int, k: int, frequencies: np.ndarray, n_sets: int) -> np.ndarray:
    """Margins of random k-sets with these spread frequencies."""
    # a class of its own: heads of one class with equal arguments are equal, and compiled once
    frequencies = np.concatenate([spectrum.low_frequencies(k), frequencies])
    chosen = type("Chosen", (sigfft.heads.DFTHead,), {"frequencies": frequencies})
    head = chosen(n_fft, k, feature_dim=1, spread=len(frequencies) - k, n_fft=n_fft)
    params = jax.jit(head.init)(jax.random.key(0))
    return admm.widen(head, params, random_sets(n_fft, k, n_sets, seed=0), widen_steps=300)[1]


def main() -> None:
    """Compare, print, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=50, help="random label sets of each setting")
    args = parser.parse_args()
    rows: list[list[object]] = []
    for n_fft, k, spread in SETTINGS:
        for name, frequencies in choices(n_fft, k, spread).items():
            worst = spectrum.sidelobe(np.concatenate([spectrum.low_frequencies(k), frequencies]), n_fft)
            margin = margins(n_fft, k, frequencies, args.sets)
            low, middle = np.quantile(margin, [0.1, 0.5])
            found = f"{(margin > 0).sum()} of {len(margin)}"
            rows.append([n_fft, k, spread, name, f"{worst:.3f}", found, f"{low:.2e}", f"{middle:.2e}"])
            print(*rows[-1], flush=True)
    header = ["n", "k", "spread", "choice", "worst correlation", "sets found", "margin, 10 %", "margin, median"]
    write_section("Choice of spread frequencies", explained(__doc__), table(header, rows))


def _first(sequence: Iterator[int], k: int, count: int) -> np.ndarray:
    """The first `count` distinct members of a sequence of whole numbers from 0, above k; fewer if it repeats."""
    seen = dict.fromkeys(itertools.islice(sequence, 20 * count))
    return np.sort(np.array(list(seen)[:count], int) + k + 1)


def _sidon(room: int, k: int, count: int) -> np.ndarray:
    """Numbers whose pairwise differences are all distinct, grown from a seeded order; fewer if it gets stuck."""
    chosen: list[int] = []
    differences: set[int] = set()
    for f in np.random.default_rng(0).permutation(room).tolist():
        new = {abs(f - other) for other in chosen}
        if len(new) == len(chosen) and not new & differences:
            chosen.append(f)
            differences |= new
        if len(chosen) == count:
            break
    return np.sort(np.array(chosen, int) + k + 1)


def _exchange(n_fft: int, k: int, count: int, attempts: int = 300) -> np.ndarray:
    """Single exchanges that lower the worst correlation, guided by the lags at which it is high."""
    random, low = np.random.default_rng(0), spectrum.low_frequencies(k)
    chosen = np.array(spectrum.spread_frequencies(n_fft, k, count))
    every = np.arange(k + 1, (n_fft - 1) // 2 + 1)
    worst = spectrum.sidelobe(np.concatenate([low, chosen]), n_fft)
    for _ in range(attempts):
        indicator = np.zeros(n_fft // 2 + 1)
        indicator[np.concatenate([low, chosen])] = 1
        correlation = np.fft.irfft(indicator, n_fft)[1:]
        peaks = np.concatenate([[0.0], np.exp((correlation - correlation.max()) / (0.05 * correlation.std()))])
        blame = np.fft.rfft(peaks).real
        drop = random.choice(chosen[np.argsort(-blame[chosen])][:5])
        unused = np.setdiff1d(every, chosen)
        add = random.choice(unused[np.argsort(blame[unused])][:20])
        candidate = np.sort(np.append(chosen[chosen != drop], add))
        level = spectrum.sidelobe(np.concatenate([low, candidate]), n_fft)
        if level < worst:
            chosen, worst = candidate, level
    return chosen


def _is_prime(p: int) -> bool:
    return p > 1 and all(p % q for q in range(2, math.isqrt(p) + 1))


def _primitive_root(prime: int) -> int:
    factors = [q for q in range(2, prime) if (prime - 1) % q == 0 and _is_prime(q)]
    return next(g for g in range(2, prime) if all(pow(g, (prime - 1) // q, prime) != 1 for q in factors))


if __name__ == "__main__":
    main()
