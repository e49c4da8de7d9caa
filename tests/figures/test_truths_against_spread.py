import numpy as np
import pytest

from sigfft import figures

RECORDS = [{"spread": 20, "ideal": 1.0, "float32": 0.5}, {"spread": 0, "ideal": 1.0, "float32": 0.0}]


def test_one_line_for_each_truth_by_rising_spread():
    figure = figures.truths_against_spread({"n = 10": RECORDS, "n = 20": RECORDS[:1]})
    first, second = figure.axes
    assert [line.get_label() for line in first.lines] == ["ideal", "float32"]
    assert np.asarray(first.lines[1].get_xydata()).tolist() == [[0, 0.0], [20, 0.5]]
    assert [axis.get_title(loc="left") for axis in (first, second)] == ["n = 10", "n = 20"]
    assert [axis.get_xlabel() for axis in (first, second)] == ["spread, frequencies"] * 2
    assert first.get_xticks().tolist() == [0, 20]
    assert figure.get_supylabel() == "share of random k-label sets output exactly"
    assert first.yaxis.get_major_formatter()(0.5) == "50%"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ideal", "float32"]


def test_truths_that_coincide_all_show():
    (axis,) = figures.truths_against_spread(
        {"n = 10": [{"spread": 0, "ideal": 1.0, "stored": 1.0, "float32": 1.0}]}
    ).axes
    for looks in ([line.get_linewidth() for line in axis.lines], [line.get_markersize() for line in axis.lines]):
        assert looks == sorted(set(looks), reverse=True)
    assert {line.get_fillstyle() for line in axis.lines} == {"none"}


def test_nothing_to_draw():
    for panels in ({}, {"n = 10": []}):
        with pytest.raises(ValueError, match="at least one record"):
            figures.truths_against_spread(panels)
