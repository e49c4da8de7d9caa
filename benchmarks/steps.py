"""What the speed benchmarks share: a batch, a whole train step, and interleaved timing."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

import sigfft

BATCH, FEATURE_DIM, ACTIVE = 256, 768, 20
BLOCK_SIZE = 1000 if jax.default_backend() == "cpu" else 16384


def batch(n_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (256, 768) and 20 active labels an example."""
    rng = np.random.default_rng(0)
    labels = np.sort(np.stack([rng.choice(n_labels, ACTIVE, replace=False) for _ in range(BATCH)]), axis=1)
    return rng.standard_normal((BATCH, FEATURE_DIM), np.float32), labels.astype(np.int32)


def train_step(head: sigfft.Head, block_size: int | None, dtype=jnp.float32):
    """A function that takes one whole step (forward, backward, Adam) and waits; its program; seconds to compile it."""
    features, labels = map(jnp.asarray, batch(head.n_labels))
    features = features.astype(dtype)
    optimizer = optax.adam(1e-3)

    def update(params, state, features, labels):
        loss, gradient = jax.value_and_grad(
            lambda params: sigfft.losses.bce(head, params, features, labels, block_size)
        )(params)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, loss

    params = jax.jit(head.init)(jax.random.key(0))
    carried = [params, jax.jit(optimizer.init)(params)]
    lowered = jax.jit(update, donate_argnums=(0, 1)).lower(*carried, features, labels)
    begun = time.perf_counter()
    program = lowered.compile()
    seconds = time.perf_counter() - begun

    def step() -> float:
        *carried[:], loss = program(*carried, features, labels)
        return float(loss)

    return step, program, seconds


def interleaved(steps: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each function in each round, A B C A B C; two rounds before are not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for i in range(rounds + 2):
        for name, step in steps.items():
            begun = time.perf_counter()
            step()
            if i >= 2:
                seconds[name].append(time.perf_counter() - begun)
    return {name: np.array(values) for name, values in seconds.items()}
