import numpy as np
import pytest
from drawn_text import assert_apart, tick_boxes

from sigfft import figures
from sigfft.figures.label_sets import STATUS_STYLE, bin_name, cardinality_bins

CARDINALITY = np.array([1, 1, 1, 1, 3, 3])
STATUS = ["argmaxable", "argmaxable", "undecided", "unargmaxable", "unargmaxable", "unargmaxable"]


def texts(axis):
    return [text.get_text() for text in axis.texts]


def test_argmaxable_share_stacks_to_one_and_has_no_bar_without_sets():
    figure = figures.argmaxable_share({"a": (CARDINALITY, STATUS), "b": (np.array([3]), ["argmaxable"])})
    first, second = figure.axes
    bars = [[(bar.get_y(), bar.get_height()) for bar in container] for container in first.containers]
    # Cardinalities 1 and 3, for there is no set of 2; argmaxable, undecided, unargmaxable from the bottom.
    assert bars == [[(0, 0.5), (0, 0)], [(0.5, 0.25), (0, 0)], [(0.75, 0.25), (0, 1)]]
    assert [label.get_text() for label in second.get_xticklabels()] == ["1", "3"]
    assert (texts(first), texts(second)) == (["4", "2"], ["no sets", "1"])
    assert first.get_title(loc="left") == "a: 2 argmaxable, 1 undecided, 3 unargmaxable of 6 sets"
    assert second.get_title(loc="left") == "b: 1 argmaxable of 1 sets"
    figure.draw_without_rendering()
    assert second.bbox.height < first.bbox.height / 2  # all its bars are alike


def test_the_legend_speaks_of_activations_names_what_is_drawn_and_fits():
    figure = figures.argmaxable_share({"a": (np.array([1, 1, 1]), list(STATUS_STYLE))})
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {
        "argmaxable: some activation z gives it",
        "undecided",
        "unargmaxable: no activation z gives it",
    }
    assert figure.bbox.x0 <= legend.get_window_extent().x0 < legend.get_window_extent().x1 <= figure.bbox.x1
    (legend,) = figures.argmaxable_share({"a": (np.array([1, 2]), ["argmaxable", "unargmaxable"])}).legends
    assert len(legend.get_texts()) == 2


def test_where_all_bars_are_full_they_are_numbers_of_sets():
    figure = figures.argmaxable_share({"dft": (np.array([1, 1, 1, 4]), ["argmaxable"] * 4)})
    (axis,) = figure.axes
    assert [bar.get_height() for bar in axis.containers[0]] == [3, 1]
    assert texts(axis) == ["3", "1"]
    assert figure.get_supylabel() == "distinct test label sets"
    assert len(figure.legends[0].get_texts()) == 1


@pytest.mark.parametrize("largest", [16, 77, 106, 130, 2000, 900_000])
def test_cardinalities_stand_apart_below_the_bars(largest):
    spaced = np.unique(np.geomspace(1, largest, 400).astype(int))
    status = np.where(spaced % 2, "argmaxable", "unargmaxable")
    figure = figures.argmaxable_share({"a": (spaced, status)})
    (axis,) = figure.axes
    names = [label.get_text() for label in axis.get_xticklabels()]
    assert names[-1].endswith(str(largest))
    if axis.get_xticklabels()[0].get_rotation():  # turned ones overlap as boxes, not as lines of text
        figure.draw_without_rendering()
        rights = [box.x1 for box in tick_boxes(axis, "x")]
        assert min(np.diff(rights)) > 1.5 * axis.get_xticklabels()[0].get_fontsize()
    else:
        assert_apart(figure, "x")
    assert figure.get_size_inches()[0] <= 13.2


@pytest.mark.parametrize(
    ("cardinality", "names"),
    [
        ([2, 4], ["2", "4"]),
        (list(range(13)), [str(k) for k in range(13)]),
        ([7, 23, 77], ["7", "23", "77"]),
        (list(range(1, 21)), ["1", "2", "3", "4", "5", "6–7", "8–10", "11–15", "16–20"]),
        (
            [*range(8), *range(8, 107)],
            ["0", "1", "2", "3", "4", "5", "6–7", "8–10", "11–20", "21–50", "51–100", "101–106"],
        ),
    ],
)
def test_bins_cover_every_set_and_none_is_empty(cardinality, names):
    bins = cardinality_bins(np.array(cardinality))
    assert [bin_name(*one) for one in bins] == names
    assert all(sum(low <= k <= high for low, high in bins) == 1 for k in cardinality)
    assert all(any(low <= k <= high for k in cardinality) for low, high in bins)


@pytest.mark.parametrize(
    ("reports", "message"),
    [
        ({}, "empty"),
        ({"a": (np.array([], int), [])}, '"a" needs one'),
        ({"a": (np.array([1, 2]), ["argmaxable"])}, r"\(2,\) and \(1,\)"),
        ({"a": (np.array([1]), ["maybe"])}, "'maybe'.*argmaxable, undecided, unargmaxable"),
    ],
)
def test_argmaxable_share_rejects(reports, message):
    with pytest.raises(ValueError, match=message):
        figures.argmaxable_share(reports)


def test_labels_in_conflict_are_counted_and_named():
    names = ["cat", "dog", "$\\frac{ <b>\u6f22", "a long name " * 9, ""]
    conflicts = {"a": [([0], [1, 2]), ([0, 3], [2]), ([2], [0])], "none": [], "b": [([4], [])]}
    figure = figures.conflicting_labels(conflicts, names, most=3)
    first, second = figure.axes
    assert [text.get_text() for text in first.get_yticklabels()] == ["cat (0)", "\\$\\frac{ <b>\u25a1 (2)", "dog (1)"]
    widths = [[bar.get_width() for bar in container] for container in first.containers]
    assert widths == [[2, 1, 0], [1, 2, 1]]
    assert [text.get_text() for text in second.get_yticklabels()] == ["label 4"]
    assert "b: 1 unargmaxable" in second.get_title(loc="left")
    assert_apart(figure, "y")
    (alone,) = figures.conflicting_labels({"a": [([3], [1])]}).axes
    assert [text.get_text() for text in alone.get_yticklabels()] == ["label 1", "label 3"]
    with pytest.raises(ValueError, match=r"no head.*\['a'\]"):
        figures.conflicting_labels({"a": []})


def test_a_long_name_leaves_room_for_the_bars():
    figure = figures.conflicting_labels({"a": [([0], [])]}, ["W" * 300])
    figure.draw_without_rendering()
    (axis,) = figure.axes
    assert axis.bbox.width > 0.25 * figure.bbox.width


def test_cardinalities_of_examples():
    first, second = figures.cardinalities({"tate": np.array([1, 1, 2, 4]), "b": np.array([0])}).axes
    assert [bar.get_height() for bar in first.patches] == [0, 0.5, 0.25, 0, 0.25]
    assert first.get_title(loc="left") == "tate: mean 2.0, largest 4"
    assert first.get_ylabel() == "share of 4 examples"
    assert [*first.lines[0].get_xdata()] == [2, 2]
    assert second.get_title(loc="left") == "b: mean 0.0, largest 0"
    for nothing in ({}, {"a": np.array([], int)}):
        with pytest.raises(ValueError, match="at least one example"):
            figures.cardinalities(nothing)
