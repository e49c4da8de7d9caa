"""Extreme Classification data: a folder with train, test and perhaps dev files, through a TFDS builder."""

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from sigfft.data import records
from sigfft.data.dataset import Splits
from sigfft.files import xmc

_SPLITS = {"train": True, "dev": False, "test": True}  # split: is it required?


@dataclasses.dataclass(eq=False)
class XmcConfig(tfds.core.BuilderConfig):
    """The source files of one data set.

    The name is a fingerprint of their content, so a changed file is never served from records of the old one.
    """

    files: dict[str, Path] = dataclasses.field(default_factory=dict)
    n_features: int = 0
    n_labels: int = 0


class Xmc(tfds.core.GeneratorBasedBuilder):
    """Sparse points: `labels` (ascending ids), `feature_ids` (ascending) and `feature_values`, in file order."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First version."}

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        return tfds.core.DatasetInfo(
            builder=self,
            description="Multi-label data in the format of the Extreme Classification repository.",
            features=tfds.features.FeaturesDict(
                {
                    "labels": records.array_feature(np.int32),
                    "feature_ids": records.array_feature(np.int32),
                    "feature_values": records.array_feature(np.float32),
                }
            ),
            metadata=tfds.core.MetadataDict(n_labels=config.n_labels, n_features=config.n_features),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, np.ndarray]]]]:
        # Every file is parsed before the first record is written: bad input ends here, in its own words.
        parsed = {split: xmc.parse(file) for split, file in self.builder_config.files.items()}
        return {split: self._generate_examples(data) for split, data in parsed.items()}

    def _generate_examples(self, data: xmc.XmcData) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        labels, features = data.label_indptr, data.feature_indptr
        for i in range(len(data)):
            yield (
                i,
                {
                    "labels": data.label_ids[labels[i] : labels[i + 1]],
                    "feature_ids": data.feature_ids[features[i] : features[i + 1]],
                    "feature_values": data.feature_values[features[i] : features[i + 1]],
                },
            )


def load_xmc(cache_dir: Path, *, dir: str | Path, max_features: int = 0) -> Splits:
    """The splits of a folder with `train.txt`, `test.txt` and perhaps `dev.txt`, each also as `.txt.gz`.

    Args:
      cache_dir: where records are kept; a folder whose files have not changed is not parsed again.
      dir: the folder of the source files.
      max_features: of each point, keep this many features of largest |value|; 0: all.

    Raises:
      ValueError: `dir` is empty; a file is missing, there twice, malformed (see `files.xmc.parse`), or files disagree
        about the number of features or labels.
    """
    if not str(dir):
        raise ValueError("dir is empty; name the folder of train.txt.gz and test.txt.gz")
    return records.sparse_splits(prepare_xmc(cache_dir, Path(dir)), max_features)


def prepare_xmc(cache_dir: Path, folder: Path) -> tfds.core.GeneratorBasedBuilder:
    """The builder of a folder's files, with its records prepared; arguments and errors as those of `load_xmc`."""
    files = _find(folder)
    headers = {split: xmc.read_header(file) for split, file in files.items()}
    train = headers["train"]
    for split, header in headers.items():
        if (header.features, header.labels) != (train.features, train.labels):
            raise ValueError(
                f"{files[split]}:1: the header promises {header.features} features and {header.labels} labels, but "
                f"{files['train'].name} has {train.features} and {train.labels}; the files of a data set must agree"
            )
    config = XmcConfig(name=_fingerprint(files), files=files, n_features=train.features, n_labels=train.labels)
    return records.prepare(Xmc, config, cache_dir)


def _find(folder: Path) -> dict[str, Path]:
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


def _fingerprint(files: dict[str, Path]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for split, path in files.items():
        with path.open("rb") as file:
            digest.update(f"{split} {hashlib.file_digest(file, 'blake2b').hexdigest()}\n".encode())
    return digest.hexdigest()
