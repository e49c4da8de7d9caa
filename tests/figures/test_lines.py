import numpy as np
import pytest

from sigfft.figures import Panel, lines

POINTS = {"dense": [(10.0, 2.0), (1.0, 1.0)], "blocked": [(1.0, 3.0, 2.0, 4.0)]}


def test_a_name_keeps_its_looks_and_points_are_sorted():
    first, second = lines([Panel("a", "n", "s", POINTS), Panel("b", "n", "s", {"blocked": [(1, 1)]}, log=False)]).axes
    assert np.asarray(first.lines[0].get_xydata()).tolist() == [[1, 1], [10, 2]]
    assert first.lines[1].get_color() == second.lines[0].get_color() != first.lines[0].get_color()
    assert (first.get_yscale(), second.get_yscale()) == ("log", "linear")
    (band,) = first.collections
    assert band.get_paths()[0].get_extents().get_points()[:, 1].tolist() == [2, 4]


def test_the_legend_names_the_lines_of_all_panels():
    figure = lines([Panel("a", "n", "s", {"dense": [(1, 1)]}), Panel("b", "n", "s", {"blocked": [(1, 1)]})])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["dense", "blocked"]


def test_nothing_to_draw():
    for panels in ([], [Panel("a", "n", "s", {"dense": []})]):
        with pytest.raises(ValueError, match="at least one point"):
            lines(panels)
