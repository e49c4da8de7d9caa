"""Time, memory and compile time of a train step and a top-10 prediction, from 10^4 to 10^6 labels.

    python benchmarks/bench_scale.py           # about 5 minutes on 2 cores; needs torch: pip install sigfft[bench]

DFT head, k = 50, spread 200, batch 256, feature_dim 768, float32, blocks of 2,000 labels; every line is a process of
its own. temporary: memory that XLA plans for the compiled step; peak: of the process. Dense steps and the PyTorch
reference stop at 10^5 labels. On a GPU, bfloat16 is measured as well, and times stand beside the roofline: the longer
of FLOPs / measured matmul rate and bytes / measured copy bandwidth, where a block's logits and their slopes are each
written and read once.
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

SIZES = (10_000, 31_500, 100_000, 316_000, 1_000_000)
LARGEST = {"blocked": 1_000_000, "dense": 100_000, "PyTorch": 100_000}
FIGURE = Path(__file__).with_name("scale.png")


def measure(method: str, n_labels: int, dtype: str, rounds: int) -> dict[str, float]:
    """Seconds of a step and of a prediction (medians), seconds to compile, peak memory: of this process."""
    result = _measure_torch(n_labels, rounds) if method == "PyTorch" else _measure(method, n_labels, dtype, rounds)
    return result | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}


def _measure(method: str, n_labels: int, dtype: str, rounds: int) -> dict[str, float]:
    import jax
    import jax.numpy as jnp
    from steps import FEATURE_DIM, batch, interleaved, train_step

    import sigfft

    block_size = 2000 if jax.default_backend() == "cpu" else 16384
    head = sigfft.dft_head(n_labels, 50, feature_dim=FEATURE_DIM, spread=200)
    features = jnp.asarray(batch(n_labels)[0]).astype(dtype)
    step, program, compile_seconds = train_step(head, None if method == "dense" else block_size, features.dtype)
    params = jax.jit(head.init)(jax.random.key(0))
    top_of_all = jax.jit(lambda params, features: jax.lax.top_k(head.logits(params, features), 10))

    def predict():
        if method == "dense":
            return jax.block_until_ready(top_of_all(params, features))
        return jax.block_until_ready(sigfft.inference.top_k(head, params, features, 10, block_size=block_size))

    seconds = interleaved({"step": step, "predict": predict}, rounds)
    result = {name: float(np.median(values)) for name, values in seconds.items()}
    result |= {"compile": compile_seconds, "temp_mb": program.memory_analysis().temp_size_in_bytes / 1e6}
    if jax.default_backend() != "cpu":
        result["roofline"] = roofline(len(features), n_labels, head.dim, features.dtype)
    return result


def _measure_torch(n_labels: int, rounds: int) -> dict[str, float]:
    import torch_reference
    from steps import FEATURE_DIM, batch, interleaved

    from sigfft import spectrum

    frequencies = np.concatenate([spectrum.low_frequencies(50), spectrum.spread_frequencies(n_labels, 50, 200)])
    layer = torch_reference.DFTLayer(FEATURE_DIM, n_labels, frequencies, 0)
    step = torch_reference.train_step(layer, *batch(n_labels), n_labels)
    return {"step": float(np.median(interleaved({"step": step}, rounds)["step"]))}


def roofline(batch_size: int, n_labels: int, dim: int, dtype) -> float:
    """The least seconds of a step: two products of FLOPs 2·batch·n·dim, and 16 bytes of traffic a logit."""
    import jax
    import jax.numpy as jnp
    from steps import interleaved

    size = 8192
    square, long = jnp.ones((size, size), dtype), jnp.ones(1 << 28, jnp.float32)
    multiply = jax.jit(lambda x: x @ x)
    copy = jax.jit(lambda x: x + 1)
    seconds = interleaved(
        {
            "multiply": lambda: jax.block_until_ready(multiply(square)),
            "copy": lambda: jax.block_until_ready(copy(long)),
        },
        10,
    )
    flops_per_second = 2 * size**3 / np.median(seconds["multiply"])
    bytes_per_second = 2 * long.nbytes / np.median(seconds["copy"])
    return max(4 * batch_size * n_labels * dim / flops_per_second, 16 * batch_size * n_labels / bytes_per_second)


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """The slope of log time against log n, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def figure(results: dict[tuple[str, int, str], dict[str, float]]) -> None:
    """Panels of time and memory against n; log-log where a quantity grows by powers of ten."""
    from sigfft import figures

    panels = {
        "step": ("Train step", "seconds", "xy"),
        "predict": ("Top-10 prediction of a batch", "seconds", "xy"),
        "peak_mb": ("Peak memory of the process", "MB", "x"),
        "compile": ("Compile time of the step", "seconds", "x"),
    }

    def points(method: str, key: str) -> list[tuple[float, ...]]:
        return [(n, r[key]) for (m, n, dtype), r in results.items() if (m, dtype) == (method, "float32") and key in r]

    drawn = [
        figures.Panel(
            title, "n, labels", unit, {m: points(m, key) for m in LARGEST}, log=log, bottom=None if log == "xy" else 0
        )
        for key, (title, unit, log) in panels.items()
    ]
    figures.save(figures.lines(drawn, columns=2), FIGURE)


def main() -> None:
    """Measure each size and method in its own process, print, and write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs=3, metavar=("METHOD", "N", "DTYPE"), help="one line, in this process, as JSON")
    args = parser.parse_args()
    if args.only:
        method, n_labels, dtype = args.only
        print(json.dumps(measure(method, int(n_labels), dtype, args.rounds)))
        return
    results = {}
    dtypes = ("float32", "bfloat16") if _on_gpu() else ("float32",)
    cases = [(m, n, d) for n in args.sizes for m, most in LARGEST.items() for d in dtypes if n <= most]
    for case in (c for c in cases if c[0] != "PyTorch" or c[2] == "float32"):
        command = [sys.executable, __file__, "--rounds", str(args.rounds), "--only", *map(str, case)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        results[case] = json.loads(output.splitlines()[-1])
        print(*case, results[case], flush=True)
    _write(results)
    figure(results)


def _on_gpu() -> bool:
    # Asked in another process: this one may not hold the device while the others measure.
    command = [sys.executable, "-c", "import jax; print(jax.default_backend())"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip() == "gpu"


def _write(results: dict[tuple[str, int, str], dict[str, float]]) -> None:
    from results import explained, table, write_section

    header = ["method", "n", "dtype", "step s", "top-10 s", "compile s", "temporary MB", "peak MB"]
    on_gpu = any("roofline" in r for r in results.values())
    header += ["step / roofline"] if on_gpu else []
    columns = {"step": ".3f", "predict": ".3f", "compile": ".1f", "temp_mb": ".1f", "peak_mb": ".0f"}
    rows = []
    for case, r in results.items():
        measured = [format(r[c], form) if c in r else "–" for c, form in columns.items()]
        ratio = f"{r['step'] / r['roofline']:.1f}" if "roofline" in r else "–"
        rows.append([*case, *measured, *([ratio] if on_gpu else [])])
    blocked = {n: r for (method, n, dtype), r in results.items() if (method, dtype) == ("blocked", "float32")}
    text = table(header, rows)
    if len(blocked) > 1:
        slopes = [exponent(list(blocked), [r[key] for r in blocked.values()]) for key in ("step", "predict")]
        text += f"\n\nBlocked: time grows as n^{slopes[0]:.2f} (step) and n^{slopes[1]:.2f} (top-10 prediction)."
    text += "\n\n![Time and memory against the number of labels](scale.png)"
    write_section("Up to a million labels", explained(__doc__), text)


if __name__ == "__main__":
    main()
