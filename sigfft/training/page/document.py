"""The page as one HTML text, from templates that escape all that they are given."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from sigfft.files import write_text
from sigfft.training.config_checks import flat
from sigfft.training.finished import as_written
from sigfft.training.page import sections
from sigfft.training.page.commands import changed, command_of
from sigfft.training.page.records import RunRecord, read_runs
from sigfft.training.page.tables import Cell, Table
from sigfft.training.workdir import Workdir

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("sigfft.training.page"),
    autoescape=True,  # names of labels, heads and runs come from data
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write_page(runs: Sequence[Path | str], out: Path | str) -> None:
    """Writes a page of these runs' folders, side by side: one file, whole or not at all, that asks for no other.

    It shows what the folders hold, of report.json, metrics.jsonl, config.json, the names of labels and the verdicts;
    what one lacks is named.

    Raises:
      ValueError: a folder holds no run, or a file in it is damaged.
      OSError: nothing can be written there.
    """
    records = read_runs([Path(run) for run in runs])
    columns = sections.columns_of(records)
    with as_written(Workdir(records[0].path)):
        shown = {
            "title": " · ".join(record.title for record in records),
            "runs": [_run(record) for record in records],
            "several": len(records) > 1,
            "sentences": sections.sentences(columns),
            "overview": sections.overview(columns),
            "charts": sections.curves(columns),
            "ranking": sections.ranking(columns),
            "set_metrics": sections.SET_METRICS,
            "thresholds": sections.thresholds(columns),
            "by_cardinality": sections.by_cardinality(columns),
            "impossible": sections.impossible_sets(columns),
            "cost": sections.cost(columns),
            "settings": _settings(records),
            "meanings": next((record.report["meaning"] for record in records if "meaning" in record.report), {}),
        }
    write_text(out, _TEMPLATES.get_template("page.html").render(shown))


def _run(record: RunRecord) -> dict[str, Any]:
    """What a page says of a run besides its heads."""
    report, config = record.report, record.config
    facts = {
        "examples": ", ".join(f"{count:,} {split}" for split, count in _data(report, "examples", {}).items()),
        "labels": _told(_data(report, "n_labels"), ","),
        "labels of an example": _labels_of_an_example(report),
        "features": _told(_data(report, "feature_dim") or _data(report, "n_features"), ","),
        "encoder": report.get("encoder", {}).get("kind", ""),
    }
    versions = config.get("origin", {}).get("versions", {}) | report.get("versions", {})
    return {
        "title": record.title,
        "name": report.get("name") or config.get("name", ""),
        "about": _data(report, "about", ""),
        "facts": {name: told for name, told in facts.items() if told},
        "versions": versions,
        "memory": _memory(report.get("memory") or {}),
        "absent": record.absent,
        "command": command_of(config) if config else "",
        "config": {key: _plain(value) for key, value in flat(config).items() if not key.startswith("origin.")},
    }


def _settings(records: Sequence[RunRecord]) -> Table | None:
    """Values that are not the defaults, a row a key and a column a run."""
    values = [changed(record.config) if record.config else {} for record in records]
    whole = [flat(record.config) for record in records]
    keys = dict.fromkeys(key for own in values for key in own)
    rows = [[Cell(key), *(Cell(_plain(own[key]) if key in own else "–") for own in whole)] for key in keys]
    titles = ["key", *(record.title for record in records)] if len(records) > 1 else ["key", "value"]
    return Table(titles, rows, numeric=False) if rows else None


def _data(report: Mapping[str, Any], key: str, absent: Any = None) -> Any:
    return report.get("data", {}).get(key, absent)


def _labels_of_an_example(report: Mapping[str, Any]) -> str:
    mean, most = _data(report, "mean_cardinality"), _data(report, "max_cardinality")
    return "" if mean is None else f"{mean:.2f} on average, {_told(most, ',')} at most"


def _memory(peaks: Mapping[str, Any]) -> str:
    told = {"the process": peaks.get("process_peak_bytes"), "the fullest device": peaks.get("device_peak_bytes")}
    return ", ".join(f"{name} {size / 1e9:.2f} GB" for name, size in told.items() if size is not None) or "not recorded"


def _told(value: Any, form: str) -> str:
    return "" if value is None else format(value, form)


def _plain(value: Any) -> str:
    return '""' if value == "" else str(value)
