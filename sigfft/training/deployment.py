"""A trained run as one file that a server reloads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sigfft import serving
from sigfft.heads.head import whole
from sigfft.training.evaluate import Threshold
from sigfft.training.finished import load_model
from sigfft.training.thresholds import asked_threshold, deployed_thresholds
from sigfft.training.workdir import Workdir


def export_run(
    workdir: Path | str,
    output: Path | str,
    *,
    head: str | None = None,
    max_features: int | None = None,
    threshold: Threshold | Literal["dev"] = None,
    names: Sequence[str] | None = None,
    **options: Any,
) -> None:
    """Writes a model of a finished run, its best checkpoint, to a file for `sigfft.serving.load`.

    The inputs of the file are batches of the run's examples: "features" (batch, feature_dim) of a dense model; of a
    sparse one "feature_ids" and "feature_values", both (batch, max_features), padded with n_features and with 0; of one
    of texts "tokens" (batch, length), padded with 0, and perhaps "token_mask"; or "image" (batch, height, width, 3). Of
    a run with nearest labels also "nearest_ids", padded with n_labels, "nearest_scores" and "nearest_counts", each
    (batch, n): what `LabelCentroids.nearest` of its label_centroids.npz gives.

    Args:
      workdir: folder of the run.
      output: the file.
      head: name of the head, as the run's table shows it; default: the last one.
      max_features: of a sparse model, features of an example at most; default: what the run was trained with.
      threshold: in logits, one for all labels or one for each; or "dev": what the run chose on its dev split. Default:
        that, or 0 if it chose none.
      names: of the labels, one each; default: those that the run keeps, if any.
      **options: of `sigfft.serving.save`: top, max_cardinality, platforms, block_size.

    Raises:
      ValueError: the run is not what it must be, `max_features` is not known, or as `sigfft.serving.save`.
      OSError: nothing can be written to `output`.
    """
    model, params = load_model(workdir, head)
    run = Workdir(Path(workdir))
    width = run.max_features() if max_features is None else whole("max_features", max_features, 1)
    inputs = {name: (spec.shape, spec.dtype) for name, spec in model.encoder.inputs.items()}
    if "feature_ids" in inputs:
        if not width:
            raise ValueError(
                f"{workdir} was trained with all features of its examples; say how many one may have, as max_features"
            )
        inputs |= {name: ((width,), dtype) for name, (_, dtype) in inputs.items() if name.startswith("feature_")}
    examples = {name: np.zeros((1, *shape), dtype) for name, (shape, dtype) in inputs.items()}
    if threshold is None:
        chosen = deployed_thresholds(workdir, model.name)
        threshold = 0.0 if chosen is None else chosen
    elif isinstance(threshold, str):
        threshold = asked_threshold(workdir, model.name, threshold)
    names = run.label_names() if names is None else names
    options |= {"threshold": threshold, "names": names}
    serving.save(output, model.features, model.output, params, examples, **options)
