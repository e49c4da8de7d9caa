"""Report of a run: an entry for each head, their table, verdicts, figures."""

import json
import platform
from typing import Any

import jax

import sigfft
from sigfft import figures, labels
from sigfft.argmaxability import HeadReport, Report
from sigfft.data import Splits
from sigfft.files import write_text
from sigfft.training.checkpoint import Progress
from sigfft.training.model import Model
from sigfft.training.workdir import Workdir, read_log

TABLE_METRICS = ("P@1", "P@5", "F1@5")


def table(entries: list[dict[str, Any]]) -> str:
    """The heads of a report side by side, as text."""
    columns = ["head", "parameters", *TABLE_METRICS, "best step", "seconds"]
    columns += ["sets", "unargmaxable", "undecided", "unargmaxable on features"]
    rows = [columns]
    for entry in entries:
        sizes = [entry["name"], f"{entry['parameters']:,}"]
        test = [f"{entry['test'][name]:.4f}" if name in entry["test"] else "-" for name in TABLE_METRICS]
        course = [str(entry["best_step"]), f"{entry['seconds']:.0f}"]
        counts = entry["argmaxability"] or dict.fromkeys(("checked", "unargmaxable", "undecided"), "-")
        on_features = entry["argmaxability_on_features"] or counts
        sets = [counts["checked"], counts["unargmaxable"], counts["undecided"], on_features["unargmaxable"]]
        rows.append([*sizes, *test, *course, *map(str, sets)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(c.ljust(w) if not i else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def entry_of(
    model: Model,
    steps: int,
    progress: Progress,
    test: dict[str, float],
    checked: tuple[HeadReport, Report | None] | None,
) -> dict[str, Any]:
    """What report.json holds of a head: its size, how training went, its test metrics, and what was checked, if so."""
    of_z, of_features = checked or (None, None)
    counts = None
    if of_z is not None:
        truths = {"ideal": of_z.ideal, "deployed": of_z.deployed}
        counts = of_z.counts() | {name: int((status == "argmaxable").sum()) for name, status in truths.items()}
    return {
        "name": model.name,
        "kind": model.head.kind,
        "head": model.head.arguments,
        "parameters": model.head.n_parameters(),
        "steps": steps,
        "best_step": progress.best_step,
        "seconds": round(progress.seconds, 2),
        "test": test,
        "argmaxability": counts,
        "argmaxability_on_features": None if of_features is None else of_features.counts(),
    }


def content_of(name: str, splits: Splits, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """What report.json holds: the config's name, the data, software and devices, and an entry for each head."""
    data, devices = splits["train"], jax.devices()
    return {
        "name": name,
        "data": {
            "examples": {name: len(split) for name, split in splits.items()},
            "about": data.origin.about,
            "n_labels": data.n_labels,
            "n_features": data.n_features,
            "feature_dim": data.feature_dim,
            "mean_cardinality": data.mean_cardinality,
            "max_cardinality": data.max_cardinality,
        },
        "versions": {
            "sigfft": sigfft.__version__,
            "jax": jax.__version__,
            "python": platform.python_version(),
            "devices": f"{len(devices)} × {devices[0].device_kind}",
        },
        "heads": entries,
    }


def write_report(workdir: Workdir, content: dict[str, Any], verdicts: dict[str, Report], metric: str) -> None:
    """Writes verdicts by name of the head, report.json, and figures, with a learning curve of the metric."""
    for name, report in verdicts.items():
        workdir.verdicts(name).parent.mkdir(exist_ok=True)
        report.save(workdir.verdicts(name))
    write_text(workdir.report, json.dumps(content, indent=2))
    folder, entries, n_labels = workdir.figures, content["heads"], content["data"]["n_labels"]
    folder.mkdir(exist_ok=True)
    curves: dict[str, list[dict]] = {entry["name"]: [] for entry in entries}
    for line in read_log(workdir):
        if line["head"] in curves:
            curves[line["head"]].append({name.removeprefix("dev "): value for name, value in line.items()})
    figures.save(figures.learning_curve(curves, metric), folder / "learning_curve.png")
    tests = {entry["name"]: entry["test"] for entry in entries}
    figures.save(figures.metric_against_k(tests), folder / "metrics_against_k.png")
    if verdicts:
        sets = {name: (labels.cardinality(own.label_sets, n_labels), own.status) for name, own in verdicts.items()}
        figures.save(figures.argmaxable_share(sets), folder / "argmaxable_share.png")
