import numpy as np
import pytest

from sigfft.figures import Panel, lines

POINTS = {"dense": [(10.0, 2.0), (1.0, 1.0)], "blocked": [(1.0, 3.0, 2.0, 4.0)]}


def test_a_name_keeps_its_looks_and_points_are_sorted():
    first, second = lines([Panel("a", "n", "s", POINTS), Panel("b", "n", "s", {"blocked": [(1, 1)]}, log="x")]).axes
    assert np.asarray(first.lines[0].get_xydata()).tolist() == [[1, 1], [10, 2]]
    assert first.lines[1].get_color() == second.lines[0].get_color() != first.lines[0].get_color()
    assert (first.get_yscale(), second.get_yscale()) == ("log", "linear")
    (bar,) = first.collections
    assert bar.get_segments()[0].tolist() == [[1, 2], [1, 4]]


def test_a_linear_axis_begins_at_zero():
    (axis,) = lines([Panel("a", "spread", "share", {"float32": [(0, 0.0), (20, 1.0)]}, log="", bottom=0)]).axes
    assert (axis.get_xscale(), axis.get_yscale()) == ("linear", "linear")
    assert np.asarray(axis.lines[0].get_xydata()).tolist() == [[0, 0], [20, 1]]


def test_the_legend_names_the_lines_of_all_panels():
    figure = lines([Panel("a", "n", "s", {"dense": [(1, 1)]}), Panel("b", "n", "s", {"blocked": [(1, 1)]})])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["dense", "blocked"]


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (2.62, 6.44, [2, 5, 10]),
        (3.1, 3.2, [2, 5]),
        (0.021, 2.025, [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2]),
        (1.0, 1000.0, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]),
        (200.0, 1e6, [1e3, 1e4, 1e5, 1e6]),
    ],
)
def test_ticks_are_at_1_2_and_5_or_at_powers_of_ten(low, high, shown):
    (axis,) = lines([Panel("a", "n", "s", {"dense": [(low, low), (high, high)]})]).axes
    for line in (axis.xaxis, axis.yaxis):
        below, above = line.get_view_interval()
        assert below < low < high < above
        assert [tick for tick in line.get_majorticklocs() if below <= tick <= above] == pytest.approx(shown)


def test_numbers_of_ticks_are_short():
    (axis,) = lines([Panel("a", "n", "s", {"dense": [(200, 0.05), (1e6, 2e6)]})]).axes
    x, y = (line.get_major_formatter() for line in (axis.xaxis, axis.yaxis))
    assert [x(1e3), x(1e6)] == ["1k", "1M"]
    assert [y(0.05), y(500), y(20_000), y(2e6)] == ["0.05", "500", "20k", "2M"]


def test_one_y_axis_for_panels_of_different_heights():
    panels = [
        Panel("a", "n", "ms", {"check": [(1, 2.6), (2, 6.4)]}),
        Panel("b", "d", "ms", {"check": [(1, 27), (2, 1)]}),
    ]
    figure = lines(panels, sharey=True)
    first, second = figure.axes
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[0] < 1 < 27 < first.get_ylim()[1]
    assert (figure.get_supylabel(), first.get_ylabel(), second.get_ylabel()) == ("ms", "", "")


def test_bottom_columns_and_note():
    panel = Panel("a", "n", "s", {"dense": [(1, 0.3), (2, 0.8)]}, log="x", bottom=0)
    figure = lines([panel] * 3, columns=2, note="3 seeds")
    assert figure.axes[0].get_ylim()[0] == 0
    assert figure.axes[0].get_ylim()[1] > 0.8
    assert figure.axes[2].get_subplotspec().rowspan.start == 1
    assert figure.get_suptitle() == "3 seeds"


def test_nothing_to_draw():
    for panels in ([], [Panel("a", "n", "s", {"dense": []})]):
        with pytest.raises(ValueError, match="at least one point"):
            lines(panels)
