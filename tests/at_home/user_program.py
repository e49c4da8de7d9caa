"""A program as users write it, with NumPy arrays: `mypy --strict` and pyright find nothing in it, and it runs."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

import sigfft

NAMES = [f"topic {i}" for i in range(12)]
rng = np.random.default_rng(0)


def trained_layer() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The weight and bias of another framework's layer, and its label sets as a padded array."""
    return rng.normal(size=(12, 3)).astype(np.float32), rng.normal(size=12).astype(np.float32)


def scores(head: sigfft.Head, features: npt.NDArray[np.float32], labels: npt.NDArray[np.int32]) -> dict[str, float]:
    """The loss and metrics of a head at its start."""
    params = head.init(jax.random.key(0))
    loss = sigfft.losses.bce(head, params, features, labels)
    metrics = sigfft.metrics.make_metrics(head.n_labels, ks=(1, 3))
    state = metrics.update(metrics.init(), head.logits(params, features), labels, np.ones(len(labels), bool))
    return metrics.compute(state) | {"loss": float(loss)}


def checked(folder: Path) -> list[dict[str, Any]]:
    """Verdicts on a layer, and on its kernel as Flax stores it; each is verified."""
    weight, bias = trained_layer()
    np.savez(folder / "layer.npz", kernel=weight.T, bias=bias)
    stored, offset = sigfft.load_weights(folder / "layer.npz", transposed=True)
    sets = sigfft.labels.pad([[1], [2, 5], [0, 3, 7]], n_labels=len(stored))
    report: sigfft.Report = sigfft.check(stored, sets, offset, batch_size=np.int64(2), domain=(np.float32(-1), None))
    report.save(folder / "verdicts.jsonl")
    counts = sigfft.verify(folder / "verdicts.jsonl", weight.T, bias, sets, transposed=True)
    ranked = sigfft.check(weight.T, [np.array([4]), np.array([6])], rule="argmax", transposed=True)
    assert (sum(counts.values()), len(ranked)) == (len(report), 2)
    proofs: list[sigfft.Certificate] = [proof for proof in report.certificate if proof is not None]
    try:
        sigfft.verify(folder / "verdicts.jsonl", weight, None)
    except sigfft.VerificationError as error:
        print(len(proofs), error)
    print(sigfft.explain(weight, sets[2], bias).named(NAMES), sigfft.nearest(weight, [0, 3, 7], bias, "top_k").flips)
    print(*sigfft.coverage(weight, np.int64(2), bias, samples=np.int64(5)), sep="\n")
    return report.named(NAMES).to_dicts()


def promised(labels: npt.NDArray[np.int32]) -> sigfft.Head:
    """A head whose guarantee was planned, is checked, and holds for its features or not."""
    plan = sigfft.plan(np.int64(12), np.int64(2), "bfloat16", samples=np.int64(20), share=0.5, feature_dim=16)
    head = sigfft.dft_head(12, 2, feature_dim=16, spread=0 if plan.chosen is None else plan.chosen.spread)
    params = head.init(jax.random.key(0))
    print(plan, sigfft.reach(head, params, domain="nonnegative").status)
    print(sigfft.check_head(head, params, labels, "threshold", domain="nonnegative", dtype="bfloat16").truths())
    return head


def main(folder: Path) -> None:
    """Plan a head, look at its scores, and check the layer that is there."""
    features = rng.normal(size=(4, 16)).astype(np.float32)
    labels = sigfft.labels.pad([[1], [2, 5], [0, 7], []], n_labels=12)
    print(scores(promised(labels), features, labels), checked(folder))
