"""Folders of runs that nobody trained: what a run writes, with names that would be dangerous in a page."""

import dataclasses
import json

import numpy as np

import sigfft
from sigfft import labels
from sigfft.training.config import Config, EvalConfig
from sigfft.training.report import MEANINGS
from sigfft.training.workdir import Workdir

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>&amp;{{7*7}}"
HEADS = "bottle<i>neck d=2", "dft k=6"
N_LABELS = 12


def written(path, *, heads=HEADS, names=True, finished=True, seed=0):
    """A folder with everything; the verdicts are true ones, of rows in the plane and of rows in 8 dimensions."""
    run = Workdir(path)
    run.write_config(Config(name="hostile", eval=EvalConfig(metric="P@1")), {"train": "0"})
    lines = [
        {
            "head": head,
            "step": step,
            "loss": 9 - step / 10 + i,
            "gradient_norm": 1.0,
            "examples_per_second": 100.0 + step,
        }
        for i, head in enumerate(heads)
        for step in (10, 20, 30)
    ]
    lines += [{"head": head, "step": 20, "dev P@1": 0.5, "dev F1@5": 0.4} for head in heads]
    run.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    if names:
        told = [HOSTILE, *(f"name {i} ​ü" for i in range(1, N_LABELS))]
        run.names.write_text(json.dumps({"names": told}))
    if finished:
        run.report.write_text(json.dumps(_content(run, heads, np.random.default_rng(seed))))
    return path


def changed(path, change):
    """The folder with its report.json changed."""
    report = Workdir(path).report
    content = json.loads(report.read_text())
    change(content)
    report.write_text(json.dumps(content))
    return path


def _content(run, heads, rng):
    sets = labels.pad([[0, 1], [3], [2, 5, 7], [0, 4, 8, 11], [6, 9]], N_LABELS)
    entries = []
    for head, dim in zip(heads, (2, 8), strict=False):
        verdicts = sigfft.check(rng.normal(size=(N_LABELS, dim)).astype(np.float32), sets)
        run.verdicts(head).parent.mkdir(exist_ok=True)
        for file in (run.verdicts(head), run.verdicts_on_features(head), run.verdicts_at_threshold(head)):
            verdicts.save(file)
        entries.append(_entry(head, dim, verdicts.counts()))
    data = {"examples": {"train": 1000, "dev": 10, "test": 20}, "about": HOSTILE, "n_labels": N_LABELS}
    data |= {"n_features": None, "feature_dim": 16, "mean_cardinality": 2.5, "max_cardinality": 4}
    return {
        "name": "hostile",
        "data": data,
        "encoder": {"kind": "mlp"},
        "versions": {"sigfft": HOSTILE},
        "memory": {"process_peak_bytes": 1_230_000_000, "device_peak_bytes": None},
        "heads": entries,
        "meaning": MEANINGS,
    }


def _entry(head, dim, counts):
    objectives = {"micro F1": 0.3, "macro F1": 0.1, "sample F1": 0.25, "exact match": 0.05}
    deployed = {"objective": "micro F1", "per_label": False, "logit": -1.0, "probability": 0.269}
    return {
        "name": head,
        "kind": "dft",
        "head": {"n_labels": N_LABELS, "max_cardinality": 0 if dim == 2 else 6},
        "parameters": 100 * dim,
        "steps": 30,
        "best_step": 20,
        "seconds": 12.5,
        "test": {"P@1": 0.6 + dim / 100, "P@5": 0.3, "F1@1": 0.2, "F1@5": 0.4, **objectives},
        "thresholds": {"deployed": deployed, "for_all_labels": {}, "per_label": {}},
        "test_at_threshold": {name: 2 * value for name, value in objectives.items()},
        "argmaxability": {**counts, "ideal": None, "deployed": counts["argmaxable"]},
        "argmaxability_on_features": counts,
        "argmaxability_at_threshold": {**counts, "rounded": 0},
        "check_seconds": 0.5,
    }


def values_of(config):
    """A config as config.json has it."""
    return json.loads(json.dumps(dataclasses.asdict(config)))
