"""Layers whose label sets are known: labels of a circle are on together if they are up to four in a row."""

import jax
import numpy as np

import sigfft

NAMES = ["sea", "lake", "<img src=x onerror=alert(1)>", "\"quoted\" & 'so'", "salt lake", "river"]
ANGLES = np.arange(6) * 2 * np.pi / 7  # a heptagon but for one corner: no two are opposite
CIRCLE = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
BIAS = np.full(6, -0.5)


def head_and_params():
    head = sigfft.dft_head(n_labels=20, max_cardinality=2, feature_dim=16, spread=3)
    return head, head.init(jax.random.key(0))
