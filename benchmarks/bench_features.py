"""Which label sets can the features of a trained model reach? Samples of test sets and of random sets of k labels.

    python benchmarks/bench_features.py --data FOLDER [--workdir runs/parameters]    # after bench_parameters.py

Numbers of label sets of tate that some feature vector yields, of the layer that the features see
(`sigfft.feature_layer`): 40 distinct test sets, evenly spaced, and 8 random sets of exactly k = 55 labels. d: the
dimensions of z, which in real arithmetic has a value for each of these sets.
"""

import argparse
from pathlib import Path

import numpy as np
from results import explained, table, write_section

import sigfft
from sigfft import labels
from sigfft.argmaxability.theory.sampling import random_sets
from sigfft.files.label_sets import load_label_sets
from sigfft.training import load_model

HEADER = ("head", "d", "features", "test sets reached", "random sets reached", "undecided")


def measure(run: Path, sets: labels.LabelSets, n_labels: int) -> list[object]:
    """The line of one run's head."""
    model, params = load_model(run)
    head = model.head
    weight, bias = sigfft.feature_layer(head, params["head"])
    distinct, _, _ = labels.dedupe(labels.pad(sets, n_labels))
    picked = distinct[np.linspace(0, len(distinct) - 1, 40).astype(int)]
    drawn = random_sets(n_labels, head.max_cardinality, 8, seed=0)
    counts = [sigfft.check(weight, chosen, bias).counts() for chosen in (picked, drawn)]
    reached = [f"{c['argmaxable']} of {c['checked']}" for c in counts]
    return [head.name, head.dim, head.feature_dim, *reached, sum(c["undecided"] for c in counts)]


def main() -> None:
    """Measure, print, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets, a folder each")
    parser.add_argument("--workdir", type=Path, default=Path("runs/parameters"))
    args = parser.parse_args()
    sets, n_labels = load_label_sets(args.data / "tate" / "test.txt.gz")
    if n_labels is None:
        raise ValueError(f"{args.data / 'tate'} is not in the XMC format: its header names no label count")
    runs = [args.workdir / "tate" / f"spread_{spread}_seed0" for spread in (100, 200, 400)]
    rows = [measure(run, sets, n_labels) for run in runs]
    print(table(HEADER, rows))
    write_section("What features reach", explained(__doc__), table(HEADER, rows))


if __name__ == "__main__":
    main()
