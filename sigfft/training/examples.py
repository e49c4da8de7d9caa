"""Batches of the examples of a file, in the form that a run's model takes: labels are not looked at."""

import contextlib
import itertools
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sigfft.data.centroids import LabelCentroids
from sigfft.data.dataset import (
    Batch,
    DenseFeatures,
    Features,
    NearestLabels,
    SparseFeatures,
    TokenFeatures,
    keep_largest,
)
from sigfft.data.npy import float32_rows
from sigfft.data.raw_examples import inputs_in
from sigfft.files import xmc
from sigfft.files.arrays import read_npy
from sigfft.training.finished import as_written
from sigfft.training.workdir import Workdir

_ROWS = 4096  # of a table that become features together


def batches_of(workdir: Path, examples: Path, batch_size: int) -> Iterator[tuple[int, Batch]]:
    """Batches of one size, and how many of their examples are from the file.

    A run on raw texts or images takes tables as it was trained on, or a text or a path a line; one on sparse features
    the XMC format; one on dense features an .npy array. "-" is what comes from standard input.

    Raises:
      ValueError: the file is not what the run takes.
    """
    run = Workdir(workdir)
    data = run.read(run.report)["data"]
    max_features = run.max_features()
    with _as_file(examples) as path:
        parts: Iterator[Features]
        if run.intake.exists():
            home = Path() if path != examples else path.parent
            parts = _raw(path, home, run.read(run.intake), max_features)
        elif data["n_features"] is None:
            parts = _dense(path, data["feature_dim"], batch_size)
        else:
            parts = _sparse(path, data["n_features"], max_features)
        nearest = _nearest_of(run)
        for part in parts:
            near = nearest(part)
            for start in range(0, len(part), batch_size):
                indices = np.arange(start, start + batch_size)
                present = indices < len(part)
                rows = np.minimum(indices, len(part) - 1)
                of_labels = {} if near is None else near.gather(rows, present)
                yield int(present.sum()), part.gather(rows, present) | of_labels


def _nearest_of(run: Workdir) -> Callable[[Features], NearestLabels | None]:
    """What gives the features of a part the nearest labels of its examples; None where the run's encoder reads none."""
    report = run.read(run.report)
    with as_written(run):
        spec, data = report.get("encoder", {}).get("inputs", {}).get("nearest_ids"), report["data"]
        if spec is None:
            return lambda features: None
        (n,), sizes = spec["shape"], (data["n_labels"], data["n_features"])
    centroids = LabelCentroids.load(run.centroids, *sizes)

    def nearest(features: Features) -> NearestLabels:
        assert isinstance(features, SparseFeatures), features
        return centroids.nearest(features, n)

    return nearest


@contextlib.contextmanager
def _as_file(examples: Path) -> Iterator[Path]:
    """The path itself, or of a copy of standard input, which can be read but once."""
    if str(examples) != "-":
        yield examples
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin"
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        try:
            yield path
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), "standard input")) from error


def _raw(path: Path, home: Path, stored: Mapping[str, Any], max_features: int) -> Iterator[Features]:
    from sigfft.data import intake  # with libraries that other runs need not wait for

    made = intake.from_json(stored)
    rows = inputs_in(path, made.columns)
    while chunk := list(itertools.islice(rows, _ROWS)):
        loaded = made.load([text for _, text in chunk], home)
        for (line, _), value in zip(chunk, loaded, strict=True):
            if isinstance(value, ValueError):
                raise ValueError(f"{path}:{line}: {value}") from value
        features = made.features(loaded)
        if isinstance(features, TokenFeatures):
            yield TokenFeatures(features.indptr, features.ids, features.n_tokens, _few(features.width))
        elif isinstance(features, SparseFeatures):
            yield _kept(features.indptr, features.ids, features.values, features.n_features, max_features)
        else:
            yield features


def _dense(path: Path, feature_dim: int, batch_size: int) -> Iterator[DenseFeatures]:
    if path.suffix != ".npy" and path.name != "stdin":
        raise ValueError(f"{path} must be an .npy array (examples, {feature_dim}): the model takes dense examples")
    values = read_npy(path, mapped=True)
    if values.ndim != 2 or values.shape[1] != feature_dim:
        raise ValueError(f"{path} has the shape {values.shape}; the model takes (examples, {feature_dim})")
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{path} holds {values.dtype}; the model takes real numbers: save the array as float32")
    for start in range(0, len(values), batch_size):
        yield DenseFeatures(float32_rows(values, slice(start, start + batch_size), path))


def _sparse(path: Path, n_features: int, max_features: int) -> Iterator[SparseFeatures]:
    for points in xmc.stream(path, labelled=False):
        if points.n_features != n_features:
            raise ValueError(f"{path} has {points.n_features} features; the model was trained on {n_features}")
        yield _kept(points.feature_indptr, points.feature_ids, points.feature_values, n_features, max_features)


def _kept(
    indptr: np.ndarray, ids: np.ndarray, values: np.ndarray, n_features: int, max_features: int
) -> SparseFeatures:
    """Sparse rows of the width of training, or of one of few."""
    width = max_features or _few(int(np.diff(indptr).max(initial=1)))
    return SparseFeatures(*keep_largest(indptr, ids, values, width), n_features=n_features, width=width)


def _few(widest: int) -> int:
    """A power of two: few widths are few compilations."""
    return next(1 << i for i in itertools.count() if 1 << i >= widest)
