"""Extreme Classification data: a folder with train, test and perhaps dev files, through a TFDS builder."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sigfft.data import records
from sigfft.data.dataset import Splits
from sigfft.data.label_names import with_names
from sigfft.files import xmc

_SPLITS = {"train": True, "dev": False, "test": True}  # split: is it required?


class Xmc(records.ArrayBuilder):
    """Multi-label data in the format of the Extreme Classification repository, in file order."""


def load_xmc(cache_dir: Path, *, dir: str | Path, max_features: int = 0) -> Splits:
    """The splits of a folder with `train.txt`, `test.txt` and perhaps `dev.txt`, each also as `.txt.gz`.

    Records are kept in `cache_dir`: a folder whose files have not changed is not parsed again. Of each point,
    `max_features` features of largest |value| are kept; 0: all. Names of labels are those of `with_names`.

    Raises:
      ValueError: `dir` is empty; a file is missing, there twice, malformed (see `files.xmc.parse`), or files disagree
        about the number of features or labels.
    """
    if not str(dir):
        raise ValueError("dir is empty; name the folder of train.txt.gz and test.txt.gz")
    return with_names(records.read_splits(prepare_xmc(cache_dir, Path(dir)), max_features), Path(dir))


def prepare_xmc(cache_dir: Path, folder: Path) -> records.ArrayBuilder:
    """The builder of a folder's files, with its records prepared; arguments and errors as those of `load_xmc`."""
    files = find_files(folder)
    headers = {split: xmc.read_header(file) for split, file in files.items()}
    train = headers["train"]
    for split, header in headers.items():
        if (header.features, header.labels) != (train.features, train.labels):
            raise ValueError(
                f"{files[split]}:1: the header promises {header.features} features and {header.labels} labels, but "
                f"{files['train'].name} has {train.features} and {train.labels}; the files of a data set must agree"
            )
    # Named by the content: a changed file is never served from the records of the old one.
    content = hashlib.blake2b(digest_size=16)
    for split, path in files.items():
        with path.open("rb") as file:
            content.update(f"{split} {hashlib.file_digest(file, 'blake2b').hexdigest()}\n".encode())
    config = records.ArrayConfig(
        name=content.hexdigest(),
        arrays={"labels": (np.int32, None), "feature_ids": (np.int32, None), "feature_values": (np.float32, None)},
        metadata={"n_labels": train.labels, "n_features": train.features},
        generate=lambda: {split: _points(xmc.parse(path)) for split, path in files.items()},
    )
    return records.prepare(Xmc, config, cache_dir)


def _points(data: xmc.XmcData) -> Iterator[records.Record]:
    starts = data.label_indptr, data.feature_indptr
    for labels, features in zip(*(map(slice, start, start[1:]) for start in starts), strict=True):
        yield {
            "labels": data.label_ids[labels],
            "feature_ids": data.feature_ids[features],
            "feature_values": data.feature_values[features],
        }


def find_files(folder: Path) -> dict[str, Path]:
    """The file of each split; raises ValueError where one is missing, or there twice."""
    files: dict[str, Path] = {}
    for split, required in _SPLITS.items():
        found = [path for suffix in (".txt", ".txt.gz") if (path := folder / f"{split}{suffix}").is_file()]
        if len(found) > 1:
            raise ValueError(f"{folder} holds both {found[0].name} and {found[1].name}; remove one of them")
        if required and not found:
            raise ValueError(f"{folder} holds no {split}.txt or {split}.txt.gz; give the folder of a data set")
        if found:
            files[split] = found[0]
    return files
