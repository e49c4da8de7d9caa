"""What a label order from co-occurrence buys: sign changes of real label sets, and margins, before and after.

    python benchmarks/bench_order.py --data FOLDER    # a folder for each data set; some minutes

Orders are learned on the training sets. changes: mean sign changes of a label set around the circle of labels; a set
of at most 2k changes (within 2k) is argmaxable in the ideal matrix with frequencies 0..k, whatever its cardinality.
Margins (10 %: the tenth percentile) are of test label sets of 2 to k labels, with spread, as `admm.widen`
reaches them.
"""

import argparse
import time
from pathlib import Path

import jax
import numpy as np
from results import explained, table, write_section

import sigfft
from sigfft import labels
from sigfft.argmaxability.of_heads import admm
from sigfft.argmaxability.theory import cyclic
from sigfft.files.label_sets import load_label_sets

SETTINGS = (("delicious", 10, 60), ("tate", 10, 60), ("tibkat_en", 5, 40))  # name, k and spread
HEADER = (
    "data", "order", "seconds", "changes, train", "changes, test", "within 2k, test", "sets", "margin found",
    "margin, 10 %", "margin, median",
)  # fmt: skip


def measure(name: str, k: int, spread: int, folder: Path, count: int) -> list[list[object]]:
    """The lines of one data set: the order given, and that of `label_order`."""
    train, n = load_label_sets(folder / name / "train.txt.gz")
    test, _ = load_label_sets(folder / name / "test.txt.gz")
    if n is None:
        raise ValueError(f"{folder / name} is not in the XMC format: its header names no label count")
    short = labels.dedupe(labels.pad([s for s in test if 2 <= len(s) <= k], n))[0]
    short = short[np.random.default_rng(0).permutation(len(short))[:count]]
    lines = []
    for method in ("as given", "chains"):
        begun = time.perf_counter()
        order = np.arange(n) if method == "as given" else sigfft.label_order(train, n)
        seconds = time.perf_counter() - begun
        on_train, on_test = (cyclic.sign_changes(_moved(sets, n, order), n) for sets in (train, test))
        head = sigfft.dft_head(n, k, feature_dim=1, spread=spread, n_fft=n, order=order)
        margin = admm.widen(head, jax.jit(head.init)(jax.random.key(0)), short)[1]
        low, middle = np.quantile(margin, [0.1, 0.5])
        changes = [f"{on_train.mean():.2f}", f"{on_test.mean():.2f}", f"{(on_test <= 2 * k).mean():.1%}"]
        found = f"{(margin > 0).sum()} of {len(margin)}"
        setting = f"{name}, k = {k}, spread {spread}"
        lines.append([setting, method, f"{seconds:.1f}", *changes, len(test), found, f"{low:.2e}", f"{middle:.2e}"])
        print(*lines[-1], sep="\t", flush=True)
    return lines


def _moved(sets: list[list[int]], n_labels: int, order: np.ndarray) -> np.ndarray:
    padded = labels.pad(sets, n_labels)
    return np.sort(np.append(order, n_labels)[padded], axis=1)


def main() -> None:
    """Measure, print, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=100, help="test label sets whose margins are measured")
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets, a folder each")
    args = parser.parse_args()
    lines = [line for setting in SETTINGS for line in measure(*setting, args.data, args.sets)]
    write_section("Label order", explained(__doc__), table(HEADER, lines))


if __name__ == "__main__":
    main()
