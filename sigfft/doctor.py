"""The command `sigfft doctor`: what is installed, what it runs on, and whether heads, checker and a folder work.

Its text is for bug reports. It needs the core's dependencies alone; imports come with a call.
"""

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sigfft
from sigfft import answers
from sigfft.files import locks

PACKAGES = (
    *("jax", "jaxlib", "numpy", "scipy", "flax", "optax", "orbax-checkpoint", "grain", "tensorflow-datasets"),
    *("safetensors", "python-flint", "joblib", "jaxtyping", "ml-collections", "tensorboardX", "matplotlib"),
)
EXTRAS = {  # modules that extras bring
    "flax": ("flax",),
    "plot": ("matplotlib",),
    "explore": ("anywidget", "starlette", "uvicorn"),
    "train": (
        *("absl", "array_record", "grain", "importlib_resources", "jinja2", "ml_collections", "optax", "orbax"),
        *("tensorboardX", "PIL", "sklearn", "tensorflow_datasets", "tokenizers"),
    ),
}
_TOLERANCE = 1e-4  # relative, of float32 logits and losses


def options(add: Any) -> None:
    """The flags of the command."""
    add("--workdir", type=Path, help="folder for a run: can it be written, renamed and locked, and how much is free")
    add("--labels", type=int, help="number of labels: the FFT length of a head for them, and why")


def run(args: argparse.Namespace) -> int:
    """Tries every part, and says what became of it; 2 where one failed, after a line that names it."""
    tried: dict[str, Callable[[], str]] = {"devices": devices, "heads": heads, "checker": checker}
    if args.workdir is not None:
        tried["folder"] = lambda: folder(args.workdir)
    if args.labels is not None:
        tried["length"] = lambda: length(args.labels)
    parts = {name: _outcome(part) for name, part in tried.items()}
    content = {"versions": versions(), "system": system(), "missing": missing(), "parts": parts}
    answers.say(args, _text(content), content)
    failed = [f"{name} failed: {part['found']}" for name, part in parts.items() if not part["works"]]
    if failed:
        raise RuntimeError("; ".join(failed))
    return 0


def versions() -> dict[str, str | None]:
    """Of sigfft, Python and the packages that matter; None: not installed."""
    found: dict[str, str | None] = {"sigfft": sigfft.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def system() -> dict[str, Any]:
    """The operating system, cores that this process may use, and memory of the host in bytes; None: not known."""
    sizes: dict[str, int | None] = {}
    for name, pages in {"memory": "SC_PHYS_PAGES", "memory_free": "SC_AVPHYS_PAGES"}.items():
        known = hasattr(os, "sysconf") and pages in os.sysconf_names
        sizes[name] = os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE") if known else None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"platform": platform.platform(), "machine": platform.machine(), "cores": cores, **sizes}


def missing() -> dict[str, list[str]]:
    """The modules that are not there, by the extra that brings them."""
    lacking = {extra: [name for name in names if not _is_there(name)] for extra, names in EXTRAS.items()}
    return {extra: names for extra, names in lacking.items() if names}


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # an import hook may refuse it
        return False


def devices() -> str:
    """The devices of this process, and their memory where they tell."""
    import jax

    told = []
    for device in jax.local_devices():
        memory = (device.memory_stats() or {}).get("bytes_limit")
        told.append(f"{device.device_kind} ({device.platform})" + (f", {_gigabytes(memory)}" if memory else ""))
    kinds = [f"{told.count(kind)} × {kind}" for kind in dict.fromkeys(told)]
    several = f", process {jax.process_index()} of {jax.process_count()}" if jax.process_count() > 1 else ""
    return "; ".join(kinds) + several


def heads() -> str:
    """Logits of each kind of head, whole and by blocks of labels, against its rows, on the default device.

    Raises:
      ValueError: they differ.
    """
    import jax
    import numpy as np

    random = np.random.default_rng(0)
    tried = [  # one for each way of computing blocks
        sigfft.dft_head(60, 3, feature_dim=8, spread=4, slack=2),
        sigfft.dft_head(400, 5, feature_dim=8, spread=90),  # of so many frequencies blocks fold them
        sigfft.bottleneck_head(60, 5, feature_dim=8),
        sigfft.retrofit_head(60, 3, 8),
    ]

    def drawn(head: Any) -> tuple[Any, Any]:
        shapes = jax.eval_shape(head.init, jax.random.key(0))
        params = {name: 0.3 * random.standard_normal(p.shape, np.float32) for name, p in shapes.items()}
        return params, random.standard_normal((2, head.feature_dim), np.float32)

    given = [drawn(head) for head in tried]
    together = jax.jit(lambda given: [_ways(head, *own) for head, own in zip(tried, given, strict=True)])
    for head, (z, rows, bias, *ways) in zip(tried, jax.device_get(together(given)), strict=True):
        expected = z @ rows.T.astype(np.float64) + (0 if bias is None else bias)
        for way, logits in zip(("logits", "logits by blocks"), ways, strict=True):
            far = float(np.abs(logits - expected).max() / max(1.0, np.abs(expected).max()))
            if not far <= _TOLERANCE:
                raise ValueError(f"{way} of the head {head.name!r} are off by {far:.1e} on {jax.devices()[0]}")
    return f"{len(tried)} heads agree with their rows, whole and by blocks"


def _ways(head: Any, params: Any, features: Any) -> tuple[Any, ...]:
    """The activation, rows, biases, and the logits in both ways; traced."""
    import jax
    import jax.numpy as jnp

    from sigfft.heads.head import per_label_params

    ids, z = jnp.arange(head.n_labels), head.project(params, features)
    blocks = head.blocks(-(-head.n_labels // 3))
    own, decode = blocks.split(per_label_params(head, params)), head.block_decoder(blocks, z.dtype)

    def logits_of(block: Any) -> tuple[Any, Any]:
        labels = blocks.labels(block)
        return labels, decode(blocks.take(own, block), z, labels).T

    labels, logits = jax.lax.map(logits_of, blocks.ids())
    whole = jnp.zeros((head.n_labels, len(z))).at[labels.ravel()].set(logits.reshape(-1, len(z)), mode="drop")
    return z, head.rows(params, ids), head.bias(params, ids), head.decode(params, z), whole.T


def checker() -> str:
    """A label set that a small layer can output and one that it cannot, each proved and verified from a file.

    Raises:
      ValueError: another answer.
    """
    import numpy as np

    weight = np.array([[1, 0], [2, 0], [0, 1], [1, 1]], np.float32)
    report = sigfft.check(weight, [[0, 1, 3], [0, 2]])
    if report.status.tolist() != ["argmaxable", "unargmaxable"]:
        raise ValueError(f"expected an argmaxable and an unargmaxable set; found {report.status.tolist()}")
    with tempfile.TemporaryDirectory() as place:
        report.save(Path(place) / "verdicts.jsonl")
        sigfft.verify(Path(place) / "verdicts.jsonl", weight)
    return "one argmaxable and one unargmaxable set, proved and verified"


def folder(workdir: Path) -> str:
    """Whether a run can live in a folder, or where it would be made; nothing stays there.

    Raises:
      OSError: something is not possible there.
      ValueError: the path is no folder, or what was written is not what is read.
    """
    place = next(path for path in (workdir.absolute(), *workdir.absolute().parents) if path.exists())
    if not place.is_dir():
        raise ValueError(f"{place} is a file; give a folder")
    free = shutil.disk_usage(place).free
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as made:
        written, moved, content = Path(made, "one", "file"), Path(made, "two"), os.urandom(1 << 20)
        written.parent.mkdir()
        with written.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        written.parent.rename(moved)
        if (moved / "file").read_bytes() != content:
            raise ValueError(f"what was written to {place} is not what is read")
        with locks.exclusive(moved / "lock"):
            if _is_free(moved / "lock"):
                raise ValueError(f"{place} lets two processes hold the same lock, and so two runs be in one folder")
    return f"{place} can be written, renamed and locked; {_gigabytes(free)} free"


def _is_free(lock: Path) -> bool:
    try:
        with locks.exclusive(lock) as in_doubt:
            return in_doubt is None
    except locks.HeldError:
        return False


def length(n_labels: int) -> str:
    """The points of the transform of a DFT head for so many labels, and why so many.

    Raises:
      ValueError: there is no head for so many labels.
    """
    points = sigfft.dft_head(n_labels, 1, feature_dim=1).n_points if n_labels > 2 else 0
    if not points:
        raise ValueError(f"--labels {n_labels} must be at least 3")
    rest, factor = n_labels, 2
    while factor * factor <= rest:
        rest, factor = (rest // factor, factor) if rest % factor == 0 else (rest, factor + 1)
    if points == n_labels:
        return f"n_fft={points} for {n_labels} labels, which has no prime factor above 7: FFTs are fast at it"
    slow = f"{n_labels} has the prime factor {rest}, at which FFTs are slow"
    return f"n_fft={points} for {n_labels} labels: {slow}; {points} is the next length with none above 7"


def _outcome(part: Callable[[], str]) -> dict[str, Any]:
    begun = time.perf_counter()
    try:
        found, works = part(), True
    except Exception as error:  # whatever it is, it is the part's, and what the report is for
        found, works = f"{type(error).__name__}: {answers.failure(error)}", False
    return {"works": works, "found": answers.one_line(found), "seconds": round(time.perf_counter() - begun, 2)}


def _text(content: dict[str, Any]) -> str:
    own, lacking = content["system"], content["missing"]
    free = "" if own["memory_free"] is None else f" ({_gigabytes(own['memory_free'])} free)"
    memory = "not known" if own["memory"] is None else _gigabytes(own["memory"]) + free
    lines = {
        "versions": ", ".join(f"{name} {version or 'missing'}" for name, version in content["versions"].items()),
        "system": f"{own['platform']}, {own['machine']}, {own['cores']} cores, {memory}",
        "extras": "; ".join(f"sigfft[{extra}] lacks {', '.join(names)}" for extra, names in lacking.items()) or "all",
    }
    for name, part in content["parts"].items():
        lines[name] = f"{'works' if part['works'] else 'FAILED'}, {part['seconds']:.2f} s: {part['found']}"
    return "\n".join(f"{name + ':':10}{line}" for name, line in lines.items())


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
