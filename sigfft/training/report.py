"""Report of a run: an entry for each head, their table, verdicts, figures, and the page of it all."""

import json
import logging
import platform
from typing import Any, NamedTuple

import jax
import numpy as np

import sigfft
from sigfft import figures, labels
from sigfft.argmaxability import HeadReport
from sigfft.data import Splits
from sigfft.files import write_text
from sigfft.training.checkpoint import Progress
from sigfft.training.config import Config
from sigfft.training.encoder import PureEncoder
from sigfft.training.evaluate import LOSS, Checked
from sigfft.training.log import read_log
from sigfft.training.memory import peak_memory
from sigfft.training.model import Model
from sigfft.training.page import write_page
from sigfft.training.thresholds import OBJECTIVES, Chosen, write_thresholds
from sigfft.training.workdir import Workdir

_LOG = logging.getLogger(__name__)
_TRAINED_BY = (
    *("learning_rate", "head_learning_rate", "batch_size", "steps", "warmup_steps"),
    *("weight_decay", "encoder_weight_decay"),
)
TABLE_METRICS = ("P@1", "P@5", "F1@5")
# What entries of report.json mean, for readers of the file.
MEANINGS = {
    "test": "metrics of the test split, as fractions; those of label sets are of labels with a logit above 0",
    "thresholds": "chosen on the dev split, in logits; null: there was no dev split, or eval.threshold was empty",
    "test_at_threshold": "metrics of the test split's label sets above the deployed thresholds; null without any",
    "argmaxability": (
        "distinct test label sets by what is proved of the stored weights and some z, for labels with a logit above 0; "
        "null: not checked"
    ),
    "argmaxability.ideal": "sets that the head's guarantee covers in real arithmetic; null: the head promises nothing",
    "argmaxability.deployed": (
        "sets that a z was found for in the jitted float32 forward pass; of the others none was found, none ruled out"
    ),
    "argmaxability_on_features": "as argmaxability, of the features that z is made from; null: not checked",
    "argmaxability_at_threshold": (
        "as argmaxability, for labels with a logit above the deployed thresholds: the layer with bias - thresholds; "
        "null: no thresholds, or not checked. rounded: labels whose difference float64 rounds"
    ),
    "trained_by": (
        "what the config says, or leaves to data, head and tuning; metric: what dev, if there, chose the best step by"
    ),
    "seconds": "of training, compilation included; evaluations and checkpoints not",
    "check_seconds": "of all checks of the head; null: not checked",
}


class Scores(NamedTuple):
    """Test metrics of a head: of logits above 0, and above the thresholds that the dev split chose, if any."""

    test: dict[str, float]
    at_threshold: dict[str, float] | None = None
    chosen: Chosen | None = None


def table(entries: list[dict[str, Any]]) -> str:
    """The heads of a report side by side, as text."""
    columns = ["head", "parameters", *TABLE_METRICS, "best step", "seconds"]
    columns += ["sets", "unargmaxable", "undecided", "unargmaxable on features", "check seconds"]
    rows = [columns]
    for entry in entries:
        sizes = [entry["name"], f"{entry['parameters']:,}"]
        test = [_shown(entry["test"].get(name), ".4f") for name in TABLE_METRICS]
        course = [str(entry["best_step"]), f"{entry['seconds']:.0f}"]
        counts, on_features = entry["argmaxability"] or {}, entry["argmaxability_on_features"] or {}
        sets = [counts.get(name) for name in ("checked", "unargmaxable", "undecided")]
        sets.append(on_features.get("unargmaxable"))
        rows.append([*sizes, *test, *course, *map(_shown, sets), _shown(entry["check_seconds"], ".0f")])
    return _aligned(rows)


def notes(content: dict[str, Any]) -> list[str]:
    """What to know of the results, a line each: best steps that are the first or last, and what verdicts leave out."""
    lines = []
    for entry in content["heads"] if "dev" in content["data"]["examples"] else []:
        best, by = entry["best_step"], entry["trained_by"]
        if best == min(by["every"], entry["steps"]):
            what = "first that was evaluated: a lower optim.learning_rate or eval.every may score better"
        elif best == entry["steps"]:
            what = "last: more optim.epochs or optim.steps may score better"
        else:
            continue
        lines.append(f"{entry['name']}: the best step by {by['metric']}, {best}, is the {what}")
    checked = any(entry.get("argmaxability_on_features") for entry in content["heads"])
    if checked and "nearest_ids" in content["encoder"]["inputs"]:
        lines.append(
            "verdicts on features are of examples that have no near label; what near labels add to z is not in them"
        )
    return lines


def threshold_table(entries: list[dict[str, Any]]) -> str:
    """Label sets above a threshold, of each head: at the probability 0.5 and as the dev split chose, as text."""
    rows = [["head", "threshold", *OBJECTIVES, "sets", "unargmaxable"]]
    for entry in entries:
        lines = [("0.5", entry["test"], entry["argmaxability"])]
        if entry["thresholds"] is not None:
            deployed = entry["thresholds"]["deployed"]
            told = "per label" if deployed["per_label"] else f"{deployed['probability']:.3f}"
            told = f"{told} ({deployed['objective']})"
            lines.append((told, entry["test_at_threshold"], entry["argmaxability_at_threshold"]))
        for told, metrics, counts in lines:
            counted = [(counts or {}).get(name) for name in ("checked", "unargmaxable")]
            rows.append([entry["name"], told, *(f"{metrics[name]:.4f}" for name in OBJECTIVES), *map(_shown, counted)])
    if all(entry["thresholds"] is None for entry in entries):
        return f"{_aligned(rows)}\nno threshold was chosen: that takes a dev split (data.dev_share) and eval.threshold"
    return _aligned(rows)


def entry_of(
    model: Model, config: Config, steps: int, progress: Progress, scores: Scores, checked: Checked | None
) -> dict[str, Any]:
    """What report.json holds of a head: its size, how training went, its test metrics, and what was checked, if so.

    `config` is the one that it was trained by, with nothing left open.
    """
    counts = on_features = at_threshold = None
    if checked is not None:
        counts = checked.of_z.counts() | {
            "ideal": None if model.head.circle is None else _argmaxable(checked.of_z.ideal),
            "deployed": _argmaxable(checked.of_z.deployed),
        }
        on_features = checked.of_features and checked.of_features.counts()
        if checked.at_threshold is not None:
            at_threshold = checked.at_threshold.counts() | {"rounded": checked.rounded}
    chosen, at = scores.chosen, scores.at_threshold
    return {
        "name": model.name,
        "kind": model.head.kind,
        "head": model.head.arguments,
        "parameters": model.head.n_parameters(),
        "steps": steps,
        "best_step": progress.best_step,
        "trained_by": {
            **{name: getattr(config.optim, name) for name in _TRAINED_BY},
            "dropout": model.encoder.arguments.get("dropout"),
            "every": config.eval.every,
            "metric": config.eval.metric,
            "patience": config.eval.patience,
        },
        "seconds": round(progress.seconds, 2),
        "test": scores.test,
        "thresholds": None if chosen is None else chosen.entry,
        "test_at_threshold": None if at is None else {name: at[name] for name in OBJECTIVES},
        "argmaxability": counts,
        "argmaxability_on_features": on_features,
        "argmaxability_at_threshold": at_threshold,
        "check_seconds": None if checked is None else round(checked.seconds, 2),
    }


def content_of(name: str, splits: Splits, encoder: PureEncoder, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """What report.json holds: the config's name, data, encoder, software and devices, and an entry for each head."""
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
        "encoder": encoder.to_json(),
        "versions": {
            "sigfft": sigfft.__version__,
            "jax": jax.__version__,
            "python": platform.python_version(),
            "devices": f"{len(devices)} × {devices[0].device_kind}",
        },
        "memory": peak_memory(),
        "heads": entries,
        "meaning": MEANINGS,
    }


def write_report(
    workdir: Workdir, content: dict[str, Any], results: dict[str, tuple[Scores, Checked | None]], metric: str
) -> None:
    """Writes verdicts and thresholds by name of the head, report.json, figures with a curve of the metric, and a page.

    A page that fails is a warning: the run is whole without it.
    """
    for name, (scores, checked) in results.items():
        if scores.chosen is not None:
            write_thresholds(workdir.thresholds(name), scores.chosen)
        if checked is not None:
            workdir.verdicts(name).parent.mkdir(exist_ok=True)
            checked.of_z.save(workdir.verdicts(name))
            if checked.of_features is not None:
                checked.of_features.save(workdir.verdicts_on_features(name))
            if checked.at_threshold is not None:
                checked.at_threshold.save(workdir.verdicts_at_threshold(name))
    write_text(workdir.report, json.dumps(content, indent=2))
    _write_figures(workdir, content, {name: checked.of_z for name, (_, checked) in results.items() if checked}, metric)
    try:
        write_page([workdir.path], workdir.page)
    except Exception as error:  # whatever it is, what was trained is there
        _LOG.warning("%s cannot be written (%s: %s)", workdir.page, type(error).__name__, " ".join(str(error).split()))


def _write_figures(workdir: Workdir, content: dict[str, Any], verdicts: dict[str, HeadReport], metric: str) -> None:
    """Each figure as .png, and as .svg for print."""
    entries, n_labels = content["heads"], content["data"]["n_labels"]
    curves: dict[str, list[dict]] = {entry["name"]: [] for entry in entries}
    for line in read_log(workdir):
        if line["head"] in curves:
            shown = {
                name if name == f"dev {LOSS}" else name.removeprefix("dev "): value for name, value in line.items()
            }
            curves[line["head"]].append(shown)
    drawn = {
        "learning_curve": figures.learning_curve(curves, f"dev {LOSS}" if metric == LOSS else metric),
        "metrics_against_k": figures.metric_against_k({entry["name"]: entry["test"] for entry in entries}),
    }
    if verdicts:
        sets = {name: (labels.cardinality(own.label_sets, n_labels), own.status) for name, own in verdicts.items()}
        drawn["argmaxable_share"] = figures.argmaxable_share(sets)
    conflicts = {name: own.conflicts() for name, own in verdicts.items()}
    if any(conflicts.values()):
        drawn["conflicting_labels"] = figures.conflicting_labels(conflicts, workdir.label_names())
    for name, figure in drawn.items():
        for suffix in ("png", "svg"):
            figures.save(figure, workdir.figures / f"{name}.{suffix}")


def _aligned(rows: list[list[str]]) -> str:
    """Rows of text, the header first, as columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(c.ljust(w) if not i else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _shown(value: float | None, form: str = "") -> str:
    return "-" if value is None else format(value, form)


def _argmaxable(status: np.ndarray) -> int:
    return int((status == "argmaxable").sum())
