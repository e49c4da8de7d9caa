"""Predictions of a trained model for a file of examples, streamed to a file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sigfft import inference
from sigfft.files import check_writable, replacing
from sigfft.heads.head import whole
from sigfft.metrics import logit_of
from sigfft.training.examples import batches_of
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
    has {"labels": [...], "scores": [...]} a line. Labels stand best first. Where the run keeps names of labels, "names"
    has them, in a .tsv as a JSON list; with a threshold, "cut" tells how many labels above it are left out. The file
    appears when it is whole.

    Args:
      workdir: folder of a finished run.
      examples: for a run on raw texts or images a table as it was trained on, plain or gzipped, or a text or a path a
        line; for one on sparse features a file in the XMC format; for one on dense features an .npy array (examples,
        feature_dim). Labels are not read and need not be there. "-": any of these from standard input.
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
    check_writable(output, examples)
    if threshold not in (None, "dev"):
        logit_of(float(threshold))  # refuses what is no probability before the model is read
    model, params = load_model(workdir, head)
    logit = None if threshold is None else asked_threshold(workdir, model.name, threshold)
    top = min(whole("top", top, 1), model.head.n_labels)
    names = Workdir(workdir).label_names()

    @jax.jit
    def of_batch(params, batch):
        features = model.features(params["encoder"], batch)
        if logit is None:
            best = inference.top_k(model.output, params["head"], features, top, block_size=block_size)
            return inference.PredictedSets(best.labels, best.scores, jnp.full(len(features), top))
        return inference.label_sets(model.output, params["head"], features, top, threshold=logit, block_size=block_size)

    points, cut = 0, 0
    with replacing(output) as part, part.open("w", encoding="utf-8") as file:
        columns = ["labels", "scores", *(["names"] if names else []), *([] if logit is None else ["cut"])]
        file.write("\t".join(columns) + "\n" if output.suffix == ".tsv" else "")
        for count, batch in batches_of(workdir, examples, batch_size):
            labels, logits, sizes = (x[:count] for x in jax.device_get(of_batch(params, batch)))
            order = np.argsort(-logits, axis=1, kind="stable")
            labels = np.take_along_axis(labels, order, axis=1)
            scores = 1 / (1 + np.exp(-np.take_along_axis(logits, order, axis=1).astype(np.float64)))
            for ids, own, size in zip(labels, scores, sizes, strict=True):
                left_out = None if logit is None else max(int(size) - top, 0)
                file.write(
                    _line(output, ids[: min(size, top)].tolist(), own[: min(size, top)].tolist(), names, left_out)
                )
            points, cut = points + count, cut + int((sizes > top).sum())
    return Predicted(points, cut)


def _line(
    output: Path, labels: list[int], scores: list[float], names: Sequence[str] | None, left_out: int | None
) -> str:
    """A line for an example; `left_out` labels are above the threshold and not among these, None without one."""
    rounded = [f"{score:.6g}" for score in scores]
    own = None if names is None else [names[i] for i in labels]
    if output.suffix == ".tsv":
        cells = [",".join(map(str, labels)), ",".join(rounded)]
        cells += [] if own is None else [json.dumps(own, ensure_ascii=False)]
        return "\t".join(cells + ([] if left_out is None else [str(left_out)])) + "\n"
    content: dict[str, Any] = {"labels": labels, "scores": [float(score) for score in rounded]}
    content |= ({} if own is None else {"names": own}) | ({} if left_out is None else {"cut": left_out})
    return json.dumps(content, ensure_ascii=False) + "\n"
