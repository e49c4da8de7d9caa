"""Parts of a page, made of what run folders hold."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sigfft.figures.heads import LOSS, METRIC_TITLES
from sigfft.figures.label_sets import bin_name, cardinality_bins
from sigfft.training.page.charts import Chart, chart, looks
from sigfft.training.page.records import COUNTS, FEATURES, THRESHOLDS, Decided, HeadRecord, Impossible, RunRecord, Z
from sigfft.training.page.tables import Bar, Cell, Table, number, with_best
from sigfft.training.thresholds import OBJECTIVES

HEADLINES = ("P@1", "P@5", "F1@5")
SET_METRICS = {
    "micro F1": "F1 of all predicted labels of all examples together",
    "macro F1": "F1 of each label, averaged over labels: rare ones count as much as frequent ones",
    "sample F1": "F1 of each example's labels, averaged over examples",
    "exact match": "share of examples whose predicted label set is exactly the true one",
}


class Column(NamedTuple):
    """A head of a comparison, with the run that it is of and the looks that it has in all parts."""

    run: RunRecord
    head: HeadRecord
    name: str
    looks: str

    @property
    def cell(self) -> Cell:
        """The head as a cell."""
        return Cell(self.name, looks=self.looks)


def columns_of(runs: Sequence[RunRecord]) -> list[Column]:
    """All heads, called with their run where there are several."""
    heads = [(run, head) for run in runs for head in run.heads]
    named = [head.name if len(runs) == 1 else f"{run.title}: {head.name}" for run, head in heads]
    return [Column(*own, name, looks(i)) for i, (own, name) in enumerate(zip(heads, named, strict=True))]


def sentences(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """What was proved of each head, in a sentence."""
    told = []
    for column in columns:
        counts = column.head.entry.get(COUNTS[Z])
        bar, text = None, "Test label sets were not checked"
        if counts and counts["checked"]:
            checked, impossible, undecided = (counts[name] for name in ("checked", "unargmaxable", "undecided"))
            bar = Bar(counts["argmaxable"] / checked, undecided / checked, impossible / checked)
            text = f"All {checked:,} distinct test label sets can be output"
            if impossible:
                text = f"{impossible:,} of {checked:,} distinct test label sets can never be output, whatever the input"
            elif undecided:
                text = f"{counts['argmaxable']:,} of {checked:,} distinct test label sets can be output"
            if undecided:
                text += f"; {undecided:,} are undecided"
            more = (column.head.entry.get(COUNTS[FEATURES]) or {}).get("unargmaxable", 0) - impossible
            if more > 0:
                text += f"; features that the encoder can give leave out {more:,} {'more' if impossible else 'of them'}"
        told.append({"column": column, "text": text, "bar": bar})
    return told


def overview(columns: Sequence[Column]) -> Table:
    """The heads side by side: sizes, headline metrics, what is proved, cost."""
    titles = ["head", "parameters", "guarantees", *HEADLINES, "best step", "sets checked"]
    titles += ["argmaxable on z", "argmaxable on features", "training, s", "check, s"]
    rows = []
    for column in columns:
        entry = column.head.entry
        test, counts = entry.get("test") or {}, entry.get("argmaxability") or {}
        guaranteed = entry.get("head", {}).get("max_cardinality")
        promised = Cell(f"sets of up to {guaranteed}", float(guaranteed)) if guaranteed else Cell("nothing", 0.0)
        row = [column.cell, number(entry.get("parameters")), promised if entry else Cell("–")]
        row += [number(test.get(name), ".3f") for name in HEADLINES]
        row += [number(entry.get("best_step")), number(counts.get("checked"))]
        row += [_share(counts), _share(entry.get(COUNTS[FEATURES]) or {})]
        rows.append([*row, number(entry.get("seconds"), ",.0f"), number(entry.get("check_seconds"), ",.0f")])
    comparable = _same_data(columns)
    return Table(titles, with_best(rows, (3, 4, 5, 8, 9)) if comparable else rows)


def _metric(column: Column) -> str:
    """The dev metric of a head's best step, which a config may leave open until the run's report says it."""
    settled = column.head.entry.get("trained_by") or {}
    return settled.get("metric") or column.run.config.get("eval", {}).get("metric", "P@1") or "nDCG@5"


def curves(columns: Sequence[Column]) -> list[Chart]:
    """Training loss, and the metric that each run chose its best step by, against the step."""
    metrics = dict.fromkeys(_metric(column) for column in columns)
    loss = chart("Loss on training batches (sum over labels, nats)", "training step", _points(columns, LOSS))
    charts = [loss]
    for metric in metrics:
        falls, title = metric == LOSS, f"{metric} on the development split (ring: best)"
        points, ring = _points(columns, f"dev {metric}"), "smallest" if falls else "largest"
        charts.append(chart(title, "training step", points, fraction=not falls, best=ring))
    for name in ("P", "F1"):
        points = {column.name: _at_k(column.head.entry.get("test") or {}, name) for column in columns}
        title = f"{name}@k on the test split"
        charts.append(chart(title, "k, labels predicted", points, fraction=True, at_points=True))
    return [one for one in charts if one is not None]


def ranking(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """A table of each ranking metric, a row a head and a column a cut-off, with its explanation."""
    families: dict[str, dict[int, None]] = {}
    for column in columns:
        for name in column.head.entry.get("test") or {}:
            if found := re.fullmatch(r"(.+)@(\d+)", name):
                families.setdefault(found[1], {})[int(found[2])] = None
    tables = []
    for family, ks in families.items():
        rows = []
        for column in columns:
            test = column.head.entry.get("test") or {}
            rows.append([column.cell, *(number(test.get(f"{family}@{k}"), ".3f") for k in sorted(ks))])
        rows = with_best(rows, range(1, len(ks) + 1)) if _same_data(columns) else rows
        told = METRIC_TITLES.get(family, "").partition(": ")[2]
        tables.append(
            {"title": f"{family}@k", "told": told, "table": Table(["head", *(f"@{k}" for k in sorted(ks))], rows)}
        )
    return tables


def thresholds(columns: Sequence[Column]) -> Table:
    """Metrics of predicted label sets, at the probability 0.5 and as the dev split chose."""
    titles = ["head", "labels with a probability above", "chosen for", *OBJECTIVES, "sets argmaxable"]
    rows = []
    for column in columns:
        entry = column.head.entry
        lines = [("0.5", 0.5, "–", entry.get("test") or {}, entry.get(COUNTS[Z]) or {})]
        chosen = entry.get("thresholds")
        if chosen is not None:
            deployed, at = chosen["deployed"], entry.get("test_at_threshold") or {}
            told = "one for each label" if deployed["per_label"] else f"{deployed['probability']:.3f}"
            counts = entry.get(COUNTS[THRESHOLDS]) or {}
            lines.append((told, deployed["probability"], f"{deployed['objective']} on dev", at, counts))
        for told, value, objective, test, counts in lines:
            scores = [number(test.get(name), ".3f") for name in OBJECTIVES]
            rows.append([column.cell, Cell(told, value), Cell(objective), *scores, _share(counts)])
    return Table(titles, with_best(rows, range(3, 3 + len(OBJECTIVES))) if _same_data(columns) else rows)


def by_cardinality(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """For each head a table of the shares that are argmaxable, a row for each cardinality or range of them."""
    every = [decided.cardinality for column in columns for decided in column.head.decided.values()]
    if not every:
        return []
    bins, tables = cardinality_bins(np.concatenate(every)), []
    for column in columns:
        decided = column.head.decided
        if not decided:
            continue
        sets = max(decided.values(), key=lambda one: len(one.status)).cardinality
        rows: list[list[Cell]] = []
        for low, high in bins:
            inside = int(((sets >= low) & (sets <= high)).sum())
            if inside:
                shares = [_share(_within(one, low, high)) for one in decided.values()]
                rows.append([Cell(bin_name(low, high), float(low)), number(inside), *shares])
        if len(rows) > 1:
            shares = [_share(_within(one, 0, bins[-1][1])) for one in decided.values()]
            rows.append([Cell("all", math.inf), number(len(sets)), *shares])
        titles = ["labels of a set", "sets", *(f"argmaxable {about}" for about in decided)]
        tables.append({"column": column, "table": Table(titles, rows)})
    return tables


def impossible_sets(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """For each head, and each thing that verdicts are about, the smallest label sets that it cannot output."""
    found = []
    for column in columns:
        for about, decided in column.head.decided.items():
            if decided.impossible:
                rows = [_impossible(column.run, one) for one in decided.impossible]
                titles = ["the set", "labels", "in it, and on in the proof", "not in it, and off in the proof"]
                count = len(decided.status) - decided.count("argmaxable")
                told = f"{len(rows)} of {count:,}" if count > len(rows) else f"{count:,}"
                found.append(
                    {"column": column, "about": about, "told": told, "table": Table(titles, rows, numeric=False)}
                )
    return found


def cost(columns: Sequence[Column]) -> Table:
    """What training and the check took."""
    titles = ["head", "steps", "training, s", "examples / s", "check, s", "check, ms a set"]
    rows = []
    for column in columns:
        entry = column.head.entry
        rates = [line["examples_per_second"] for line in column.head.curve if "examples_per_second" in line]
        checked, seconds = (entry.get(COUNTS[Z]) or {}).get("checked"), entry.get("check_seconds")
        each = 1000 * seconds / checked if seconds is not None and checked else None
        row = [column.cell, number(entry.get("steps")), number(entry.get("seconds"), ",.1f")]
        row += [number(float(np.median(rates)) if rates else None, ",.0f"), number(seconds, ",.1f")]
        rows.append([*row, number(each, ",.1f")])
    return Table(titles, rows)


def _points(columns: Sequence[Column], key: str) -> dict[str, list[tuple[float, float]]]:
    return {column.name: [(line["step"], line[key]) for line in column.head.curve if key in line] for column in columns}


def _at_k(test: dict[str, float], name: str) -> list[tuple[float, float]]:
    found = [(re.fullmatch(rf"{name}@(\d+)", key), value) for key, value in test.items()]
    return [(float(match[1]), value) for match, value in found if match]


def _share(counts: dict[str, int]) -> Cell:
    """The share of argmaxable sets, as a bar; 100% stands for all and no fewer."""
    checked = counts.get("checked")
    if not checked:
        return Cell("–")
    share = counts["argmaxable"] / checked
    told = f"{min(share, 0.999) if share < 1 else 1:.{0 if share in (0, 1) else 1}%}"
    return Cell(told, share, Bar(share, counts["undecided"] / checked, counts["unargmaxable"] / checked))


def _within(decided: Decided, low: int, high: int) -> dict[str, int]:
    status = decided.status[(decided.cardinality >= low) & (decided.cardinality <= high)]
    counts = {name: int((status == name).sum()) for name in ("argmaxable", "unargmaxable", "undecided")}
    return counts | {"checked": len(status)}


def _impossible(run: RunRecord, one: Impossible) -> list[Cell]:
    on, off = (_some(run, labels, 6) for labels in (one.on, one.off))
    if one.reason:
        on, off = f"undecided: {one.reason}", "–"
    return [Cell(_some(run, one.labels, 12)), number(len(one.labels)), Cell(on), Cell(off)]


def _some(run: RunRecord, labels: Sequence[int], most: int) -> str:
    shown = [run.told(label) for label in labels[:most]]
    more = len(labels) - most
    return " · ".join([*shown, f"and {more} more"] if more > 0 else shown) or "none"


def _same_data(columns: Sequence[Column]) -> bool:
    return len({json.dumps(column.run.report.get("data"), sort_keys=True) for column in columns}) == 1
