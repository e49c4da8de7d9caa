"""A small layer with a bias, and label sets of all sizes: random ones, and some that are reached."""

import numpy as np

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((12, 3)).astype(np.float32)
BIAS = RNG.standard_normal(12).astype(np.float32)
SETS = [sorted(RNG.choice(12, size, replace=False).tolist()) for size in (1, 2, 3, 4, 5, 6) for _ in range(6)]
SETS += [np.flatnonzero(WEIGHT @ z > 0).tolist() for z in RNG.standard_normal((6, 3))]
SETS += [np.flatnonzero(WEIGHT @ z + BIAS > 0).tolist() for z in RNG.standard_normal((6, 3))]
