"""What all processes of a run must have alike before it begins: software, config, folder, data and devices."""

import dataclasses
import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

import sigfft
from sigfft.data import Dataset, Splits
from sigfft.training.config import Config
from sigfft.training.processes import agree

_START = 300.0  # seconds; to this point all come at once
_DATA = 3600.0  # seconds; to this one after they have read the data
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy")
_LOOKED_AT = 4096  # examples of a split


def agree_on_start(config: Config, workdir: Path) -> None:
    """Raises ValueError, in all processes, unless they have the same software, config and folder.

    Where data lie may differ between hosts; what they are is compared later.
    """
    versions = {name: version(name) for name in _PACKAGES}
    versions |= {"sigfft": sigfft.__version__, "python": platform.python_version()}
    settings = dataclasses.asdict(config)
    for own in ("dir", "cache_dir"):
        settings["data"].pop(own)
    agree({"versions": versions, "config": settings, "workdir": str(workdir)}, _START)


def agree_on_data(splits: Splits) -> None:
    """Raises ValueError, in all processes, unless they have the same data, and as many devices each."""
    data = {name: {"examples": len(split), "content": fingerprint(split)} for name, split in splits.items()}
    agree({"data": data, "devices": jax.local_device_count()}, _DATA)


def fingerprint(data: Dataset) -> str:
    """A digest of a split: all label sets, and the features of at most 4,096 examples spread over it."""
    digest = hashlib.blake2b(digest_size=8)
    examples: dict[str, Any] = data.gather(np.unique(np.linspace(0, len(data) - 1, _LOOKED_AT).astype(int)))
    for name, values in sorted((examples | {"labels": data.labels}).items()):
        digest.update(f"{name} {values.dtype} {values.shape}".encode() + np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
