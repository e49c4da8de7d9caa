"""Data sets in other formats: texts as tf-idf in the XMC format, and the XMC format as JSON lines and back.

A folder of sparse JSON lines has train.jsonl.gz and the like, {"labels": [...], "feature_ids": [...], "feature_values":
[...]} a line, and sizes.json with n_labels and n_features. Names of labels go along, as label_names.json.
"""

import contextlib
import gzip
import itertools
import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sigfft.data.raw_examples import RawOptions, find_tables, read_examples
from sigfft.data.recognition import recognised
from sigfft.data.text import folder_of
from sigfft.data.xmc import find_files
from sigfft.extras import needs
from sigfft.files import xmc
from sigfft.files.names import find_names
from sigfft.files.tables import Faults, Row, read_rows
from sigfft.files.xmc_writing import shortest, write_xmc

_SIZES = "sizes.json"


def convert(
    source: Path | str, output: Path | str, *, ngrams: int = 1, min_count: int = 3, options: RawOptions | None = None
) -> str:
    """Writes a data set to a new folder: a raw text one or sparse JSON lines as XMC, an XMC one as sparse JSON lines.

    Args:
      source: the folder, or a table of texts.
      output: the folder to write, which must not be there; it appears when it is whole.
      ngrams: of texts, words of an n-gram, at most.
      min_count: of texts, how many training texts a word stands in.
      options: how tables of texts are read.

    Returns:
      What was read and written, in one line.

    Raises:
      ValueError: the source is none of these, or malformed; or there is something at `output`.
    """
    source, output = folder_of(source), Path(output)
    if output.exists() or not output.parent.is_dir():
        raise ValueError(f"{output} must be a new folder, in one that exists")
    if source.is_dir() and (source / _SIZES).is_file():
        with _appearing(output) as folder:
            return f"{_from_json_lines(source, folder)}; written as XMC to {output}"
    kind = recognised(source)
    if kind not in ("text", "xmc"):
        raise ValueError(f"{source} is of the source {kind!r}; only texts, the XMC format and its JSON lines convert")
    with _appearing(output) as folder:
        if kind == "xmc":
            return f"{_to_json_lines(source, folder)}; written as JSON lines to {output}"
        about = _texts_to_xmc(source, folder, ngrams, min_count, options or RawOptions())
        return f"{about}; written as XMC to {output}"


@contextlib.contextmanager
def _appearing(output: Path) -> Iterator[Path]:
    """A folder to write to, which becomes `output` at the end, or nothing."""
    part = output.with_name(f".{output.name}-{uuid.uuid4().hex[:8]}")
    part.mkdir()
    try:
        yield part
        part.rename(output)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _texts_to_xmc(source: Path, output: Path, ngrams: int, min_count: int, options: RawOptions) -> str:
    with needs("train", "sigfft convert"):
        from sigfft.data.intake import TfIdf  # scikit-learn, which takes a second

    raw = read_examples(source, options)
    train = (example.input for example in raw.splits["train"])
    made = TfIdf.fit(train, raw.columns, ngrams=ngrams, min_count=min_count)
    for split, examples in raw.splits.items():
        features = made.features([example.input for example in examples])
        labels = [np.array(example.labels, np.int32) for example in examples]
        data = xmc.XmcData(
            n_features=features.n_features,
            n_labels=raw.n_labels,
            label_indptr=_indptr([len(ids) for ids in labels]),
            label_ids=np.concatenate(labels),
            feature_indptr=features.indptr,
            feature_ids=features.ids,
            feature_values=features.values,
        )
        write_xmc(output / f"{split}.txt.gz", data)
    (output / "features.txt").write_text("".join(f"{word}\n" for word in made.words), encoding="utf-8")
    _write_names(output, raw.names)
    return f"{raw.about}; {len(made.words):,} features"


def _to_json_lines(source: Path, output: Path) -> str:
    counts, header = [], None
    for split, path in find_files(source).items():
        with gzip.open(output / f"{split}.jsonl.gz", "wt", encoding="utf-8") as file:
            points = 0
            for header in xmc.stream(path):
                file.writelines(json.dumps(row) + "\n" for row in _rows(header))
                points += len(header)
        counts.append(f"{points:,} {split}")
    assert header is not None  # a file without a point is refused
    sizes = {"n_labels": header.n_labels, "n_features": header.n_features}
    (output / _SIZES).write_text(json.dumps(sizes), encoding="utf-8")
    _write_names(output, find_names(source).in_order(header.n_labels))
    return "; ".join([f"{header.n_features:,} features", f"{header.n_labels:,} labels", *counts])


def _rows(data: xmc.XmcData) -> Iterator[dict[str, list]]:
    values = list(map(float, shortest(data.feature_values)))
    bounds = zip(itertools.pairwise(data.label_indptr), itertools.pairwise(data.feature_indptr), strict=True)
    for (label, next_label), (feature, next_feature) in bounds:
        yield {
            "labels": data.label_ids[label:next_label].tolist(),
            "feature_ids": data.feature_ids[feature:next_feature].tolist(),
            "feature_values": values[feature:next_feature],
        }


def _from_json_lines(source: Path, output: Path) -> str:
    try:
        sizes = json.loads((source / _SIZES).read_text(encoding="utf-8"))
        n_labels, n_features = sizes["n_labels"], sizes["n_features"]
        if not all(type(size) is int and 0 < size < 2**31 for size in (n_labels, n_features)):
            raise ValueError(f"given {n_labels} and {n_features}, expected whole numbers from 1 to 2**31 - 1")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{source / _SIZES} must be {{"n_labels": ..., "n_features": ...}}: {error!r}') from error
    tables, counts = find_tables(source), []
    for split, path in tables.items():
        columns: dict[str, list[Any]] = {"labels": [], "feature_ids": [], "feature_values": []}
        for row in read_rows(path, Faults()):
            for name, value in zip(columns, _sparse_row(row, path, n_labels, n_features), strict=True):
                columns[name].append(value)
        counts.append(f"{len(columns['labels']):,} {split}")
        if not columns["labels"]:
            raise ValueError(f"{path} holds no example; expected one a line")
        data = xmc.XmcData(
            n_features=n_features,
            n_labels=n_labels,
            label_indptr=_indptr(list(map(len, columns["labels"]))),
            label_ids=np.concatenate(columns["labels"]),
            feature_indptr=_indptr(list(map(len, columns["feature_ids"]))),
            feature_ids=np.concatenate(columns["feature_ids"]),
            feature_values=np.concatenate(columns["feature_values"]),
        )
        write_xmc(output / f"{split or 'train'}.txt.gz", data)
    _write_names(output, find_names(source).in_order(n_labels))
    return "; ".join([f"{n_features:,} features", f"{n_labels:,} labels", *counts])


def _sparse_row(row: Row, path: Path, n_labels: int, n_features: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, ids and values of a row, ids ascending."""
    try:
        labels, ids = (_ids(row.values[name], n) for name, n in (("labels", n_labels), ("feature_ids", n_features)))
        with np.errstate(over="ignore"):
            values = np.asarray(row.values["feature_values"], np.float64).astype(np.float32)
        if values.shape != ids.shape or not np.isfinite(values).all():
            raise ValueError("feature_values must be a finite float32 number for each of feature_ids")
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        told = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path}:{row.line}: {told}") from error
    order = np.argsort(ids)
    return np.sort(labels), ids[order], values[order]


def _ids(given: Any, n_ids: int) -> np.ndarray:
    whole = isinstance(given, list) and all(type(i) is int and 0 <= i < n_ids for i in given)
    if not whole or len(set(given)) < len(given):
        raise ValueError(f"expected a list of distinct ids below {n_ids}; given {given!r:.60}")
    return np.array(given, np.int32)


def _indptr(counts: Sequence[int]) -> np.ndarray:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def _write_names(output: Path, names: Sequence[str] | None) -> None:
    if names is not None:
        text = json.dumps(names, ensure_ascii=False, indent=0)
        (output / "label_names.json").write_text(text, encoding="utf-8")
