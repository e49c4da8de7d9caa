"""What is measured of a run of a sweep once it has been trained: its row of the table, and its label sets."""

import logging
import shutil
import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from sigfft import labels
from sigfft.argmaxability.epsilon import EPSILON, epsilon_argmaxable
from sigfft.argmaxability.of_heads.head_report import check_rows
from sigfft.argmaxability.of_heads.on_features import check_features
from sigfft.argmaxability.of_heads.streamed import HELD, check_streamed
from sigfft.argmaxability.report import Report
from sigfft.argmaxability.rules import named
from sigfft.data import Dataset
from sigfft.domains import domain_of
from sigfft.heads import stored_layer
from sigfft.training.evaluate import LOSS, evenly
from sigfft.training.finished import load_model
from sigfft.training.log import read_log
from sigfft.training.sweep.records import Evaluation, Record, Row, write_check, write_record
from sigfft.training.workdir import Workdir

_LOG = logging.getLogger(__name__)
# Columns of what `check` measures
CHECKED = (
    *("sets_checked", "argmaxable_z", "undecided", "sets_checked_features", "argmaxable_features"),
    *("epsilon", "epsilon_argmaxable_z", "check_seconds"),
)
# At most so many label sets are checked on features: a search there has as many unknowns as there are features
_ON_FEATURES = 20


def measure(folder: Workdir) -> None:
    """Writes the record of a run that was trained: `is_finished` from here on."""
    model, params = load_model(folder.path)
    sizes = {
        "parameters": model.head.n_parameters() + sum(leaf.size for leaf in jax.tree.leaves(params["encoder"])),
        "dim": model.head.dim,
        "numpy": np.__version__,
    }
    report, curve = folder.read(folder.report), _evaluations(folder)
    write_record(folder, Record(_row(report, folder.read(folder.config), curve, sizes), curve))


def check(folder: Workdir, test: Dataset, max_sets: int) -> None:
    """Checks distinct label sets of the test split on a finished run, keeps the verdicts, and writes what tables tell.

    Args:
      folder: of a run whose best parameters are there.
      test: the test split.
      max_sets: at most so many, evenly spaced; 0: all. Of features at most `_ON_FEATURES`.
    """
    begun = time.perf_counter()
    (model, params), distinct = load_model(folder.path), evenly(labels.dedupe(test.labels)[0], max_sets)
    head, own = model.head, params["head"]
    held, share, on_features = head.n_labels * head.dim <= HELD, None, None
    on_z = check_rows(head, own, distinct) if held else check_streamed(head, own, distinct)
    if held:
        weight, bias = stored_layer(head, own)
        try:
            share = float(epsilon_argmaxable(weight, on_z, bias).mean())
        except RuntimeError as error:  # a linear program without an answer: the share is not known
            _LOG.warning("%s: the share of ε-argmaxable sets is left out: %s", folder.path, error)
    folder.verdicts(model.name).parent.mkdir(exist_ok=True)
    on_z.save(folder.verdicts(model.name))
    if head.n_labels * head.feature_dim <= HELD:
        few = evenly(np.arange(len(distinct)), _ON_FEATURES)
        on_z_too = Report(on_z.layer, distinct[few], [on_z.verdicts[i] for i in few])
        on_features, _ = check_features(head, own, on_z_too, named("threshold"), domain_of(model.domain))
        on_features.save(folder.verdicts_on_features(model.name))
    write_check(
        folder,
        {
            **_shares(on_z, "sets_checked", argmaxable="argmaxable_z", undecided="undecided"),
            **_shares(on_features, "sets_checked_features", argmaxable="argmaxable_features"),
            "epsilon": None if share is None else EPSILON,
            "epsilon_argmaxable_z": share,
            "check_seconds": time.perf_counter() - begun,
        },
    )


def _shares(report: Report | None, counted: str, **columns: str) -> Row:
    if report is None or not len(report):
        return {}
    counts = report.counts()
    return {counted: len(report)} | {column: counts[status] / len(report) for status, column in columns.items()}


def keep_best_parameters(folder: Workdir) -> None:
    """Leaves of a finished run's checkpoints the parameters that `load_model` reads: a sweep has many runs."""
    (entry,) = folder.read(folder.report)["heads"]
    best = folder.checkpoints(entry["name"]) / str(entry["best_step"])
    for path in best.parent.iterdir():
        if path != best:
            shutil.rmtree(path)
    if (rest := best / "rest").exists():  # which a best one may have lost before
        shutil.rmtree(rest)


def _row(
    report: Mapping[str, Any], config: Mapping[str, Any], curve: list[Evaluation], sizes: Mapping[str, Any]
) -> Row:
    """The cells of a run that its own folder tells."""
    (entry,) = report["heads"]
    by, arguments = entry["trained_by"], entry["head"]
    best = next(line for line in curve if line["step"] == entry["best_step"])
    versions = report["versions"] | config["origin"]["versions"]
    row = {
        "head": entry["name"],
        "encoder": report["encoder"]["kind"],
        **{name: arguments.get(name) for name in ("max_cardinality", "spread", "slack", "embedding", "feature_dim")},
        "head_parameters": entry["parameters"],
        **sizes,
        "steps": entry["steps"],
        "best_step": entry["best_step"],
        "stopped": "patience" if entry["steps"] < by["steps"] else "budget",
        "seconds": entry["seconds"],
        "seconds_to_best": best["seconds"],
        "dev_metric": by["metric"],
        "dev_score": best[f"dev {by['metric']}"],
        "dev_loss": best.get(f"dev {LOSS}"),
        **{name: value for name, value in best.items() if name.startswith("dev ")},
        **{f"test {name}": value for name, value in entry["test"].items()},
        "device": versions["devices"],
        **{name: versions[name] for name in ("jax", "flax", "sigfft")},
    }
    if entry["thresholds"] is not None:
        row["test threshold"] = entry["thresholds"]["deployed"]["probability"]
        row |= {f"test at threshold {name}": value for name, value in entry["test_at_threshold"].items()}
    return row


def _evaluations(folder: Workdir) -> list[Evaluation]:
    """The evaluations on dev in the order of steps, each with loss and seconds of the log's line before it."""
    trained: dict[str, Any] = {}
    found = []
    for line in read_log(folder):
        if "loss" in line:
            trained = {"seconds": line.get("seconds"), "train_loss": line["loss"]}
        else:
            dev = {name: value for name, value in line.items() if name.startswith("dev ")}
            found.append({"step": line["step"], **trained, **dev})
    return found
