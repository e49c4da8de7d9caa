"""Thresholds of a trained head, chosen on the dev split, for `report.json`, for predictions and for exports."""

import functools
import math
import reprlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from sigfft import inference
from sigfft.data import Dataset
from sigfft.files import replacing
from sigfft.files.arrays import open_arrays
from sigfft.metrics import (
    Curves,
    Thresholds,
    best_for_examples,
    choose_thresholds,
    curves_of,
    logit_of,
    make_histograms,
)
from sigfft.training.config import EvalConfig, OptimConfig
from sigfft.training.evaluate import over_split
from sigfft.training.finished import as_written, entry_of
from sigfft.training.model import Model, ModelParams
from sigfft.training.workdir import Workdir

OBJECTIVES = ("micro F1", "macro F1", "sample F1", "exact match")
_BY_LABEL = OBJECTIVES[:2]  # the others are of whole label sets, for which no label can be chosen by itself


class Chosen(NamedTuple):
    """What a dev split chose.

    Attributes:
      values: in logits, what label sets are predicted with: one for all labels, or one for each.
      by_label: for each label, by objective.
      entry: what report.json says of them.
    """

    values: Float32[np.ndarray, ""] | Float32[np.ndarray, " labels"]
    by_label: dict[str, Thresholds]
    entry: dict[str, Any]


def check_thresholding(config: EvalConfig) -> None:
    """Raises ValueError unless thresholds can be chosen as the config asks."""
    if config.threshold not in ("", *OBJECTIVES):
        raise ValueError(f"eval.threshold={config.threshold!r} must be one of: {', '.join(OBJECTIVES)}; or empty")
    if config.threshold_per_label and config.threshold not in _BY_LABEL:
        raise ValueError(
            f"eval.threshold_per_label goes with eval.threshold={' or '.join(_BY_LABEL)}; given {config.threshold!r}"
        )


def chosen_on_dev(
    model: Model, params: ModelParams, dev: Dataset, config: EvalConfig, optim: OptimConfig, path: str
) -> Chosen:
    """The thresholds that a config asks for, chosen on all examples of the dev split.

    `path` is where the report finds those of each label, below the folder of the run.
    """
    n_labels = model.head.n_labels
    # 258 bins a label, and fewer where their counts would take more than some 300 MB
    coarser = max(0, math.ceil(math.log2(n_labels / (1 << 17))))
    histograms = make_histograms(n_labels, resolution=2.0 ** min(coarser - 3, 0))
    block_size = optim.block_size or inference.BLOCK_SIZE

    def of_device(params: ModelParams, batch: dict[str, Any]) -> Curves:
        features, labels, mask = model.features(params["encoder"], batch), batch["labels"], batch["mask"]
        of_head = functools.partial(inference.binned, model.output, params["head"], features, labels, mask)
        return curves_of(of_head(histograms=histograms, block_size=block_size), labels, mask)

    curves = over_split(of_device, dev, optim.batch_size)(params)
    one = {name: choose_thresholds(histograms, curves.counts, name, per_label=False) for name in _BY_LABEL}
    each = {name: choose_thresholds(histograms, curves.counts, name) for name in _BY_LABEL}
    whole = {"sample F1": curves.f1, "exact match": curves.exact}
    for_all = {name: _of_all(float(one[name].values[0]), _reached(one[name], name)) for name in _BY_LABEL}
    for_all |= {name: _of_all(*best_for_examples(histograms, sums, len(dev))) for name, sums in whole.items()}
    if config.threshold_per_label:
        values = each[config.threshold].values
        deployed: dict[str, Any] = {"logit": None, "probability": None}
    else:
        values = np.asarray(for_all[config.threshold]["logit"], np.float32)
        deployed = {name: for_all[config.threshold][name] for name in ("logit", "probability")}
    entry = {
        "split": "dev",
        "examples": len(dev),
        "deployed": {"objective": config.threshold, "per_label": config.threshold_per_label, **deployed},
        "for_all_labels": for_all,
        "per_label": {"file": path, "dev": {name: _reached(each[name], name) for name in _BY_LABEL}},
    }
    return Chosen(values, each, entry)


def write_thresholds(path: Path, chosen: Chosen) -> None:
    """Writes the thresholds of each label to an .npz file: for each objective, and those that are deployed."""
    arrays: dict[str, Any] = {name: thresholds.values for name, thresholds in chosen.by_label.items()}
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, deployed=np.broadcast_to(chosen.values, arrays["micro F1"].shape), **arrays)


def deployed_thresholds(
    workdir: Path | str, head: str | None = None
) -> Float32[np.ndarray, ""] | Float32[np.ndarray, " labels"] | None:
    """What the label sets of a run's head, by default its last one, are predicted with, in logits; None: none chosen.

    Raises:
      ValueError: the folder holds no finished run or no such head; or the file of thresholds is missing, of another
        head, or damaged.
    """
    run = Workdir(workdir)
    with as_written(run):
        entry = entry_of(run, run.read(run.report), head)
        if entry.get("thresholds") is None:
            return None
        deployed = entry["thresholds"]["deployed"]
        if not deployed["per_label"]:
            return _finite(np.asarray(float(deployed["logit"])), f"{run.report}: the threshold")
        path, n_labels = run.thresholds(entry["name"]), entry["head"]["n_labels"]
    if not path.is_file():
        raise ValueError(f"{workdir} lacks {path.relative_to(run.path)}, the thresholds that its report names")
    with open_arrays(path) as arrays:
        if arrays.shapes.get("deployed") != (n_labels,):
            raise ValueError(f"{path} must hold 'deployed', one threshold a label ({n_labels},)")
        return _finite(arrays.read("deployed"), f"{path}: 'deployed'")


def asked_threshold(workdir: Path | str, head: str | None, threshold: float | str) -> Float[np.ndarray, "..."]:
    """A threshold in logits, float32: of a probability, or those that a run chose for its head by "dev".

    Raises:
      ValueError: it is neither, or the run chose none.
    """
    if threshold != "dev":
        return np.asarray(logit_of(float(threshold)))
    chosen = deployed_thresholds(workdir, head)
    if chosen is None:
        raise ValueError(
            f"{workdir} chose no threshold: it had no dev split, or its eval.threshold was empty; "
            "give a probability, such as 0.5"
        )
    return chosen


def _finite(values: np.ndarray, what: str) -> np.ndarray:
    """The values in float32; raises ValueError where they are no numbers that fit there."""
    if values.dtype.kind != "f" or not (np.abs(values) <= np.finfo(np.float32).max).all():
        raise ValueError(f"{what} must be finite logits, as a run writes them; given {reprlib.repr(values.tolist())}")
    return values.astype(np.float32)


def _of_all(logit: float, reached: float) -> dict[str, float]:
    return {"logit": logit, "probability": 1 / (1 + math.exp(-logit)), "dev": reached}


def _reached(thresholds: Thresholds, objective: str) -> float:
    return thresholds.micro_f1 if objective == "micro F1" else thresholds.macro_f1
