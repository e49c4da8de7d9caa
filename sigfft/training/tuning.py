"""A seeded search over learning rates, dropout and steps on the dev split, for one head before it is trained."""

import dataclasses
import json
import math
import shutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from sigfft.files.appended import AppendedFile, keep_only
from sigfft.files.documents import read_objects
from sigfft.training.config import CheckpointConfig, Config
from sigfft.training.evaluate import Evaluate
from sigfft.training.loop import train
from sigfft.training.model import Model
from sigfft.training.preemption import Notice
from sigfft.training.processes import is_first_process, of_the_first
from sigfft.training.workdir import Workdir, slug

Choice = dict[str, Any]  # "learning_rate", "head_learning_rate", "steps" and, of an encoder that has it, "dropout"
_FACTOR = 8  # learning rates are drawn from an eighth to eight times the settled ones
_STEPS = (0.5, 1, 2)  # times the settled steps
_DROPOUT = (0.0, 0.2, 0.4, 0.6, 0.8)
_AGAIN = 4  # of so many choices the best is tried with all its steps
_EVALUATIONS = 5  # of a trial


class Trial(NamedTuple):
    """One training: the number of its choice, that, and the steps taken."""

    number: int
    choice: Choice
    steps: int


def choices(config: Config, model: Model) -> list[Choice]:
    """The choices that are tried: first what the settled config has, then what a generator of its seed draws."""
    optim = config.optim
    own: Choice = {name: getattr(optim, name) for name in ("learning_rate", "head_learning_rate", "steps")}
    if "dropout" in model.encoder.arguments:
        own["dropout"] = model.encoder.arguments["dropout"]
    rng, drawn = np.random.default_rng(config.seed), [own]
    while len(drawn) < config.tune.trials:
        encoder, head = (float(_FACTOR**exponent) for exponent in rng.uniform(-1, 1, 2))
        choice = own | {
            "learning_rate": float(f"{own['learning_rate'] * encoder:.3g}"),
            "head_learning_rate": float(f"{own['head_learning_rate'] * head:.3g}"),
            "steps": max(1, round(own["steps"] * float(rng.choice(_STEPS)))),
        }
        dropout = float(rng.choice(_DROPOUT))
        drawn.append(choice | {"dropout": dropout} if "dropout" in own else choice)
    return drawn


def search(
    drawn: list[Choice], share: float, head: str, workdir: Workdir, objective: Callable[[Trial], float | None]
) -> Choice:
    """The choice of the largest score: all with a share of their steps, then the best quarter with all of them.

    Each score is a line of the run's tuning.jsonl, and one that is there already is not asked for again. Of equal ones
    the first is taken, and a score that is None, of a loss that was not finite, is the least.
    """
    log = AppendedFile(workdir.tuning)
    known = of_the_first(list(read_objects(workdir.tuning)) if workdir.tuning.exists() else [])
    if is_first_process() and workdir.tuning.exists():
        content = workdir.tuning.read_bytes()
        keep_only(workdir.tuning, content[: content.rfind(b"\n") + 1])  # without a line that a kill cut short
    scores = {(line["steps"], line["number"]): line["score"] for line in known if line["head"] == head}

    def best_of(round_of: list[Trial]) -> list[Trial]:
        for trial in round_of:
            if (trial.steps, trial.number) not in scores:
                score = scores[trial.steps, trial.number] = objective(trial)
                if is_first_process():
                    log.write(f"{json.dumps({'head': head, **trial._asdict(), 'score': score})}\n".encode())
        least = -math.inf
        found = {trial.number: scores[trial.steps, trial.number] for trial in round_of}
        return sorted(round_of, key=lambda t: least if (own := found[t.number]) is None else own, reverse=True)

    try:
        ranked = best_of(list(_trials(drawn, share)))
        again = ranked[: math.ceil(len(ranked) / _AGAIN)] if share < 1 else ranked[:1]
        return best_of([trial._replace(steps=trial.choice["steps"]) for trial in again])[0].choice
    finally:
        log.close()


def budget_line(drawn: list[Choice], share: float, head: str) -> str:
    """How much is tried, in one line, before it is."""
    steps = sum(trial.steps for trial in _trials(drawn, share))
    again = 0 if share == 1 else math.ceil(len(drawn) / _AGAIN)
    rest = f", then the best {again} with all of them" if again else ""
    return f"{head}: tuning tries {len(drawn)} choices with {share:g} of their steps ({steps:,} in all){rest}"


def tuned(
    model: Model, config: Config, data: Any, evaluate_dev: Evaluate, workdir: Workdir, notice: Notice, show: bool
) -> tuple[Model, Config]:
    """The model and the settled config with the values that scored best on the dev split; says them."""
    drawn = choices(config, model)
    if show and is_first_process():
        print(budget_line(drawn, config.tune.share, model.name))

    def objective(trial: Trial) -> float | None:
        folder = Workdir(workdir.trials / f"{slug(model.name)}-{trial.number}-{trial.steps}")
        begun = of_the_first(folder.path.exists())
        if is_first_process():
            folder.path.mkdir(parents=True, exist_ok=True)
        own_model, own = with_choice(model, config, trial.choice | {"steps": trial.steps})
        evaluation = dataclasses.replace(own.eval, every=max(1, trial.steps // _EVALUATIONS), patience=0, keep=1)
        own = dataclasses.replace(own, eval=evaluation, checkpoint=CheckpointConfig(every_minutes=0.0))
        try:
            score: float | None = train(own_model, own, data, evaluate_dev, folder, begun, notice)[2].best_metric
        except FloatingPointError:  # which tells that these rates are too high
            score = None
        score = of_the_first(score)
        if is_first_process():
            shutil.rmtree(folder.path)
        return score

    best = search(drawn, config.tune.share, model.name, workdir, objective)
    if show and is_first_process():
        print(f"{model.name}: tuning chose {', '.join(f'{name}={value:g}' for name, value in best.items())}")
    return with_choice(model, config, best)


def with_choice(model: Model, config: Config, choice: Choice) -> tuple[Model, Config]:
    """A model and a settled config with the values of a choice."""
    values = dict(choice)
    if (dropout := values.pop("dropout", None)) is not None:
        arguments = {**model.encoder.arguments, "dropout": dropout}
        model = dataclasses.replace(model, encoder=dataclasses.replace(model.encoder, arguments=arguments))
    optim = config.optim
    # Warm-up and evaluations keep their shares of the steps.
    ratio = values["steps"] / optim.steps
    values["warmup_steps"] = min(round(optim.warmup_steps * ratio), values["steps"] - 1)
    every = max(1, round(config.eval.every * ratio))
    evaluation = dataclasses.replace(config.eval, every=every)
    return model, dataclasses.replace(config, optim=dataclasses.replace(optim, **values), eval=evaluation)


def _trials(drawn: list[Choice], share: float) -> Iterator[Trial]:
    for number, choice in enumerate(drawn):
        yield Trial(number, choice, max(1, round(share * choice["steps"])))
