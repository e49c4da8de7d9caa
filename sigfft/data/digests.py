"""Whether data are those of before: a digest of what each split holds."""

import dataclasses
import hashlib

import numpy as np

from sigfft.data.dataset import Dataset, Splits

_BYTES = 1 << 24  # of an array that are read together


def fingerprint(splits: Splits) -> dict[str, str]:
    """A digest of each split, by its name: of label sets and features, values and dtypes, wherever they are kept."""
    return {name: _digest(split) for name, split in splits.items()}


def _digest(split: Dataset) -> str:
    content = hashlib.blake2b(digest_size=16)
    fields = dataclasses.fields(split.features)
    parts = {field.name: getattr(split.features, field.name) for field in fields}
    for name, part in {"n_labels": split.n_labels, "labels": split.labels, **parts}.items():
        if not isinstance(part, np.ndarray):
            content.update(f"{name} {part!r}\n".encode())
            continue
        content.update(f"{name} {part.dtype.str} {part.shape}\n".encode())
        rows = max(1, _BYTES * len(part) // max(1, part.nbytes))
        for start in range(0, len(part), rows):
            content.update(np.ascontiguousarray(part[start : start + rows]).data)
    return content.hexdigest()
