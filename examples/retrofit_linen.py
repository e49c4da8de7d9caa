"""A trained Linen classifier on stored embeddings cannot output most label sets: retrofitted, it can.

python examples/retrofit_linen.py
"""

import jax
import numpy as np
import optax

import sigfft
import sigfft.linen

N, K, EMBEDDING = 200, 3, 32
rng = np.random.default_rng(0)
embeddings = rng.standard_normal((512, EMBEDDING)).astype(np.float32)  # of another model, computed once
labels = sigfft.labels.pad([rng.choice(N, rng.integers(1, K + 1), replace=False) for _ in embeddings], N, K)


def fit(model, params, loss, steps=200, optimizer=optax.adam(1e-2)):
    state = optimizer.init(params)

    @jax.jit
    def step(params, state):
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state, value

    for _ in range(steps):
        params, state, value = step(params, state)
    print(
        f"loss {float(value):.2f}, P@1 {np.mean((model.apply({'params': params}, embeddings).argmax(1)[:, None] == labels).any(1)):.2f}"
    )
    return params
