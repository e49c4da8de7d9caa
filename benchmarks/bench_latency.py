"""Latency and memory of a top-10 answer from an export, for one example and for a batch of 64.

    python benchmarks/bench_latency.py         # about 3 minutes on 2 cores

512 features, float32, `Served.top_k` of a file that was reloaded: from a NumPy array to NumPy arrays, what the padding
and the copies take included. Every line is a process of its own that only loads and answers; load: reading the file;
first: the first answer, with compilation; p50 and p99: of the calls after it, for 5 seconds and at least 20 of them;
peak: of the process, of which Python and its imports are the line "imports". DFT head: k = 50, spread 200.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

FEATURE_DIM, SECONDS, LEAST = 512, 5.0, 20
CASES = [("dft", 20_000), ("bottleneck", 20_000), ("sigmoid", 20_000), ("dft", 1_000_000), ("bottleneck", 1_000_000)]
BATCHES = (1, 64)


def save(kind: str, n_labels: int, path: Path) -> None:
    """A head as it starts, without an encoder."""
    import jax

    import sigfft

    head = {
        "dft": lambda: sigfft.dft_head(n_labels, 50, feature_dim=FEATURE_DIM, spread=200),
        "bottleneck": lambda: sigfft.bottleneck_head(n_labels, 100, feature_dim=FEATURE_DIM),
        "sigmoid": lambda: sigfft.sigmoid_head(n_labels, feature_dim=FEATURE_DIM),
    }[kind]()
    params = {"head": jax.jit(head.init)(jax.random.key(0))}
    sigfft.serving.save(path, None, head, params, np.zeros((1, FEATURE_DIM), np.float32))


def measure(path: Path | None, batch: int) -> dict[str, float]:
    """Seconds to load, of the first answer and of the others (p50, p99), and peak memory: of this process."""
    import sigfft.serving

    result: dict[str, float] = {}
    if path is not None:
        begun = time.perf_counter()
        served = sigfft.serving.load(path)
        result["load"] = time.perf_counter() - begun
        inputs = np.random.default_rng(0).standard_normal((batch, FEATURE_DIM), np.float32)
        seconds: list[float] = []
        while sum(seconds[1:]) < SECONDS or len(seconds) <= LEAST:
            begun = time.perf_counter()
            served.top_k(inputs)
            seconds.append(time.perf_counter() - begun)
        p50, p99 = np.percentile(seconds[1:], [50, 99])
        result |= {"first": seconds[0], "p50": p50, "p99": p99, "calls": len(seconds) - 1}
    return result | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}


def main() -> None:
    """Export each head, measure each batch size in its own process, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", nargs=3, metavar=("KIND", "N", "FILE"), help="export one head, in this process")
    parser.add_argument("--measure", nargs="+", metavar="BATCH FILE", help="one line, in this process, as JSON")
    args = parser.parse_args()
    if args.save:
        kind, n_labels, path = args.save
        save(kind, int(n_labels), Path(path))
    elif args.measure:
        batch, *paths = args.measure
        print(json.dumps(measure(Path(paths[0]) if paths else None, int(batch))))
    else:
        _write_table()


def _write_table() -> None:
    from results import explained, table, write_section

    rows = [["imports", *["–"] * 8, f"{_measured('0')['peak_mb']:.0f}"]]
    for kind, n_labels in CASES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.sigfft"
            subprocess.run([sys.executable, __file__, "--save", kind, str(n_labels), str(path)], check=True)
            for batch in BATCHES:
                r = _measured(str(batch), str(path))
                sizes = [f"{path.stat().st_size / 1e6:.1f}", f"{r['load']:.2f}", f"{r['first']:.2f}"]
                times = [f"{1e3 * r['p50']:.2f}", f"{1e3 * r['p99']:.2f}", f"{r['calls']:.0f}", f"{r['peak_mb']:.0f}"]
                rows.append([kind, f"{n_labels:,}", str(batch), *sizes, *times])
                print(*rows[-1], flush=True)
    header = ["head", "n", "batch", "file MB", "load s", "first s", "p50 ms", "p99 ms", "calls", "peak MB"]
    write_section("Latency of an export", explained(__doc__), table(header, rows))


def _measured(*arguments: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
