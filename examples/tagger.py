"""A tagger with Flax NNX on all devices: one explicit mesh, examples over "data", rows of labels over "model".

python examples/tagger.py
"""

import jax
import numpy as np
import optax
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

import sigfft
import sigfft.nnx

N, K, BATCH = 128, 4, 64
mesh = jax.make_mesh((len(jax.devices()) // 2 or 1, min(2, len(jax.devices()))), ("data", "model"))
head = sigfft.dft_head(N, K, feature_dim=64, spread=8, slack=16, centred=True)
rng, centres = np.random.default_rng(0), np.random.default_rng(1).standard_normal((N, 32)).astype(np.float32)


@nnx.jit
def step(model, optimizer, inputs, labels):
    loss, grads = nnx.value_and_grad(lambda m: sigfft.losses.bce(head, m[1].params(), m[0](inputs), labels, 32))(model)
    optimizer.update(model, grads)
    return loss


with jax.set_mesh(mesh):
    rngs = nnx.Rngs(0)
    model = nnx.List([nnx.Linear(32, 64, rngs=rngs), sigfft.nnx.OutputHead(head, label_axis="model", rngs=rngs)])
    optimizer = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)
    for i in range(301):
        labels = sigfft.labels.pad([rng.choice(N, rng.integers(1, K + 1), replace=False) for _ in range(BATCH)], N, K)
        inputs = np.concatenate([centres, np.zeros((1, 32), np.float32)])[labels].sum(1)
        batch = jax.device_put((inputs, labels), NamedSharding(mesh, PartitionSpec("data")))
        loss = step(model, optimizer, *batch)
        if i % 100 == 0:
            print(f"step {i}: loss {float(loss):.3f}, slack on {model[1].slack[...].sharding.spec}")
    top = sigfft.inference.top_k(head, model[1].params(), model[0](batch[0]), 1).labels
    print(f"P@1 {np.mean((np.asarray(top) == labels).any(1)):.2f}")
