"""Layers whose label sets are known: neighbours on a circle are on together, opposite ones never."""

import jax
import numpy as np

import sigfft

NAMES = ["sea", "lake", "<img src=x onerror=alert(1)>", "\"quoted\" & 'so'", "salt lake", "river"]
ANGLES = np.linspace(0, 2 * np.pi, 6, endpoint=False) + 0.1
CIRCLE = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])  # argmaxable: three labels in a row


def head_and_params():
    head = sigfft.dft_head(n_labels=20, max_cardinality=2, feature_dim=16, spread=3)
    return head, head.init(jax.random.key(0))
