"""The search over rates, dropout and steps, with a stub in place of training, and once with training."""

import dataclasses
import json

import pytest

import sigfft
from sigfft import training
from sigfft.training.config import Config, OptimConfig, TuneConfig
from sigfft.training.encoder import PureEncoder
from sigfft.training.model import Model
from sigfft.training.tuning import budget_line, choices, search, with_choice
from sigfft.training.workdir import Workdir

MODEL = Model(PureEncoder("mlp", {"in_dim": 2, "dim": 0, "dropout": 0.1}, {}), sigfft.sigmoid_head(3, feature_dim=2))
OPTIM = OptimConfig(steps=40, learning_rate=0.01, head_learning_rate=0.02, warmup_steps=4)
CONFIG = Config(optim=OPTIM, tune=TuneConfig(trials=8))


def objective(asked):
    def score(trial):
        asked.append((trial.number, trial.steps))
        return None if trial.number == 1 else 1 / (1 + abs(trial.number - 5)) + trial.steps / 1000

    return score


def found(folder, score):
    folder.mkdir(exist_ok=True)
    best = search(choices(CONFIG, MODEL), 0.25, "sigmoid", Workdir(folder), score)
    return best, (folder / "tuning.jsonl").read_bytes()


def test_choices_begin_with_the_config_and_are_seeded():
    drawn = choices(CONFIG, MODEL)
    assert drawn[0] == {"learning_rate": 0.01, "head_learning_rate": 0.02, "steps": 40, "dropout": 0.1}
    assert drawn == choices(CONFIG, MODEL) != choices(dataclasses.replace(CONFIG, seed=1), MODEL)
    assert len({json.dumps(choice) for choice in drawn}) == 8
    assert all(0.01 / 8.1 < choice["learning_rate"] < 0.081 for choice in drawn)
    assert {choice["steps"] for choice in drawn} <= {20, 40, 80}


def test_a_search_repeats_and_resumes_to_the_bit(tmp_path):
    asked = []
    best, lines = found(tmp_path / "whole", objective(asked))
    assert best == choices(CONFIG, MODEL)[5]
    assert [number for number, _ in asked[:8]] == list(range(8))
    assert {number for number, _ in asked[8:]} <= {4, 5, 6}
    assert len(asked) == 10 == len(lines.splitlines())
    assert found(tmp_path / "again", objective([])) == (best, lines)

    def interrupted(trial):
        if trial.number == 3:
            raise KeyboardInterrupt
        return objective([])(trial)

    with pytest.raises(KeyboardInterrupt):
        found(tmp_path / "parts", interrupted)
    left = []
    assert found(tmp_path / "parts", objective(left)) == (best, lines)
    assert left == asked[3:]
    cut = tmp_path / "parts" / "tuning.jsonl"
    cut.write_bytes(lines[:-9])  # by a kill
    for asked_again in (asked[-1:], []):
        left.clear()
        assert found(tmp_path / "parts", objective(left)) == (best, lines)
        assert left == asked_again


def test_the_budget_is_named():
    line = budget_line(choices(CONFIG, MODEL), 0.25, "sigmoid")
    steps = sum(round(0.25 * choice["steps"]) for choice in choices(CONFIG, MODEL))
    assert line == (
        f"sigmoid: tuning tries 8 choices with 0.25 of their steps ({steps} in all), then the best 2 with all of them"
    )


def test_a_choice_changes_model_and_config():
    choice = {"learning_rate": 0.5, "head_learning_rate": 0.25, "steps": 80, "dropout": 0.6}
    model, config = with_choice(MODEL, CONFIG, choice)
    assert model.encoder.arguments["dropout"] == 0.6
    optim = config.optim
    assert (optim.learning_rate, optim.head_learning_rate, optim.steps, optim.warmup_steps) == (0.5, 0.25, 80, 8)


def test_a_run_that_tunes_keeps_scores_and_values(dft_only, tmp_path, capsys):
    tuned = dataclasses.replace(dft_only, tune=TuneConfig(trials=2))
    (entry,) = training.run(tuned, tmp_path / "run")["heads"]
    lines = [json.loads(line) for line in (tmp_path / "run" / "tuning.jsonl").read_text().splitlines()]
    assert [line["number"] for line in lines[:2]] == [0, 1]
    best = max(lines[:2], key=lambda line: line["score"])
    assert {name: entry["trained_by"][name] for name in best["choice"]} == best["choice"]
    assert not list((tmp_path / "run" / "tuning").iterdir())
    assert "tuning chose learning_rate=" in capsys.readouterr().out
    longer = dataclasses.replace(tuned, optim=dataclasses.replace(tuned.optim, steps=2 * tuned.optim.steps))
    with pytest.raises(ValueError, match=r"holds a run of another config; it differs in optim\.steps"):
        training.run(longer, tmp_path / "run", resume=True)  # the choice is of steps, too
    spec = dataclasses.replace(tuned.data.synthetic, n_dev=0)
    without = dataclasses.replace(tuned, data=dataclasses.replace(tuned.data, synthetic=spec))
    with pytest.raises(ValueError, match=r"tune.trials=2 needs a dev split, .* set data.dev_share=0.1"):
        training.run(without, tmp_path / "without")
    assert not (tmp_path / "without").exists()
