"""A Linen classifier on stored embeddings that cannot output most label sets; retrofitted, it can.

python examples/retrofit.py
"""

import flax.linen as nn
import jax
import numpy as np
import optax

import sigfft
import sigfft.linen

N, K, WIDTH, EXTRA = 200, 3, 6, 32  # labels, of an example, of an embedding, and features added for the guarantee
rng = np.random.default_rng(0)
labels = sigfft.labels.pad([rng.choice(N, rng.integers(1, K + 1), replace=False) for _ in range(300)], N, K)
embeddings = rng.standard_normal((300, WIDTH)).astype(np.float32)  # of another model, computed once


def fit(model, params, loss_of, steps):
    optimizer = optax.adam(1e-2)

    @jax.jit
    def step(_, carry):
        grads = jax.grad(lambda p: loss_of(model.apply({"params": p}, embeddings), labels))(carry[0])
        updates, state = optimizer.update(grads, carry[1])
        return optax.apply_updates(carry[0], updates), state

    return jax.lax.fori_loop(0, steps, step, (params, optimizer.init(params)))[0]


dense = nn.Dense(N)
old = fit(dense, dense.init(jax.random.key(0), embeddings)["params"], sigfft.losses.bce_with_logits, 200)
print("trained:", sigfft.check(old["kernel"], labels, old["bias"], transposed=True).counts())

head, params = sigfft.retrofit(np.asarray(old["kernel"]).T, np.asarray(old["bias"]), K, spread=12, extra_features=EXTRA)
model = nn.Sequential([lambda x: jax.numpy.pad(x, ((0, 0), (0, EXTRA))), sigfft.linen.OutputHead(head)])
assert np.allclose(model.apply({"params": {"layers_1": params}}, embeddings), dense.apply({"params": old}, embeddings))
print("retrofitted:", sigfft.check_head(head, params, labels).counts())
