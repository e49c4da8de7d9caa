import itertools
import math

import pytest

from sigfft.training.page.charts import chart
from sigfft.training.page.tables import Cell, number, with_best

LINES = {"a": [(30, 0.538), (10, 0.507), (20, 0.52)], "none": [], "b": [(10, 0.51), (20, math.nan)]}


def test_a_chart_holds_its_points_in_order_and_marks_the_best():
    drawn = chart("P@1", "step", LINES, fraction=True, best="largest")
    assert [(line.name, line.looks) for line in drawn.lines] == [("a", "colour-0 dash-0"), ("b", "colour-2 dash-2")]
    a, b = drawn.lines
    xs, ys = zip(*[map(float, point.split(",")) for point in a.path.split()], strict=True)
    assert xs == tuple(sorted(xs))
    assert ys == tuple(sorted(ys, reverse=True))  # up is less
    assert (xs[0], xs[-1]) == (drawn.left, drawn.right)
    assert 0 < min(ys) < max(ys) < drawn.bottom
    assert max(ys) - min(ys) < 0.3 * drawn.bottom  # 0.507 to 0.538 is little
    assert a.ring == (xs[-1], ys[-1])
    assert a.marks[0][2] == "a: 0.507 at 10"
    assert len(b.marks) == 1
    assert chart("loss", "step", LINES, best="smallest").lines[0].ring[0] == drawn.left


@pytest.mark.parametrize(
    "points", [[(5, 0.0)], [(5, 1.0), (6, 1.0)], [(0, -3.0), (10**6, 4.0)], [(1, 1e-12), (2, 1e12)]]
)
def test_ticks_are_inside_and_apart(points):
    drawn = chart("t", "x", {"a": points})
    assert all(drawn.left <= tick.at <= drawn.right for tick in drawn.xticks)
    assert all(0 <= tick.at <= drawn.bottom for tick in drawn.yticks)
    assert len({tick.told for tick in drawn.yticks}) == len(drawn.yticks) >= 1
    at = [tick.at for tick in drawn.xticks]
    assert all(later - sooner > 40 for sooner, later in itertools.pairwise(at))


def test_numbers_below_points():
    told = [
        tick.told for tick in chart("P@k", "k", {"a": [(k, 0.5) for k in (1, 2, 3, 50, 100)]}, at_points=True).xticks
    ]
    assert told == ["3", "50", "100"]


def test_nothing_to_draw():
    assert chart("t", "x", {"a": [], "b": [(1, math.inf)]}) is None


def test_the_best_of_a_column_is_marked_where_there_is_something_to_compare():
    rows = [[Cell("a"), number(1), number(2), number(None)], [Cell("b"), number(1), number(3), number(4)]]
    assert [[cell.best for cell in row] for row in with_best(rows, (1, 2, 3))] == [
        [False, False, False, False],
        [False, False, True, False],
    ]
    assert number(None) == Cell("–")
    assert number(1234567) == Cell("1,234,567", 1234567.0)
