"""The published layers in PyTorch, written straight from the paper: the reference that the benchmarks compare with.

A complex spectrum of length n, zero but at the layer's frequencies; an inverse FFT of which the real part is kept; a
dense multi-hot target. The bottleneck is two linear layers.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class DFTLayer(nn.Module):
    """Features to logits through a complex inverse FFT; `slack` learned columns beside it."""

    def __init__(self, feature_dim: int, n_labels: int, frequencies: np.ndarray, slack: int):
        super().__init__()
        self.n_labels = n_labels
        self.pairs = len(frequencies)
        self.register_buffer("frequencies", torch.from_numpy(np.asarray(frequencies, np.int64)))
        self.projection = nn.Linear(feature_dim, 1 + 2 * self.pairs + slack)
        self.slack = nn.Parameter(torch.randn(n_labels, slack) / n_labels**0.5) if slack else None

    def forward(self, features):
        z = self.projection(features)
        real, imaginary = z[:, 1 : 1 + self.pairs], z[:, 1 + self.pairs : 1 + 2 * self.pairs]
        spectrum = torch.zeros(len(z), self.n_labels, dtype=torch.complex64, device=z.device)
        spectrum[:, 0] = torch.complex(z[:, 0], torch.zeros_like(z[:, 0]))
        spectrum[:, self.frequencies] = torch.complex(real, imaginary)
        logits = torch.fft.ifft(spectrum, n=self.n_labels, norm="ortho").real
        return logits if self.slack is None else logits + z[:, 1 + 2 * self.pairs :] @ self.slack.T


def bottleneck(feature_dim: int, n_labels: int, dim: int) -> nn.Module:
    """Two linear layers."""
    return nn.Sequential(nn.Linear(feature_dim, dim), nn.Linear(dim, n_labels, bias=False))


def train_step(layer: nn.Module, features: np.ndarray, labels: np.ndarray, n_labels: int):
    """A function that takes one whole step: multi-hot targets, loss, backward, Adam; it waits for the device."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layer = layer.to(device)
    optimizer = torch.optim.Adam(layer.parameters(), 1e-3)
    x, ids = torch.from_numpy(features).to(device), torch.from_numpy(labels.astype(np.int64)).to(device)

    def step() -> float:
        optimizer.zero_grad()
        targets = torch.zeros(len(x), n_labels, device=device).scatter_(1, ids, 1.0)
        loss = F.binary_cross_entropy_with_logits(layer(x), targets, reduction="none").sum(1).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
