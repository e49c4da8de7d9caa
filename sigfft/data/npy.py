"""Dense features of one's own: a folder with an .npy array and a file of label sets for each split."""

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, Real

from sigfft import labels
from sigfft.data.dataset import Dataset, DenseFeatures, Splits
from sigfft.data.label_names import with_names
from sigfft.files.arrays import read_npy
from sigfft.files.label_sets import load_label_sets

_SPLITS = {"train": True, "dev": False, "test": True}  # split: is it required?
_SUFFIXES = [f"{suffix}{zipped}" for suffix in (".txt", ".jsonl", ".json") for zipped in ("", ".gz")]
_NUMBERS = 1 << 22  # of an array that are looked at together


def load_npy(cache_dir: Path, *, dir: str | Path, n_labels: int = 0) -> Splits:
    """The splits of a folder with `train.npy`, `test.npy` and perhaps `dev.npy`, and label sets of the same names.

    Features are (examples, feature_dim), floats or integers of any size. They stay in their file, and a batch reads its
    own rows, as float32. Label sets are in any format that `sigfft check` reads, the set of row i in place i:
    `train.txt`, `train.jsonl` or an XMC file, also gzipped.

    Args:
      cache_dir: nothing is kept there.
      dir: the folder.
      n_labels: number of labels; 0: what the files say (XMC), or else one more than the largest id.

    Raises:
      ValueError: `dir` is empty; a file is missing, there twice or malformed; a number is not finite in float32; rows
        and label sets are not equally many; or files disagree about the length of a row or the number of labels.
    """
    if not str(dir):
        raise ValueError("dir is empty; name the folder of train.npy, train.txt, test.npy and test.txt")
    folder = Path(dir)
    names = [".npy", *_SUFFIXES]
    splits = [
        s for s, required in _SPLITS.items() if required or any((folder / f"{s}{name}").exists() for name in names)
    ]
    files = {split: _Files.of(folder, split) for split in splits}
    features = {split: _open(own.features) for split, own in files.items()}
    read = {split: load_label_sets(own.labels) for split, own in files.items()}
    for split, own in files.items():
        if features[split].shape[1] != features["train"].shape[1]:
            lengths = f"{features[split].shape[1]} numbers, those of train.npy {features['train'].shape[1]}"
            raise ValueError(f"rows of {own.features} have {lengths}; the files of a data set must agree")
        if len(features[split]) != len(read[split][0]):
            counts = f"{len(features[split])} rows do not match {len(read[split][0])} label sets"
            raise ValueError(f"{own.features} and {own.labels.name}: {counts}")
    stated = {str(files[split].labels): n for split, (_, n) in read.items() if n is not None}
    n = _number_of_labels({split: sets for split, (sets, _) in read.items()}, stated, n_labels, folder)
    widest = max(1, *(len(ids) for sets, _ in read.values() for ids in sets))
    datasets = {}
    for split, own in files.items():
        check_finite(features[split], own.features)
        datasets[split] = Dataset(DenseFeatures(features[split]), _padded(read[split][0], n, widest, own.labels), n)
    return with_names(datasets, folder)


def check_finite(values: Real[np.ndarray, "rows feature_dim"], path: Path) -> None:
    """Raises ValueError for the first row with a number that is not finite in float32; `path` names the file."""
    step = max(1, _NUMBERS // max(1, values.shape[1]))
    for start in range(0, len(values), step):
        float32_rows(values, slice(start, start + step), path)


def float32_rows(
    values: Real[np.ndarray, "rows feature_dim"], chosen: slice, path: Path
) -> Float32[np.ndarray, "chosen feature_dim"]:
    """Neighbouring rows of an array, in float32.

    Raises:
      ValueError: a number of theirs is not finite there; `path` names the file.
    """
    with np.errstate(over="ignore"):
        part = np.asarray(values[chosen]).astype(np.float32)
    bad = np.argwhere(~np.isfinite(part))
    if len(bad):
        row, column = chosen.start + bad[0][0], bad[0][1]
        raise ValueError(f"{path}: row {row} must be finite in float32; it has {values[row, column]} at {column}")
    return part


class _Files(NamedTuple):
    features: Path
    labels: Path

    @classmethod
    def of(cls, folder: Path, split: str) -> "_Files":
        features = folder / f"{split}.npy"
        found = [path for suffix in _SUFFIXES if (path := folder / f"{split}{suffix}").is_file()]
        if not features.is_file():
            raise ValueError(f"{folder} holds no {split}.npy; give a folder with features and label sets of each split")
        if len(found) != 1:
            names = " and ".join(path.name for path in found) or f"no {split}.txt, {split}.jsonl or one of them as .gz"
            raise ValueError(f"{folder} holds {names}; give one file with the label sets of {split}.npy")
        return cls(features, found[0])


def _open(path: Path) -> Real[np.ndarray, "rows feature_dim"]:
    values = read_npy(path, mapped=True)
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"{path} has the shape {values.shape}; expected (examples, feature_dim), none of them 0")
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{path} holds {values.dtype}; expected real numbers: save the array as float32")
    return values


def _number_of_labels(sets: dict[str, list[list[int]]], stated: dict[str, int], given: int, folder: Path) -> int:
    said = ({"n_labels": given} if given else {}) | stated
    if len(set(said.values())) > 1:
        counts = ", ".join(f"{what} says {n}" for what, n in said.items())
        raise ValueError(f"the number of labels is in doubt: {counts}; they must agree")
    largest = max((id for own in sets.values() for id in itertools.chain.from_iterable(own)), default=-1)
    n = next(iter(said.values()), largest + 1)
    if n < 1:
        raise ValueError(f"no label set of {folder} holds a label; expected some, or n_labels=")
    return n


def _padded(sets: list[list[int]], n_labels: int, width: int, path: Path) -> Int32[np.ndarray, "sets width"]:
    try:
        return labels.pad(sets, n_labels, width)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
