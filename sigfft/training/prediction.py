"""Predictions of a trained model for a file of examples, streamed to a file."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sigfft import inference
from sigfft.data.dataset import Batch, DenseFeatures, SparseFeatures, keep_largest
from sigfft.data.npy import float32_rows
from sigfft.files import check_writable, replacing, xmc
from sigfft.files.arrays import read_npy
from sigfft.heads.head import whole
from sigfft.metrics import logit_of
from sigfft.training.finished import load_model
from sigfft.training.thresholds import asked_threshold
from sigfft.training.workdir import Workdir


class Predicted(NamedTuple):
    """What was written."""

    points: int  # examples read
    cut: int  # examples with more labels above the threshold than were kept


def predict_file(
    workdir: Path | str,
    examples: Path | str,
    output: Path | str,
    *,
    head: str | None = None,
    top: int = 10,
    threshold: float | str | None = None,
    batch_size: int = 256,
    block_size: int = inference.BLOCK_SIZE,
) -> Predicted:
    """Writes the best labels of each example and their probabilities, in the order of the examples.

    A .tsv file has a header and one line an example: labels and probabilities, each separated by commas. A .jsonl file
    has {"labels": [...], "scores": [...]} a line. Labels stand best first. The file appears when it is whole.

    Args:
      workdir: folder of a finished run.
      examples: a file in the XMC format, plain or gzipped, for a model of sparse examples, its labels are not read; an
        .npy array (examples, feature_dim) for a model of dense ones.
      output: .tsv or .jsonl.
      head: name of the head, as the run's table shows it; default: the last one.
      top: labels an example, at most.
      threshold: keep the labels of a larger probability alone, or by "dev" those above the thresholds that the run
        chose on its dev split; None: keep `top` labels.
      batch_size: examples at a time.
      block_size: labels at a time.

    Raises:
      ValueError: the run, the examples or the output file is not what it must be; nothing is written then.
    """
    workdir, examples, output = Path(workdir), Path(examples), Path(output)
    if output.suffix not in (".tsv", ".jsonl") or not output.parent.is_dir():
        raise ValueError(f"{output} must be a .tsv or .jsonl file in a folder that exists")
    check_writable(output)
    if threshold not in (None, "dev"):
        logit_of(float(threshold))  # refuses what is no probability before the model is read
    model, params = load_model(workdir, head)
    logit = None if threshold is None else asked_threshold(workdir, model.name, threshold)
    top = min(whole("top", top, 1), model.head.n_labels)

    @jax.jit
    def of_batch(params, batch):
        features = model.features(params["encoder"], batch)
        if logit is None:
            best = inference.top_k(model.head, params["head"], features, top, block_size=block_size)
            return inference.PredictedSets(best.labels, best.scores, jnp.full(len(features), top))
        return inference.label_sets(model.head, params["head"], features, top, threshold=logit, block_size=block_size)

    points, cut = 0, 0
    with replacing(output) as part, part.open("w", encoding="utf-8") as file:
        file.write("labels\tscores\n" if output.suffix == ".tsv" else "")
        for count, batch in _batches(workdir, examples, batch_size):
            labels, logits, sizes = (x[:count] for x in jax.device_get(of_batch(params, batch)))
            order = np.argsort(-logits, axis=1, kind="stable")
            labels = np.take_along_axis(labels, order, axis=1)
            scores = 1 / (1 + np.exp(-np.take_along_axis(logits, order, axis=1).astype(np.float64)))
            rows = zip(labels, scores, np.minimum(sizes, top), strict=True)
            file.writelines(_line(output, ids[:size].tolist(), own[:size].tolist()) for ids, own, size in rows)
            points, cut = points + count, cut + int((sizes > top).sum())
    return Predicted(points, cut)


def _batches(workdir: Path, examples: Path, batch_size: int) -> Iterator[tuple[int, Batch]]:
    """Batches of one size, and how many of their examples are from the file."""
    run = Workdir(workdir)
    data = run.read(run.report)["data"]  # which `load_model` has looked at
    parts: Iterator[SparseFeatures | DenseFeatures]
    if data["n_features"] is None:
        parts = _dense(examples, data["feature_dim"], batch_size)
    else:
        parts = _sparse(examples, data["n_features"], run.max_features())
    for part in parts:
        for start in range(0, len(part), batch_size):
            indices = np.arange(start, start + batch_size)
            present = indices < len(part)
            yield int(present.sum()), part.gather(np.minimum(indices, len(part) - 1), present)


def _dense(path: Path, feature_dim: int, batch_size: int) -> Iterator[DenseFeatures]:
    if path.suffix != ".npy":
        raise ValueError(f"{path} must be an .npy array (examples, {feature_dim}): the model takes dense examples")
    values = read_npy(path, mapped=True)
    if values.ndim != 2 or values.shape[1] != feature_dim:
        raise ValueError(f"{path} has the shape {values.shape}; the model takes (examples, {feature_dim})")
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{path} holds {values.dtype}; the model takes real numbers: save the array as float32")
    for start in range(0, len(values), batch_size):
        yield DenseFeatures(float32_rows(values, slice(start, start + batch_size), path))


def _sparse(path: Path, n_features: int, max_features: int) -> Iterator[SparseFeatures]:
    for points in xmc.stream(path):
        if points.n_features != n_features:
            raise ValueError(f"{path} has {points.n_features} features; the model was trained on {n_features}")
        widest = int(np.diff(points.feature_indptr).max(initial=1))
        # Few widths are few compilations: powers of two, unless training had its own.
        width = max_features or next(1 << i for i in itertools.count() if 1 << i >= widest)
        kept = keep_largest(points.feature_indptr, points.feature_ids, points.feature_values, width)
        yield SparseFeatures(*kept, n_features=n_features, width=width)


def _line(output: Path, labels: list[int], scores: list[float]) -> str:
    rounded = [f"{score:.6g}" for score in scores]
    if output.suffix == ".tsv":
        return f"{','.join(map(str, labels))}\t{','.join(rounded)}\n"
    return json.dumps({"labels": labels, "scores": [float(score) for score in rounded]}) + "\n"
