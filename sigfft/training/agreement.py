"""What all processes of a run must have alike before it begins: software, config, folder, data and devices."""

import dataclasses
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import jax

import sigfft
from sigfft.data import Splits
from sigfft.training.config import Config
from sigfft.training.processes import agree

_START = 300.0  # seconds; to this point all come at once
_DATA = 3600.0  # seconds; to this one after they have read the data
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy")


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


def agree_on_data(splits: Splits, fingerprint: Mapping[str, str]) -> None:
    """Raises ValueError, in all processes, unless they have the same data, and as many devices each."""
    data = {name: {"examples": len(split), "content": fingerprint[name]} for name, split in splits.items()}
    agree({"data": data, "devices": jax.local_device_count()}, _DATA)
