"""One experiment from its config to its report: every head trained, evaluated and checked on the same data."""

import dataclasses
import inspect
import json
import platform
from pathlib import Path
from typing import Any

import jax

import sigfft
from sigfft import figures, labels
from sigfft.argmaxability import HeadReport, Report
from sigfft.data import SOURCES, Dataset, load
from sigfft.files import write_text
from sigfft.metrics import Metrics, make_metrics, propensities
from sigfft.training.config import Config, OptimConfig, check_values, differences
from sigfft.training.evaluate import check_label_sets, make_evaluate
from sigfft.training.loop import Trained, train
from sigfft.training.model import Model, make_models
from sigfft.training.processes import first_process_first, is_first_process
from sigfft.training.records import read_log, slug

TABLE_METRICS = ("P@1", "P@5", "F1@5")


def run(config: Config, workdir: Path | str, *, resume: bool = False) -> dict[str, Any]:
    """Trains, evaluates and checks the heads of a config; prints their table and writes report.json and figures.

    Args:
      config: the experiment.
      workdir: everything is written below this folder.
      resume: go on with the run that the folder holds.

    Returns:
      The content of report.json.

    Of several processes (`jax.distributed`), which must see one workdir, each trains on its share of every batch and
    the first one writes.

    Raises:
      ValueError: what the config asks for cannot be, or the folder holds another run. Nothing is written then.
      FloatingPointError: the loss of a step was not finite.
    """
    workdir = Path(workdir)
    _check_workdir(workdir, config, resume)
    check_values(config)
    _check_devices(config.optim)
    with first_process_first("data"):
        splits = load_splits(config)
    models = make_models(config, splits["train"])
    metrics = make_metrics(
        splits["train"].n_labels,
        [k for k in config.eval.ks if k <= splits["train"].n_labels],
        propensities=propensities(
            splits["train"].label_counts(), len(splits["train"]), config.eval.propensity_a, config.eval.propensity_b
        ),
    )
    _check_stopping(config, metrics, "dev" in splits)
    with first_process_first("folder"):  # all have looked into it before
        workdir.mkdir(parents=True, exist_ok=True)
        if is_first_process():
            write_text(workdir / "config.json", json.dumps(dataclasses.asdict(config), indent=2))

    entries: list[dict[str, Any]] = []
    verdicts: dict[str, Report] = {}
    for model in models:
        evaluations = {
            split: make_evaluate(model, metrics, splits[split], config.optim.batch_size, limit, config.optim.block_size)
            for split, limit in {"dev": config.eval.max_dev_examples, "test": 0}.items()
            if split in splits
        }
        trained = train(model, config, splits["train"], evaluations.get("dev"), workdir, resume)
        test = evaluations["test"](trained.params)
        entries.append(_entry(model, trained, test))
        if config.check.max_sets >= 0:
            of_z, of_features = check_label_sets(
                model.head, trained.params["head"], splits["test"], config.check.max_sets
            )
            verdicts[model.name] = of_z
            entries[-1] |= _argmaxability(of_z, of_features)

    content = {"name": config.name, "data": _describe(splits), "versions": _versions(), "heads": entries}
    if is_first_process():
        _write(workdir, content, verdicts, config.eval.metric)
        print(table(entries))
    return content


def load_splits(config: Config) -> dict[str, Dataset]:
    """The splits of a config's data, with a dev split held out of the training examples where it asks for one."""
    data = config.data
    _, *taken = inspect.signature(SOURCES[data.source]).parameters if data.source in SOURCES else ("cache_dir",)
    options = {name: getattr(data, name) for name in taken}
    splits = load(data.source, Path(data.cache_dir).expanduser(), **options)
    if "dev" not in splits and data.dev_share:
        splits["train"], splits["dev"] = splits["train"].hold_out(data.dev_share, config.seed)
    return splits


def table(entries: list[dict[str, Any]]) -> str:
    """The heads of a report side by side, as text."""
    header = ["head", "parameters", *TABLE_METRICS, "best step", "seconds"]
    header += ["sets", "unargmaxable", "undecided", "unargmaxable on features"]
    rows = [header]
    for entry in entries:
        counts = entry["argmaxability"] or dict.fromkeys(("checked", "unargmaxable", "undecided"), "-")
        on_features = entry["argmaxability_on_features"] or counts
        rows.append(
            [
                entry["name"],
                f"{entry['parameters']:,}",
                *(f"{entry['test'][name]:.4f}" if name in entry["test"] else "-" for name in TABLE_METRICS),
                str(entry["best_step"]),
                f"{entry['seconds']:.0f}",
                *(str(counts[name]) for name in ("checked", "unargmaxable", "undecided")),
                str(on_features["unargmaxable"]),
            ]
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = [
        "  ".join(c.ljust(w) if not i else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _entry(model: Model, trained: Trained, test: dict[str, float]) -> dict[str, Any]:
    return {
        "name": model.name,
        "kind": model.head.kind,
        "head": dict(model.head.arguments),
        "parameters": model.head.n_parameters(),
        "steps": trained.steps,
        "best_step": trained.best_step,
        "seconds": round(trained.seconds, 2),
        "test": test,
        "argmaxability": None,
        "argmaxability_on_features": None,
    }


def _argmaxability(of_z: HeadReport, of_features: Report | None) -> dict[str, Any]:
    """Counts of label sets: what z yields, promised and deployed as well, and what the features reach."""
    truths = {"ideal": of_z.ideal, "deployed": of_z.deployed}
    counts = of_z.counts() | {name: int((status == "argmaxable").sum()) for name, status in truths.items()}
    on_features = None if of_features is None else of_features.counts()
    return {"argmaxability": counts, "argmaxability_on_features": on_features}


def _describe(splits: dict[str, Dataset]) -> dict[str, Any]:
    train_split = splits["train"]
    return {
        "examples": {name: len(split) for name, split in splits.items()},
        "n_labels": train_split.n_labels,
        "n_features": train_split.n_features,
        "feature_dim": train_split.feature_dim,
        "mean_cardinality": train_split.mean_cardinality,
        "max_cardinality": train_split.max_cardinality,
    }


def _versions() -> dict[str, str]:
    device = jax.devices()[0]
    return {
        "sigfft": sigfft.__version__,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "devices": f"{jax.device_count()} × {device.device_kind}",
    }


def _write(workdir: Path, content: dict[str, Any], verdicts: dict[str, Report], metric: str) -> None:
    for name, report in verdicts.items():
        (workdir / "verdicts").mkdir(exist_ok=True)
        report.save(workdir / "verdicts" / f"{slug(name)}.jsonl")
    write_text(workdir / "report.json", json.dumps(content, indent=2))
    _draw(workdir, content["heads"], verdicts, content["data"]["n_labels"], metric)


def _draw(workdir: Path, entries: list[dict], verdicts: dict[str, Report], n_labels: int, metric: str) -> None:
    folder = workdir / "figures"
    folder.mkdir(exist_ok=True)
    curves: dict[str, list[dict]] = {entry["name"]: [] for entry in entries}
    for line in read_log(workdir):
        if line["head"] in curves:
            curves[line["head"]].append({name.removeprefix("dev "): value for name, value in line.items()})
    figures.save(figures.learning_curve(curves, metric), folder / "learning_curve.png")
    figures.save(
        figures.metric_against_k({entry["name"]: entry["test"] for entry in entries}), folder / "metrics_against_k.png"
    )
    if verdicts:
        by_head = {
            name: (labels.cardinality(report.label_sets, n_labels), report.status) for name, report in verdicts.items()
        }
        figures.save(figures.argmaxable_share(by_head), folder / "argmaxable_share.png")


def _check_workdir(workdir: Path, config: Config, resume: bool) -> None:
    before = workdir / "config.json"
    if not before.exists():
        if resume:
            raise ValueError(f"{workdir} holds no run to resume; leave --resume out to start one there")
        if workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
            raise ValueError(f"{workdir} is not empty and holds no run; give a new folder as --workdir")
        return
    if not resume:
        raise ValueError(f"{workdir} holds a run already; add --resume to go on with it, or give another --workdir")
    changed = differences(config, json.loads(before.read_text(encoding="utf-8")))
    if changed:
        raise ValueError(f"{workdir} holds a run of another config; it differs in {', '.join(changed)}")


def _check_devices(optim: OptimConfig) -> None:
    count, local = jax.device_count(), jax.local_device_count()
    if optim.batch_size % count:
        raise ValueError(
            f"optim.batch_size={optim.batch_size} must be a multiple of the {count} devices; "
            f"try {max(1, round(optim.batch_size / count)) * count}"
        )
    if local % optim.label_shards:
        possible = ", ".join(str(shards) for shards in range(1, local + 1) if local % shards == 0)
        raise ValueError(
            f"optim.label_shards={optim.label_shards} must divide the {local} devices of a process; try {possible}"
        )


def _check_stopping(config: Config, metrics: Metrics, has_dev: bool) -> None:
    if config.eval.metric not in metrics.names:
        raise ValueError(f"eval.metric={config.eval.metric!r} is not one of: {', '.join(metrics.names)}")
    if config.eval.patience and not has_dev:
        raise ValueError(
            f"eval.patience={config.eval.patience} needs a dev split, which this data set lacks; "
            "set --config.data.dev_share=0.1 to hold one out, or --config.eval.patience=0"
        )
