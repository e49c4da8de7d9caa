"""Does the guarantee survive floating point? Random label sets, by spread, in the forward pass of each dtype.

    python benchmarks/bench_guarantee.py                  # about 20 minutes on 2 cores
    python benchmarks/bench_guarantee.py --data FOLDER    # also the test label sets of real data, a folder each

Numbers of label sets; random ones have exactly k labels. ideal: by the closed form, in real numbers. stored: with an
activation that is proved exactly on the float32 rows. float32, bfloat16, float16: that an activation cast to the
dtype yields exactly in the jitted, batched `head.decode`; the share's 95 % interval is Clopper and Pearson's.
Activations are searched by operator splitting; in small layers and without spread by the checker's slower and more
thorough stages too, which would find more in large layers. The heads have no learned column, so training does not
change a number here; what features reach, which is a question of the projection, is in `bench_parameters.py`.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from results import RESULTS, explained, table, write_section

import sigfft
from sigfft import figures, labels
from sigfft.argmaxability.of_heads import forward, head_report, streamed
from sigfft.argmaxability.theory.sampling import clopper_pearson, random_sets
from sigfft.files.label_sets import load_label_sets

# n, k, spread and number of random sets of exactly k labels; few where nothing is expected to be found
RANDOM = (
    (2_000, 10, 0, 100),
    *((2_000, 10, spread, 200) for spread in (10, 15, 20, 25, 30)),
    (2_000, 10, 40, 1000),
    (8_921, 80, 0, 10),
    *((8_921, 80, spread, count) for spread, count in ((100, 50), (125, 100), (150, 200), (200, 1000))),
    (20_000, 50, 0, 10),
    *((20_000, 50, spread, count) for spread, count in ((100, 50), (125, 100), (150, 200), (200, 1000))),
    (100_000, 1, 0, 100),
    *((100_000, 1, spread, count) for spread, count in ((2, 100), (4, 100), (8, 200), (16, 1000))),
    (1_000_000, 10, 150, 8),  # W is made on the fly, as in every check beyond 2^28 entries
)
THOROUGH = 1_000_000  # weights up to which sets that are left get the slower search
DATA = (("delicious", 25, 100), ("tate", 50, 200), ("tibkat_en", 34, 150))
NAMES = {"ideal": "ideal (real numbers)", "stored": "stored (float32 rows, proved)"}
NAMES |= {dtype: f"forward pass, {dtype}" for dtype in forward.DTYPES}
HEADER = ("label sets", "n", "k", "spread", "d", "sets", "ideal", "stored", *forward.DTYPES, "float32 share, 95 %", "s")


def measure(name: str, n_labels: int, k: int, spread: int, padded: np.ndarray) -> list[Any]:
    """One line of the table."""
    begun = time.perf_counter()
    head = sigfft.dft_head(n_labels, k, feature_dim=1, spread=spread, n_fft=n_labels)
    params = jax.jit(head.init)(jax.random.key(0))
    if spread:
        z = forward.proposed(head, params, padded)
        left = np.flatnonzero(np.isnan(z).any(axis=1))
        if len(left) and n_labels * head.dim <= THOROUGH:
            z[left] = forward.search_rows(head, params, padded[left], "threshold")
    elif k > 10:
        z = forward.search_rows(head, params, padded, "threshold")
    else:
        witnesses = sigfft.check_head(head, params, padded).witness
        z = np.stack([np.full(head.dim, np.nan) if w is None else w for w in witnesses])
    found = np.flatnonzero(np.isfinite(z).all(axis=1))
    stored = int(streamed.prove(head, params, padded[found], z[found])[0].sum())
    ideal = int((head_report.ideal(head, padded) == "argmaxable").sum())
    deployed = [int(forward.reproduced(head, params, z, padded, dtype=dtype).sum()) for dtype in forward.DTYPES]
    interval = "[{:.4f}, {:.4f}]".format(*clopper_pearson(deployed[0], len(padded)))
    seconds = f"{time.perf_counter() - begun:.0f}"
    return [name, n_labels, k, spread, head.dim, len(padded), ideal, stored, *deployed, interval, seconds]


def data_sets(folder: Path) -> Iterator[tuple[str, int, int, int, np.ndarray]]:
    """Name, n, k, spread and all distinct test label sets of at most k labels."""
    for name, k, spread in DATA:
        sets, n_labels = load_label_sets(folder / name / "test.txt.gz")
        if n_labels is None:
            raise ValueError(f"{folder / name / 'test.txt.gz'} is not an XMC file: its header names no label count")
        padded = labels.dedupe(labels.pad([s for s in sets if len(s) <= k], n_labels))[0]
        yield f"{name}, test", n_labels, k, spread, padded


def panels(rows: list[list[Any]]) -> list[figures.Panel]:
    """The shares of the random sets against spread: a panel for each question, a line for each n and k."""
    records = [dict(zip(HEADER, row, strict=True)) for row in rows]
    drawn = [record for record in records if record["label sets"] == "random" and record["n"] < 1_000_000]

    def lines(name: str) -> dict[str, list[tuple[float, ...]]]:
        points: dict[str, list[tuple[float, ...]]] = {}
        for record in drawn:
            setting = f"n = {record['n']:,}, k = {record['k']}"
            points.setdefault(setting, []).append((record["spread"], record[name] / record["sets"]))
        return points

    share = "share of random k-label sets output exactly"
    return [
        figures.Panel(title, "spread, frequencies", share, lines(name), log="", bottom=-0.05)
        for name, title in NAMES.items()
    ]


def main() -> None:
    """Measure, print, and write the section and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of data sets, a folder each: also their test label sets")
    parser.add_argument("--n", nargs="+", type=int, help="only these n, and nothing is written")
    args = parser.parse_args()
    lines = [
        ("random", n, k, spread, random_sets(n, k, count, seed=0))
        for n, k, spread, count in RANDOM
        if args.n is None or n in args.n
    ]
    rows = []
    print(*HEADER, sep="\t")
    for line in [*lines, *(data_sets(args.data) if args.data else ())]:
        rows.append(measure(*line))
        print(*rows[-1], sep="\t", flush=True)
    peak = f"Peak memory of the whole: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f} MB."
    print(peak)
    if args.n is None:
        figures.save(figures.lines(panels(rows), sharey=True), RESULTS.with_name("guarantee.png"))
        text = f"{table(HEADER, rows)}\n\n{peak}\n\n![Shares of random label sets against spread](guarantee.png)"
        write_section("Guarantee in floating point", explained(__doc__), text)


if __name__ == "__main__":
    main()
