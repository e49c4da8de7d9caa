"""How much memory a run took."""

import resource
import sys

import jax


def peak_memory() -> dict[str, int | None]:
    """The largest size so far, in bytes: of this process, and of its fullest device; None where devices do not tell."""
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    peaks = [(device.memory_stats() or {}).get("peak_bytes_in_use") for device in jax.local_devices()]
    return {
        "process_peak_bytes": unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "device_peak_bytes": max((peak for peak in peaks if peak is not None), default=None),
    }
