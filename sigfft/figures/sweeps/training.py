"""How heads get there: dev scores against steps and seconds, the race against the bottleneck, margins on the way."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sigfft.figures.measurements import few_ticks
from sigfft.figures.style import calm, legend, panels_of, title
from sigfft.figures.sweeps.marks import Looks, axis_of_d, beside, beside_each
from sigfft.figures.sweeps.runs import RACES, Head, Mean, NothingMeasured, Race, Sweep, mean_of, number

RADIUS = "radius"
_TIMES = {"step": "training step", "seconds": "seconds of training"}
_LINES = "Line: mean over seeds, as far as all of them trained. Band: lowest to highest."
_RACE = (
    "Steps, or seconds, to the best dev score of the bottleneck of the same d and seed. Below 1: sooner than it.\n"
    "Marker: geometric mean over seeds. Bar: lowest to highest. 2/3: two of three runs get there; cross: none."
)
_STARTS = {"prior": "our start", "random": "the paper's start"}


class Course(NamedTuple):
    """A quantity on the way of a head's runs, at the steps that all of them have."""

    times: np.ndarray  # steps, or seconds: their mean at that step
    means: list[Mean]


def course(head: Head, column: str, time: str = "step") -> Course | None:
    """Mean and range over a head's runs of a column of their evaluations, at the steps at which all have it.

    Runs without such a value are left out; None if none has one.

    Args:
      head: of a sweep.
      column: of the table of evaluations, such as "dev F1@5".
      time: "step" or "seconds"; seconds are the runs' mean at that step.
    """
    found: list[dict[float, tuple[float, float]]] = []
    for run in head.runs:
        known = {}
        for row in run.curve:
            step, at, value = (number(row, name, run.place) for name in ("step", time, column))
            if step is not None and at is not None and value is not None:
                known[step] = at, value
        if known:
            found.append(known)
    steps = sorted(set.intersection(*map(set, found))) if found else []
    if not steps:
        return None
    times = np.array([np.mean([known[step][0] for known in found]) for step in steps])
    means = [mean for step in steps if (mean := mean_of(known[step][1] for known in found))]
    return Course(times, means)


def shown_d(sweep: Sweep, data: str) -> int | None:
    """The d at which most heads of a data set have evaluations, the middle one of equals; None: no head has both."""
    counts = Counter(head.d for head in sweep.of(data) if head.d is not None and any(run.curve for run in head.runs))
    best = sorted(d for d, count in counts.items() if count == max(counts.values()))
    return best[len(best) // 2] if best else None


def dev_curves(sweep: Sweep, data: str, metric: str = "F1@5", d: int | None = None) -> Figure:
    """Loss and a metric on dev against steps and against seconds, a line a head: those of one d, and those without.

    Args:
      sweep: of `read_sweep`.
      data: the data set.
      metric: a name such as "F1@5", of the evaluations' columns "dev NAME".
      d: of the heads; None: `shown_d`.

    Raises:
      NothingMeasured: no head of this d has evaluations with a loss or the metric.
    """
    d = shown_d(sweep, data) if d is None else d
    heads = [head for head in sweep.of(data) if head.d in (None, d)]
    wanted = {"dev loss": "loss", f"dev {metric}": metric}
    courses = {
        (column, time): {head: one for head in heads if (one := course(head, column, time))}
        for column in wanted
        for time in _TIMES
    }
    shown = [key for key, found in courses.items() if found]
    if not shown:
        raise NothingMeasured(f"no run of d = {d} on {data} has evaluations with {' or '.join(map(repr, wanted))}")
    looks = _looks(sweep, [courses[key] for key in shown])
    figure, axes = panels_of(len(shown), 2, width=4.8, height=3.3)
    for axis, (column, time) in zip(axes, shown, strict=True):
        _draw_courses(axis, courses[column, time], looks)
        axis.set_xlabel(_TIMES[time])
        loss = wanted[column] == "loss"
        axis.set_ylabel("loss on dev, sum over labels (nats)" if loss else f"{metric} on dev")
        calm(axis, ceiling=None if loss else 1.0)
        title(axis, f"{data}, d = {d}: dev {wanted[column]} by {'step' if time == 'step' else 'time'}")
    figure.suptitle(_LINES, fontsize=9)
    legend(figure, *axes)
    return figure


def radius_curves(sweep: Sweep, d: int | None = None) -> Figure:
    """The median radius of test label sets against the training step, one panel a data set, heads of one d.

    Args:
      sweep: of `read_sweep`.
      d: of the heads; None: `shown_d` of each data set.

    Raises:
      NothingMeasured: no run has a radius in its evaluations.
    """
    found: dict[str, dict[Head, Course]] = {}
    sizes = {data: shown_d(sweep, data) if d is None else d for data in sweep.data_sets}
    for data, size in sizes.items():
        heads = [head for head in sweep.of(data) if head.d in (None, size)]
        if courses := {head: one for head in heads if (one := course(head, RADIUS))}:
            found[data] = courses
    if not found:
        raise NothingMeasured(f"no run has a {RADIUS!r} in its evaluations")
    looks = _looks(sweep, found.values())
    alone = len(found) == 1
    figure, axes = panels_of(len(found), 2, width=8.0 if alone else 4.8, height=3.5)
    for axis, (data, courses) in zip(axes, found.items(), strict=True):
        _draw_courses(axis, courses, looks)
        lows = [mean.low for one in courses.values() for mean in one.means]
        if min(lows) > 0:
            axis.set_yscale("log")
            few_ticks(axis.yaxis, axis.set_ylim, FuncFormatter(lambda value, _: f"{value:g}"))
        else:  # sets without a region have radius 0, which a logarithm has no place for
            axis.set_yscale("symlog", linthresh=min((low for low in lows if low > 0), default=1.0))
        axis.set(xlabel="training step", ylabel="median radius of a label set's region")
        title(axis, f"{data}, d = {sizes[data]}: room for test label sets")
    figure.suptitle(_LINES, fontsize=9)
    legend(figure, *axes, columns=2 if alone else 3)
    return figure


def race_against_d(sweep: Sweep) -> Figure:
    """Steps and seconds to the bottleneck's best dev score, over the bottleneck's own, against d; both its starts.

    Ratios are within a seed; a marker is their geometric mean. Where not all runs get there, their numbers stand
    beside it; where none does, a cross at the top says so. A row of panels a data set.

    Raises:
      NothingMeasured: no run has a bottleneck of its d and seed to race against.
    """
    races = {
        (data, unit, start): {
            head: race
            for head in sweep.of(data)
            if head.family != RACES[start][0] and (race := sweep.race(head, unit, start))
        }
        for data in sweep.data_sets
        for start in _STARTS
        for unit in ("steps", "seconds")
    }
    rows = [(data, start) for data in sweep.data_sets for start in _STARTS if races[data, "steps", start]]
    if not rows:
        raise NothingMeasured("no run has a bottleneck of its d, seed and data set to race against")
    looks = Looks(sweep, [(head.family, race.runs) for found in races.values() for head, race in found.items()])
    figure, axes = panels_of(2 * len(rows), 2, width=4.8, height=3.0)
    panels = iter(axes)
    for data, start in rows:
        for unit in ("steps", "seconds"):
            axis = next(panels)
            _draw_race(figure, axis, races[data, unit, start], looks)
            axis.set_ylabel(f"{unit} to its best, over its own")
            title(axis, f"{data}: bottleneck from {_STARTS[start]}")
    figure.suptitle(_RACE, fontsize=9)
    legend(figure, *axes, columns=2)
    return figure


def _looks(sweep: Sweep, found: Iterable[Mapping[Head, Course]]) -> Looks:
    return Looks(sweep, [(head.family, one.means[0].runs) for courses in found for head, one in courses.items()])


def _draw_courses(axis: Axes, courses: Mapping[Head, Course], looks: Looks) -> None:
    for head, one in courses.items():
        style = looks.style(head.family) | {"markevery": max(1, len(one.means) // 8)}
        axis.plot(one.times, [mean.mean for mean in one.means], label=looks.name(head.family), **style)
        low, high = [mean.low for mean in one.means], [mean.high for mean in one.means]
        axis.fill_between(one.times, low, high, color=style["color"], alpha=0.15, linewidth=0)
        last = one.means[-1]
        beside(axis, (float(one.times[-1]), last.mean), looks.told(head.family, last.runs), style["color"])
    axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _draw_race(figure: Figure, axis: Axes, races: Mapping[Head, Race], looks: Looks) -> None:
    axis_of_d(axis, sorted({head.d for head in races if head.d is not None}))
    axis.set_yscale("log")
    axis.axhline(1, color="black", linewidth=1)
    texts = []
    for family in dict.fromkeys(head.family for head in races):
        style, shift = looks.style(family), looks.dodge(family)
        own = [(head.d * shift, race) for head, race in races.items() if head.d and head.family == family]
        there = [(x, race.ratio) for x, race in own if race.ratio]
        axis.plot([x for x, _ in there], [ratio.mean for _, ratio in there], label=looks.name(family), **style)
        for x, ratio in there:
            axis.vlines(x, ratio.low, ratio.high, color=style["color"], linewidth=1.4)
        for x, race in own:
            if race.ratio:
                few = f"{race.ratio.runs}/{race.runs}" if race.ratio.runs < race.runs else ""
                texts.append(((x, race.ratio.mean), few or looks.told(family, race.runs), style["color"]))
            else:
                at = axis.get_xaxis_transform()
                axis.plot(x, 0.95, "x", color=style["color"], transform=at, markersize=7, markeredgewidth=2)
    _around_one(axis)
    beside_each(figure, axis, texts)


def _around_one(axis: Axes) -> None:
    """Limits that hold 1, and ticks at 1, 2 and 5."""
    low, high = axis.get_ylim()
    axis.set_ylim(min(low, 0.45), max(high, 2.2))
    few_ticks(axis.yaxis, axis.set_ylim, FuncFormatter(lambda value, _: f"{value:g}"))
