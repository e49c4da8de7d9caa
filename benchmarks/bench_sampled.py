"""A loss with drawn inactive labels against that of all labels, for a million labels.

    python benchmarks/bench_sampled.py         # about 3 minutes on 2 cores

A batch of 64 with 5 labels each, 64 features, heads at their start. Seconds of a gradient of binary cross-entropy with
respect to all parameters and the features, median of 3 (all labels) or 9 (drawn), compiled before. Variance: of the
features' gradient over 20 draws, E‖g − ḡ‖² / ‖ḡ‖², ḡ the gradient of all labels.
"""

import time

import jax
import numpy as np
from results import explained, table, write_section

import sigfft

N, BATCH, FEATURES, DRAWN = 1_000_000, 64, 64, (1_000, 10_000)
HEADS = {
    "dft, spread 50": lambda: sigfft.dft_head(N, 20, feature_dim=FEATURES, spread=50),
    "bottleneck d=50": lambda: sigfft.bottleneck_head(N, 50, feature_dim=FEATURES),
    "sigmoid": lambda: sigfft.sigmoid_head(N, feature_dim=FEATURES),
}


def seconds(function, *args, repeats):
    """Median wall clock of calls after the first, and the last result."""
    result = jax.block_until_ready(function(*args))
    spent = []
    for _ in range(repeats):
        begun = time.perf_counter()
        result = jax.block_until_ready(function(*args))
        spent.append(time.perf_counter() - begun)
    return float(np.median(spent)), result


def measure(name: str) -> list[str]:
    """One line of the table."""
    head = HEADS[name]()
    params = jax.jit(head.init)(jax.random.key(0))
    rng = np.random.default_rng(0)
    features = rng.standard_normal((BATCH, FEATURES), np.float32)
    labels = sigfft.labels.pad([np.unique(rng.choice(N, 5)) for _ in range(BATCH)], N)
    bce = sigfft.losses.binary_cross_entropy()
    every = jax.jit(jax.grad(lambda p, x: sigfft.losses.of_head(bce, head, p, x, labels, 2000), (0, 1)))
    whole, (_, exact) = seconds(every, params, features, repeats=3)
    cells = [name, f"{whole:.2f}"]
    for count in DRAWN:
        draw = jax.jit(
            jax.grad(lambda p, x, k, m=count: sigfft.losses.of_sampled(bce, head, p, x, labels, k, m), (0, 1))
        )
        spent, _ = seconds(draw, params, features, jax.random.key(0), repeats=9)
        gradients = [draw(params, features, jax.random.key(i))[1] for i in range(1, 21)]
        variance = np.mean([np.sum((g - exact) ** 2) for g in gradients]) / np.sum(exact**2)
        cells += [f"{spent:.3f}", f"{variance:.1e}"]
    return cells


def main() -> None:
    """Measures each head and writes the table."""
    header = ["head", "all labels s", *(f"{count:,} drawn{what}" for count in DRAWN for what in (" s", ", variance"))]
    text = table(header, [measure(name) for name in HEADS])
    print(text)
    write_section("Drawn inactive labels", explained(__doc__), text)


if __name__ == "__main__":
    main()
