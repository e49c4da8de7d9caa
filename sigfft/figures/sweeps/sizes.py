"""What the size of a head buys: scores, parameters and argmaxable label sets against d and against parameters."""

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from sigfft.figures.measurements import few_ticks
from sigfft.figures.style import calm, legend, panels_of, title
from sigfft.figures.sweeps.marks import Looks, axis_of_d, beside_each, draw_level, draw_means, say_empty
from sigfft.figures.sweeps.runs import Head, NothingMeasured, Sweep

PARAMETERS = "head_parameters"
SHARES = {
    "argmaxable_z": "output by some z",
    "argmaxable_features": "output by some features",
    "undecided": "undecided: no proof either way",
}
EPSILON_SHARES = {"epsilon_argmaxable_z": "by a ball of z, {}"}
_D = (
    "d: a bottleneck's dimensions; a DFT head's spread, or that of as many columns; with slack alone, the d of the "
    "bottleneck of equal parameters."
)
_FRONT = "Pareto front: best score at no more parameters"
_FRONT_STYLE: dict[str, Any] = {"color": "#D4D4D4", "linewidth": 5, "drawstyle": "steps-post"}
_FRONT_STYLE |= {"marker": "o", "markersize": 13}
_RANGES = "Marker: mean over seeds. Band or bar: lowest to highest. Runs: in the legend, or beside a marker."


def score_against_d(sweep: Sweep, metrics: Sequence[str] = ("F1@5", "P@1")) -> Figure:
    """Test scores and head parameters against d: a row of panels a data set, a line a family.

    Args:
      sweep: of `read_sweep`.
      metrics: names such as "F1@5", of columns "test NAME".

    Raises:
      NothingMeasured: no run has one of the metrics.
    """
    columns = {f"test {metric}": metric for metric in metrics}
    require(sweep, columns)
    looks = Looks.of_columns(sweep, [*columns, PARAMETERS])
    data_sets = sweep.data_sets
    figure, axes = panels_of(len(data_sets) * (len(columns) + 1), len(columns) + 1, width=3.7, height=3.1)
    panels = iter(axes)
    for data in data_sets:
        for column, metric in columns.items():
            axis = next(panels)
            against_d(axis, sweep.of(data), column, looks)
            axis.set_ylabel(f"{metric} on test")
            title(axis, f"{data}: {metric}")
            calm(axis, ceiling=1.0)
        axis = next(panels)
        against_d(axis, sweep.of(data), PARAMETERS, looks)
        axis.set_yscale("log")
        few_ticks(axis.yaxis, axis.set_ylim, EngFormatter(sep=""))
        axis.set_ylabel("parameters of the head")
        title(axis, f"{data}: head parameters")
    figure.suptitle(f"{_RANGES}\n{_D}", fontsize=9)
    legend(figure, *axes)
    return figure


def score_against_parameters(sweep: Sweep, metric: str = "F1@5") -> Figure:
    """A test score against head parameters, one panel a data set, with the heads that none beats at fewer parameters.

    Raises:
      NothingMeasured: no run has the metric.
    """
    column = f"test {metric}"
    require(sweep, [column])
    looks = Looks.of_columns(sweep, [column])
    data_sets = sweep.data_sets
    alone = len(data_sets) == 1
    figure, axes = panels_of(len(data_sets), 2, width=8.4 if alone else 5.4, height=4.0)
    for axis, data in zip(axes, data_sets, strict=True):
        drawn = [
            (head, size.mean, score)
            for head in sweep.of(data)
            if (size := head.mean(PARAMETERS)) and (score := head.mean(column))
        ]
        title(axis, f"{data}: {metric} on test")
        axis.set(xlabel="parameters of the head", ylabel=metric, xscale="log")
        if not drawn:
            say_empty(axis, metric)
            continue
        sizes = [size for _, size, _ in drawn]
        axis.set_xlim(min(sizes) / 1.5, max(sizes) * 1.5)
        front = pareto_front([(size, score.mean) for _, size, score in drawn])
        axis.plot(*zip(*front, strict=True), label=_FRONT, **_FRONT_STYLE)
        texts = []
        for family in dict.fromkeys(head.family for head, _, _ in drawn):
            own = [(head, size, score) for head, size, score in drawn if head.family == family]
            style = looks.style(family)
            axis.plot([x for _, x, _ in own], [y.mean for _, _, y in own], label=looks.name(family), **style)
            for head, x, score in own:
                axis.vlines(x, score.low, score.high, color=style["color"], linewidth=1.2)
                told = f"d = {head.d}" if head.d and head in (own[0][0], own[-1][0]) else ""
                fewer = looks.told(family, score.runs)
                texts.append(((x, score.mean), ", ".join(filter(None, (told, fewer))), style["color"]))
        calm(axis, ceiling=1.0)
        few_ticks(axis.xaxis, axis.set_xlim, EngFormatter(sep=""))
        beside_each(figure, axis, texts)
    figure.suptitle(_RANGES.replace("Band or bar", "Bar"), fontsize=9)
    legend(figure, *axes, columns=2 if alone else 3)
    return figure


def share_against_d(sweep: Sweep, *, epsilon: bool = False) -> Figure:
    """The share of the test label sets that heads can output against d: on z, on features; a row of panels a data set.

    With `epsilon`: those whose region has room for a ball, of the radius that the sweep's column "epsilon" names.

    Raises:
      NothingMeasured: no run has one of these shares.
    """
    columns = EPSILON_SHARES if epsilon else SHARES
    known = {column: text for column, text in columns.items() if any(head.mean(column) for head in sweep.heads)}
    if not any((mean := head.mean("undecided")) and mean.high for head in sweep.heads):
        known.pop("undecided", None)
    if not known:
        raise NothingMeasured(f"no run has a share of argmaxable label sets; expected a column of {', '.join(columns)}")
    radii = sorted({f"{mean.mean:g}" for head in sweep.heads if (mean := head.mean("epsilon"))})
    radius = f"radius {', '.join(radii) or 'epsilon'}"
    looks = Looks.of_columns(sweep, known)
    data_sets = sweep.data_sets
    count = len(data_sets) * len(known)
    figure, axes = panels_of(count, max(2, len(known)), width=8.4 if count == 1 else 4.6, height=3.1)
    for i, axis in enumerate(axes):
        data, column = data_sets[i // len(known)], list(known)[i % len(known)]
        against_d(axis, sweep.of(data), column, looks)
        title(axis, f"{data}: {known[column].format(radius)}")
        axis.set_ylabel("share of distinct test label sets")
        calm(axis, ceiling=1.0)
        axis.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.suptitle(f"{_RANGES}\n{_D}", fontsize=9)
    legend(figure, *axes, columns=2 if max(2, len(known)) == 2 else 3)
    return figure


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points (size, score) that no other equals or beats at the same size or less, by size."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return front


def require(sweep: Sweep, columns: Iterable[str]) -> None:
    """Raises NothingMeasured for a column that no run has a number in, and says which of its kind there are."""
    for column in columns:
        if not any(head.mean(column) for head in sweep.heads):
            known = {name for head in sweep.heads for run in head.runs for name in run.row.values}
            alike = sorted(name for name in known if name.partition(" ")[0] == column.partition(" ")[0])
            raise NothingMeasured(f"no run has {column!r}; expected one of {', '.join(alike) or 'no column at all'}")


def against_d(axis: Axes, heads: Sequence[Head], column: str, looks: Looks) -> None:
    """A line a family, and a level for each head without d."""
    means = {head: mean for head in heads if (mean := head.mean(column))}
    axis_of_d(axis, sorted({head.d for head in heads if head.d is not None}))
    for head, mean in means.items():
        if head.d is None:
            draw_level(axis, mean, looks, head.family)
    for family in dict.fromkeys(head.family for head in means):
        shift = looks.dodge(family)
        points = [(head.d * shift, mean) for head, mean in means.items() if head.d and head.family == family]
        draw_means(axis, points, looks, family)
    if not means:
        say_empty(axis, column.removeprefix("test "))
