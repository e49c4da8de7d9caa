"""Raw examples as TFDS records: read and turned into features once, and kept with what turned them."""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sigfft.data import intake as intakes
from sigfft.data import records
from sigfft.data.dataset import Features, ImageFeatures, SparseFeatures, TokenFeatures
from sigfft.data.raw_examples import Example, RawExamples, RawOptions, find_tables, read_examples

_FORMAT = 1  # of the records: another one is prepared anew
_CHUNK = 4096  # examples whose features are made together


def prepare_raw(
    builder_class: type[records.ArrayBuilder],
    cache_dir: Path,
    folder: Path,
    options: RawOptions,
    fit: Callable[[RawExamples], intakes.Intake],
    arrays: Mapping[str, tuple[type[np.number], int | None]],
    settings: Sequence[Any],
) -> records.ArrayBuilder:
    """The builder of a folder's raw examples, with its records prepared.

    Args:
      builder_class: of the source.
      cache_dir: where records are kept.
      folder: of tables, or one table.
      options: how they are read.
      fit: what turns the examples into features.
      arrays: that features are, in a record.
      settings: whatever else the records depend on.

    Raises:
      ValueError: as `read_examples` and `fit`; or examples that cannot be loaded: how many, and the first of them.
    """
    name = _digest(folder, [_FORMAT, dataclasses.asdict(options), *settings])
    return prepare_examples(builder_class, cache_dir, name, lambda: read_examples(folder, options), fit, arrays)


def prepare_examples(
    builder_class: type[records.ArrayBuilder],
    cache_dir: Path,
    name: str,
    read: Callable[[], RawExamples],
    fit: Callable[[RawExamples], intakes.Intake],
    arrays: Mapping[str, tuple[type[np.number], int | None]],
) -> records.ArrayBuilder:
    """The builder of examples that a source reads itself, with its records prepared.

    Args:
      builder_class: of the source.
      cache_dir: where records are kept.
      name: of the records, another one for another content.
      read: gives the examples; called where there are no records yet.
      fit: what turns the examples into features.
      arrays: that features are, in a record.

    Raises:
      ValueError: as `read` and `fit`; or examples that cannot be loaded: how many, and the first of them.
    """
    metadata: dict[str, Any] = {}

    def generate() -> dict[str, Iterator[records.Record]]:
        raw = read()
        made = fit(raw)
        loaded = _load(raw, made)
        metadata.update(n_labels=raw.n_labels, **made.sizes)
        metadata["origin"] = {"names": raw.names, "intake": intakes.to_json(made), "about": raw.about}
        return {split: _records(own, loaded[split], made) for split, own in raw.splits.items()}

    columns = {"labels": (np.int32, None), **arrays}
    config = records.ArrayConfig(name=name, arrays=columns, metadata=metadata, generate=generate)
    return records.prepare(builder_class, config, cache_dir)


def _load(raw: RawExamples, made: intakes.Intake) -> dict[str, list[Any]]:
    """What the intake takes, by split; examples that cannot be loaded are dropped from `raw`."""
    home = raw.folder if raw.folder.is_dir() else raw.folder.parent
    loaded = {split: made.load([e.input for e in own], home) for split, own in raw.splits.items()}
    bad = [
        (example.place, value)
        for split, own in raw.splits.items()
        for example, value in zip(own, loaded[split], strict=True)
        if isinstance(value, ValueError)
    ]
    if bad and not raw.faults.skip:
        ((path, line), error), count = bad[0], f"{len(bad)} of {sum(map(len, loaded.values()))} examples cannot be read"
        raise ValueError(f"{path}:{line}: {error}; {count}; mend them, or leave them out with data.skip_malformed=True")
    for (path, line), error in bad:
        raw.faults.add(path, line, str(error))
    for split, own in raw.splits.items():
        good = [not isinstance(value, ValueError) for value in loaded[split]]
        raw.splits[split], loaded[split] = (list(itertools.compress(x, good)) for x in (own, loaded[split]))
    raw.check_splits()
    return loaded


def rows_of(features: Features) -> Iterator[dict[str, np.ndarray]]:
    """The features of one point after the other, as the arrays of a record."""
    if isinstance(features, ImageFeatures):
        yield from ({"image": image.ravel()} for image in features.values)
        return
    if not isinstance(features, SparseFeatures | TokenFeatures):
        raise TypeError(f"no records are made of {type(features).__name__}")
    for start, stop in zip(features.indptr, features.indptr[1:], strict=False):
        if isinstance(features, TokenFeatures):
            yield {"tokens": features.ids[start:stop]}
        else:
            yield {"feature_ids": features.ids[start:stop], "feature_values": features.values[start:stop]}


def _records(examples: Sequence[Example], inputs: Sequence[Any], made: intakes.Intake) -> Iterator[records.Record]:
    for start in range(0, len(inputs), _CHUNK):
        rows = rows_of(made.features(inputs[start : start + _CHUNK]))
        for example, row in zip(examples[start : start + _CHUNK], rows, strict=True):
            yield {"labels": np.array(example.labels, np.int32), **row}


def _digest(folder: Path, settings: Sequence[Any]) -> str:
    """A name for the content of a folder's tables and files of names, and for settings."""
    home = folder if folder.is_dir() else folder.parent
    names = [home / "labels.txt", home / "label_names.txt", *sorted(home.glob("*.json"))]
    content = hashlib.blake2b(json.dumps([*settings, any(home.glob("train.txt*"))]).encode(), digest_size=16)
    for path in [*find_tables(folder).values(), *names]:
        if path.is_file():
            with path.open("rb") as file:
                content.update(f"{path.name} {hashlib.file_digest(file, 'blake2b').hexdigest()}\n".encode())
    return content.hexdigest()
