"""One experiment from its config to its report: every head trained, evaluated and checked on the same data."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax
import numpy as np

from sigfft.data import SOURCES, Dataset, DenseFeatures, SparseFeatures, Splits, recognised
from sigfft.data.digests import fingerprint
from sigfft.encoders import ENCODERS
from sigfft.metrics import Metrics, make_metrics, propensities
from sigfft.terminal import fitted
from sigfft.training.agreement import agree_on_data, agree_on_start
from sigfft.training.arguments import arguments_for, chosen
from sigfft.training.checkpoint import check_path
from sigfft.training.config import Config
from sigfft.training.config_checks import check_values
from sigfft.training.devices import check_devices
from sigfft.training.encoded import encoded_splits
from sigfft.training.evaluate import LOSS, Checked, check_label_sets, make_evaluate, with_loss
from sigfft.training.loop import train
from sigfft.training.model import Model, guarantee_line, make_models
from sigfft.training.nearest import nearest_line, with_nearest
from sigfft.training.preemption import Notice
from sigfft.training.processes import first_process_first, is_first_process, of_the_first
from sigfft.training.report import Scores, content_of, entry_of, notes, table, threshold_table, write_report
from sigfft.training.resume import begun_run, check_origin
from sigfft.training.settled import settle
from sigfft.training.step import make_loss
from sigfft.training.thresholds import check_thresholding, chosen_on_dev
from sigfft.training.tuning import tuned
from sigfft.training.workdir import Workdir


def run(
    config: Config, workdir: Path | str, *, resume: str | bool = False, splits: Splits | None = None, show: bool = True
) -> dict[str, Any]:
    """Trains, evaluates and checks the heads of a config; prints their table and writes report.json and figures.

    Everything is written below the folder `workdir`; where it holds a run of this config, `resume` goes on with it. Of
    several processes (`jax.distributed`), which must see one workdir, each trains on its share of every batch, checks
    its share of the label sets, and the first one writes.

    Data of one's own need no file. With features (examples, feature_dim) and label sets in memory, a split is::

        Dataset(DenseFeatures(features), sigfft.labels.pad(label_sets, n_labels), n_labels)

    of `sigfft.data`, and `splits={"train": ..., "dev": ..., "test": ...}` takes the place of the config's source.

    Args:
      config: the experiment.
      workdir: folder of the run.
      resume: "auto" goes on with the run that the folder holds, and starts one where there is nothing; "always", or
        True, wants a run there; "never", or False, wants none. What results do not depend on may differ from the run's
        config, such as the cache or how labels are split over devices; all else is named.
      splits: "train", "test" and perhaps "dev"; None: those of `config.data`, of which only `dev_share` counts for
        given ones. config.json names their source "given", and a run that resumes needs the same splits again.
      show: print the table.

    Returns:
      The content of report.json.

    Raises:
      ValueError: what the config asks for cannot be, or the folder holds another run, one of other data, or is in use
        by another process. Nothing is written then.
      FloatingPointError: the loss of a step was not finite.
      OSError: a checkpoint could not be written.
      Preempted: SIGTERM or SIGINT ended the run, or the platform's notice; what was trained is saved.
    """
    folder = Workdir(workdir)
    with Notice(folder.path).watching() as notice:
        if splits is not None:
            _check_splits(splits)
            config = dataclasses.replace(config, data=dataclasses.replace(config.data, source="given"))
        agree_on_start(config, folder.path)
        check_path(folder.path)
        check_values(config)
        check_thresholding(config.eval)
        check_devices(config.optim)
        make_loss(config.optim)  # refuses what is wrong before anything is written
        with folder.held():
            return _run(config, folder, resume, splits, show, notice)


def _run(
    config: Config, folder: Workdir, resume: str | bool, given: Splits | None, show: bool, notice: Notice
) -> dict[str, Any]:
    """`run` in a folder that this process holds."""
    origin = begun_run(folder, config, resume)
    with first_process_first("data"):
        splits = load_splits(config) if given is None else given
    data = fingerprint(splits)
    agree_on_data(splits, data)
    if origin is not None:
        check_origin(folder, origin, data)
    splits, centroids = with_nearest(with_dev(splits, config), config)
    models = make_models(config, splits["train"])
    metrics = metrics_of(config, splits["train"])
    parts = [config.head] if len(models) == 1 else [config.baseline, config.head]
    settled = [
        settle(config, splits, model, part is config.baseline) for model, part in zip(models, parts, strict=True)
    ]
    for own in settled:
        check_devices(own.optim)
        check_stopping(own, metrics, "dev" in splits)
    with first_process_first("folder"):  # all have looked into it before
        if is_first_process():
            folder.remove_parts()
            folder.write_config(config, data)
            folder.write_origin(splits["train"].origin)
            if centroids is not None:
                centroids.save(folder.centroids)
            if show and splits["train"].origin.about:
                print(splits["train"].origin.about)
            if show and centroids is not None:
                print(nearest_line(splits["train"]))
            for model, part in zip(models, parts, strict=True):
                if show and model.head.max_cardinality:
                    print(guarantee_line(part, splits["train"], model.head))
    del centroids  # which are large
    seen = _encoded(models[0], settled[0], splits) if config.encoder.frozen and config.encoder.cached else splits

    goes_on = origin is not None
    entries: list[dict[str, Any]] = []
    results: dict[str, tuple[Scores, Checked | None]] = {}
    for model, own in zip(models, settled, strict=True):
        evaluations = {
            split: make_evaluate(model, metrics, seen[split], own.optim.batch_size, limit, own.optim.block_size)
            for split, limit in {"dev": config.eval.max_dev_examples, "test": 0}.items()
            if split in splits
        }
        if (own.eval.loss or own.eval.metric == LOSS) and "dev" in splits:
            sizes = own.optim.batch_size, config.eval.max_dev_examples, own.optim.block_size
            evaluations["dev"] = with_loss(evaluations["dev"], model, make_loss(config.optim), seen["dev"], *sizes)
        if own.tune.trials:
            model, own = tuned(model, own, seen["train"], evaluations["dev"], folder, notice, show)
        params, steps, progress = train(model, own, seen["train"], evaluations.get("dev"), folder, goes_on, notice)
        scores, chosen = Scores(evaluations["test"](params)), None
        if config.eval.threshold and "dev" in splits:
            path = folder.thresholds(model.name).relative_to(folder.path).as_posix()
            chosen = chosen_on_dev(model, params, seen["dev"], config.eval, own.optim, path)
            scores = scores._replace(at_threshold=evaluations["test"](params, chosen.values), chosen=chosen)
        checked = None
        if config.check.max_sets >= 0:
            levels = None if chosen is None else chosen.values
            limited = splits["test"], config.check.max_sets, model.domain
            checked = check_label_sets(model.head, params["head"], *limited, levels)
        results[model.name] = scores, checked
        entries.append(of_the_first(entry_of(model, own, steps, progress, scores, checked)))
    content = content_of(config.name, splits, models[0].encoder, entries)
    if is_first_process():
        write_report(folder, content, results, settled[-1].eval.metric)
        if show:
            print("\n".join([fitted(table(entries)), *notes(content), "", fitted(threshold_table(entries))]))
    return content


def load_splits(config: Config) -> Splits:
    """The splits of a config's data source."""
    data, name = config.data, config.data.source
    if name == "auto":
        name = recognised(data.dir, data.text_columns, data.image_column, data.label_column)
    reads = getattr(ENCODERS.get(config.encoder.kind), "reads", ())
    if name == "text" and not data.text_as and "tokens" in reads:
        data = dataclasses.replace(data, text_as="tokens")
    source = functools.partial(chosen(SOURCES, name, "data.source"), data.cache)
    apart = ("source", "cache_dir", "dev_share")
    return source(**arguments_for(source, data, "data", name, apart=apart))


def metrics_of(config: Config, train: Dataset) -> Metrics:
    """The metrics that a config measures on the splits of a data set."""
    counts, (a, b) = train.label_counts(), (config.eval.propensity_a, config.eval.propensity_b)
    ks = [k for k in config.eval.ks if k <= train.n_labels]
    if config.eval.ks and not ks:
        raise ValueError(f"eval.ks={config.eval.ks} must have a cut-off of at most the {train.n_labels} labels")
    return make_metrics(train.n_labels, ks, propensities=propensities(counts, len(train), a, b))


def with_dev(splits: Splits, config: Config) -> Splits:
    """The splits, with a dev split held out of the training examples where the config asks for one."""
    if "dev" in splits or not config.data.dev_share:
        return splits
    train, dev = splits["train"].hold_out(config.data.dev_share, config.seed)
    return {**splits, "train": train, "dev": dev}


def _encoded(model: Model, config: Config, splits: Splits) -> Splits:
    """The splits with features in place of what the frozen encoder reads, which is the same for all heads."""
    params = model.init(jax.random.key(config.seed))["encoder"]
    with first_process_first("features"):
        return encoded_splits(model.encoder, params, splits, config.optim.batch_size, config.data.cache)


def _check_splits(splits: Splits) -> None:
    """Raises ValueError unless these are a train, a test and perhaps a dev split of one data set."""
    if not {"train", "test"} <= splits.keys() <= {"train", "dev", "test"}:
        raise ValueError(f"splits must be train, test and perhaps dev; given {', '.join(splits) or 'none'}")
    for name, split in splits.items():
        for size in ("n_labels", "n_features", "feature_dim"):
            own, of_train = getattr(split, size), getattr(splits["train"], size)
            if own != of_train:
                raise ValueError(f"the {name} split has {size}={own}, the train split {of_train}; they must agree")
        if not len(split):
            raise ValueError(f"the {name} split has no example")
        if len(wrong := np.argwhere((split.labels < 0) | (split.labels > split.n_labels))):
            label = split.labels[tuple(wrong[0])]
            raise ValueError(
                f"example {wrong[0, 0]} of the {name} split has label {label}; expected 0 to {split.n_labels - 1}, and "
                f"{split.n_labels} where a row has fewer labels"
            )
        _check_finite(name, split.features)


def _check_finite(name: str, features: Any) -> None:
    if not isinstance(features, SparseFeatures | DenseFeatures) or (finite := np.isfinite(features.values)).all():
        return
    example = int(np.argwhere(~finite)[0, 0])
    if isinstance(features, SparseFeatures):
        example = int(np.searchsorted(features.indptr, example, "right")) - 1
    raise ValueError(f"features must be finite; those of example {example} of the {name} split are not")


def check_stopping(config: Config, metrics: Metrics, has_dev: bool) -> None:
    """Raises ValueError unless a settled config's metric is measured, and there is a dev split for what needs one."""
    if config.eval.metric not in (*metrics.names, LOSS):
        raise ValueError(f"eval.metric={config.eval.metric!r} is not one of: {', '.join((*metrics.names, LOSS))}")
    if config.tune.trials and not has_dev:
        raise ValueError(
            f"tune.trials={config.tune.trials} needs a dev split, which this data set lacks; set data.dev_share=0.1"
        )
    if config.eval.patience and not has_dev:
        raise ValueError(
            f"eval.patience={config.eval.patience} needs a dev split, which this data set lacks; "
            "set data.dev_share=0.1 to hold one out, or eval.patience=0"
        )
