"""What the fixed columns of a DFT head say of how frequent labels are.

    python benchmarks/bench_priors.py --data FOLDER    # a folder for each data set; half a minute

share: of the variance of labels' log-odds in the training split, what the DC term, the frequencies up to k and the
spread can express by one z for all examples, by least squares. It is what a head without slack has in place of a bias
per label; with `label_priors` it is all, by one column more.
"""

import argparse
from pathlib import Path

import numpy as np
from results import explained, table, write_section

import sigfft
from sigfft.files.label_sets import load_label_sets

SETTINGS = {"delicious": 25, "tate": 55, "tibkat_en": 34}  # k of the sweeps
SPREADS = (25, 50, 100, 200, 400)
HEADER = ("data", "k", "labels", *(f"spread {spread}" for spread in SPREADS))


def measure(name: str, k: int, folder: Path) -> list[object]:
    """The line of one data set."""
    sets, n_labels = load_label_sets(folder / name / "train.txt.gz")
    if n_labels is None:
        raise ValueError(f"{folder / name} is not in the XMC format: its header names no label count")
    log_odds = sigfft.label_priors(sets, n_labels).astype(np.float64)
    line: list[object] = [name, k, f"{n_labels:,}"]
    for spread in SPREADS:
        head = sigfft.dft_head(n_labels, k, feature_dim=1, spread=spread)
        rows = np.asarray(head.known_rows(np.arange(n_labels)), np.float64)
        said = rows @ np.linalg.lstsq(rows, log_odds)[0]
        line.append(f"{100 * (1 - np.var(log_odds - said) / np.var(log_odds)):.0f} %")
    print(*line, sep="\t", flush=True)
    return line


def main() -> None:
    """Measure, print, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets, a folder each")
    folder = parser.parse_args().data
    lines = [measure(name, k, folder) for name, k in SETTINGS.items()]
    write_section("Priors of labels", explained(__doc__), table(HEADER, lines))


if __name__ == "__main__":
    main()
