"""The paper's claims in one table: each bottleneck, beside the DFT head of no more parameters that dev prefers."""

from sigfft.figures.sweeps.cells import UNKNOWN, Table, race_told, share_told, told
from sigfft.figures.sweeps.runs import Head, Race, Run, Sweep, mean_of, number, race_of


def claims(sweep: Sweep, metric: str = "F1@5") -> list[Table]:
    """A row for each data set and d of a bottleneck that starts at the prior; no table where there is none.

    The DFT head is the one of the best mean dev score among those of any d with no more parameters, so that test has no
    say in it. Its steps are those to the bottleneck's best dev score, over the bottleneck's own, within each seed.
    """
    rows = []
    for bottleneck in (head for head in sweep.heads if head.family == "bottleneck" and head.runs):
        heads = sweep.of(bottleneck.data)
        paper = next((h for h in heads if (h.family, h.d) == ("bottleneck_random", bottleneck.d)), None)
        full = next((h for h in heads if h.family == "sigmoid"), None)
        dft = _preferred(bottleneck, heads)
        rows.append(
            (
                f"{bottleneck.data}, d = {bottleneck.d}",
                *(told(head, f"test {metric}", "{:.3f}".format) for head in (full, paper, bottleneck, dft)),
                dft.name if dft else UNKNOWN,
                _share_of_parameters(dft, bottleneck),
                *(told(head, "argmaxable_z", share_told) for head in (bottleneck, dft)),
                *(race_told(_race(dft, goal)) for goal in (bottleneck, paper)),
            )
        )
    if not rows:
        return []
    header = (
        *("data set, d", "full rank", "bottleneck, paper's start", "bottleneck", "DFT", "that DFT head"),
        *("its parameters", "bottleneck's sets", "DFT's sets", "steps", "steps, paper's start"),
    )
    caption = (
        f"Test {metric} of full rank, of the bottleneck of d from the paper's start and from ours, and of the DFT head "
        "of the best dev score among those of no more parameters than that bottleneck; its parameters over the "
        "bottleneck's; shares of test label sets that both can output; and its steps to the best dev score of the "
        "bottleneck from either start, over that bottleneck's own (geometric mean): below 1 is sooner. Mean over runs, "
        "a seed each, with the lowest and highest in brackets."
    )
    return [Table(caption, header, tuple(rows))]


def _preferred(bottleneck: Head, heads: list[Head]) -> Head | None:
    """The DFT head of the best mean dev score, of those that have no more parameters and as many seeds."""
    most, scored = bottleneck.mean("head_parameters"), []
    for head in (head for head in heads if head.family.startswith("dft")):
        size, dev = head.mean("head_parameters"), mean_of(map(_best, head.runs))
        if most and size and dev and size.mean <= most.mean and dev.runs == len(bottleneck.runs):
            scored.append((dev.mean, head))
    return max(scored, key=lambda one: one[0])[1] if scored else None


def _share_of_parameters(dft: Head | None, bottleneck: Head) -> str:
    own, other = (None if head is None else head.mean("head_parameters") for head in (dft, bottleneck))
    return f"{100 * own.mean / other.mean:.0f} %" if own and other else UNKNOWN


def _race(dft: Head | None, bottleneck: Head | None) -> Race | None:
    """From evaluations: columns of the table compare heads of one d alone."""
    if dft is None or bottleneck is None:
        return None
    best = {run.row.values["seed"]: run for run in bottleneck.runs}
    pairs = [(run, best[seed]) for run in dft.runs if run.curve and (seed := run.row.values["seed"]) in best]
    return race_of((_first_step(run, other), step) for run, other in pairs if (step := _first_step(other, other)))


def _first_step(run: Run, other: Run) -> float | None:
    """The step of a run's first evaluation that is as good on dev as the other run's best."""
    goal = _best(other)
    for row in run.curve:
        score = _larger_is_better(other, number(row, f"dev {_metric(other)}", run.place))
        if goal is not None and score is not None and score >= goal:
            return number(row, "step", run.place)
    return None


def _best(run: Run) -> float | None:
    return _larger_is_better(run, run.value("dev_score"))


def _larger_is_better(run: Run, score: float | None) -> float | None:
    """A dev score of the metric that a run was chosen by, with its sign turned where that is the loss."""
    return -score if score is not None and _metric(run) == "loss" else score


def _metric(run: Run) -> str:
    return run.row.values.get("dev_metric", "")
