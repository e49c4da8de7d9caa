"""Sweeps that nobody trains: a stand-in for `run` writes what a run would, with a score by its rate and seed."""

import csv
import dataclasses
import json
import types

import numpy as np

from sigfft.training.config import CheckConfig, Config, EvalConfig, HeadConfig
from sigfft.training.sweep import measuring
from sigfft.training.sweep.folder import Rate, Sweep, SweptHead
from sigfft.training.sweep.records import write_check
from sigfft.training.workdir import Workdir

STEPS = 30


def sweep_of(path, *, families=("bottleneck", "dft_spread"), factors=(0.5, 1.0, 2.0), seeds=(0, 1, 2)):
    """Heads of d=3 whose settled rates are 0.01 and 0.1, in a folder that is begun."""
    rates = tuple(Rate(factor, factor * 0.01, factor * 0.1) for factor in factors)
    kinds = {"bottleneck": HeadConfig(kind="bottleneck", dim=3), "dft_spread": HeadConfig(max_cardinality=2, spread=3)}
    heads = tuple(SweptHead(family, 3, kinds[family], rates) for family in families)
    config = Config(name="small", eval=EvalConfig(loss=True), check=CheckConfig(max_sets=8))
    sweep = Sweep(path, config, heads, tuple(seeds), {"train": "0"})
    sweep.write()
    return sweep


class Trainer:
    """Takes the place of `run`; `fails` says which slugs raise what, `calls` and `checks` which were asked for."""

    def __init__(self, best=1.0, fails=None, metric="P@1"):
        self.best, self.fails, self.metric = best, fails or {}, metric
        self.calls, self.checks = [], []

    def train(self, config, path, *, resume, show):
        assert (resume, show, config.baseline.kind, config.check.max_sets) == ("auto", False, "none", -1)
        self.calls.append(path.name)
        if path.name in self.fails:
            raise self.fails[path.name]
        folder = Workdir(path)
        folder.write_config(config, {"train": "0"})
        score = 0.5 - abs(config.optim.head_learning_rate / 0.1 - self.best) / 10 + config.seed / 100
        kind = config.head.kind
        lines = []
        for step, reached in ((10, score - 0.2), (20, score), (30, score - 0.1)):
            lines.append(
                {"loss": 9 - step / 10, "seconds": step / 2},
            )
            lines[-1] |= {"step": step}
            lines.append({"step": step, "dev P@1": reached + 0.15 * (kind == "dft"), "dev loss": 5 - reached})
        folder.metrics.write_text("".join(json.dumps({"head": "only", **line}) + "\n" for line in lines))
        folder.report.write_text(json.dumps(_report(config, self.metric)))

    def check(self, folder, test, max_sets):
        assert (test, max_sets) == ("the test split", 8)
        self.checks.append(folder.path.name)
        write_check(folder, dict(zip(measuring.CHECKED, (8, 0.5, 0.125, None, None, 1e-8, 0.25, 3.0), strict=True)))

    def placed(self, monkeypatch):
        """Puts itself in place of training and of what is measured after it."""
        monkeypatch.setattr("sigfft.training.sweep.runs.train_run", self.train)
        monkeypatch.setattr("sigfft.training.sweep.runs.load_splits", lambda config: {"test": "the test split"})
        monkeypatch.setattr("sigfft.training.sweep.runs.check", self.check)
        monkeypatch.setattr(
            "sigfft.training.sweep.measuring.load_model", lambda path: (_Model, {"encoder": {"w": np.zeros((3, 9))}})
        )
        monkeypatch.setattr("sigfft.training.sweep.runs.keep_best_parameters", lambda folder: None)
        monkeypatch.setattr("sigfft.training.sweep.runs.jax.clear_caches", lambda: None)
        return self


class _Model:
    head = types.SimpleNamespace(dim=3, n_parameters=lambda: 50)


def _report(config, metric):
    entry = {
        "name": "only",
        "kind": config.head.kind,
        "head": {"feature_dim": 16} | ({} if config.head.kind == "bottleneck" else {"spread": 3, "slack": 0}),
        "parameters": 50,
        "steps": STEPS,
        "best_step": 20,
        "trained_by": {"batch_size": 32, "steps": 100, "metric": metric},
        "seconds": 15.0,
        "test": {"P@1": 1 / 3, "F1@5": 0.25},
        "thresholds": {"deployed": {"probability": 0.3}},
        "test_at_threshold": {"micro F1": 0.4},
    }
    versions = {"sigfft": "0", "jax": "1", "devices": "1 × cpu"}
    return {"versions": versions, "encoder": {"kind": "mlp"}, "heads": [entry]}


def rows_of(path):
    """The rows of a table, as they are written."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def with_seeds(sweep, *seeds):
    return dataclasses.replace(sweep, seeds=seeds)
