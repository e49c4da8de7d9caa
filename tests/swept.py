"""Tables of a sweep that never ran, of plausible numbers."""

import csv
import math

import numpy as np

from sigfft.figures import sweeps

FAMILIES = ("sigmoid", "bottleneck", "bottleneck_random", "dft_slack", "dft_spread", "dft_spread_slack")
# By family: parameters of a head of d = 100 and 0, the score of large ones, what a small one lacks, steps of training
SHAPES = {
    "sigmoid": (0, 3_760_000, 0.53, 0.0, 300),
    "bottleneck": (1_490_000, 0, 0.52, 0.9, 400),
    "bottleneck_random": (1_490_000, 0, 0.515, 1.0, 700),
    "dft_slack": (1_490_000, 0, 0.53, 0.6, 300),
    "dft_spread": (51_000, 28_000, 0.51, 0.3, 200),
    "dft_spread_slack": (51_000, 180_000, 0.525, 0.25, 250),
}
EVERY = 50  # steps between evaluations


def row(data, family, d, seed, **changes):
    """A row of the table of runs."""
    slope, constant, top, lack, steps = SHAPES.get(family, SHAPES["dft_spread"])
    random = np.random.default_rng([seed, d or 0, *family.encode(), *data.encode()])
    score = top - 0.2 * lack / math.sqrt((d or 400) / 5) + random.normal(0, 0.004)
    best = EVERY * round((steps + random.integers(0, 150)) / EVERY)
    bottleneck = family.startswith("bottleneck")
    share = 1.0 if not bottleneck else 1 - 0.5 * math.exp(-(d or 0) / 60)
    own = {
        "run": f"{data}-{family}-{d or 'full'}-seed{seed}",
        **{"data": data, "family": family, "d": "" if d is None else d, "head": f"{family} {d}", "seed": seed},
        **{"chosen": 1, "head_parameters": round(slope * (d or 0) / 100 + constant), "best_step": best},
        "seconds_to_best": 0.03 * best,
        "steps_to_bottleneck": "" if d is None else best - (0 if bottleneck else EVERY),
        "seconds_to_bottleneck": "" if d is None else 0.03 * best - (0 if bottleneck else 1),
        "steps_to_random_bottleneck": "" if d is None else best if bottleneck else best - 2 * EVERY,
        "seconds_to_random_bottleneck": "" if d is None else 0.03 * best - (0 if bottleneck else 3),
        **{"test P@1": score + 0.26, "test P@5": 0.6 * score, "test F1@5": score, "test PSP@5": score - 0.2},
        **{"argmaxable_z": share, "argmaxable_features": 0.98 * share, "undecided": 0, "epsilon": 1e-8},
        **{"epsilon_argmaxable_z": 0.995 * share, "error": ""},
        **{"dev_metric": "F1@5", "dev_score": score * (1 - math.exp(-4))},  # as in `curve`
    }
    return own | changes


def curve(run):
    """The evaluations of a run, some further ones behind its best step."""
    score, best = float(run["test F1@5"] or 0.4), int(run["best_step"])
    for step in range(EVERY, best + 6 * EVERY, EVERY):
        reached = 1 - math.exp(-4 * step / best)
        yield {
            **{"run": run["run"], "step": step, "seconds": 0.03 * step, "train_loss": 40 - 20 * reached},
            **{"dev loss": 45 - 22 * reached, "dev F1@5": score * reached},
            "radius": 1e-3 * (1 + 30 * reached),
        }


def write(path, rows, curves=True):
    """The tables PATH and PATH_curves.csv of these runs; those with an error have no evaluations."""
    written = [(path, rows)]
    if curves:
        points = [point for run in rows if not run["error"] for point in curve(run)]
        written.append((path.with_name(f"{path.stem}_curves.csv"), points))
    for place, lines in written:
        with place.open("w", newline="") as file:
            table = csv.DictWriter(file, list(lines[0]))
            table.writeheader()
            table.writerows(lines)
    return path


def rows(data="tate", families=FAMILIES, dims=(25, 50, 100, 200, 400), seeds=(0, 1, 2)):
    """Every head with each seed, and of each head a run at a rate that dev did not choose."""
    heads = [(family, d) for family in families for d in ((None,) if family == "sigmoid" else dims)]
    chosen = [row(data, family, d, seed) for family, d in heads for seed in seeds]
    lost = [row(data, family, d, 0, chosen=0, run=f"{data}-{family}-{d}-lost") for family, d in heads]
    return chosen + [one | {"test F1@5": 0.001} for one in lost]


def read(folder, rows, **options):
    """The sweep of these runs, from tables in a folder."""
    return sweeps.read_sweep([write(folder / "runs.csv", rows, **options)])
