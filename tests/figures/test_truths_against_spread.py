import numpy as np
import pytest

from sigfft import figures

RECORDS = [{"spread": 20, "ideal": 1.0, "float32": 0.5}, {"spread": 0, "ideal": 1.0, "float32": 0.0}]


def test_one_line_for_each_truth_by_rising_spread(tmp_path):
    figure = figures.truths_against_spread({"n = 10": RECORDS, "n = 20": RECORDS[:1]})
    first, second = figure.axes
    assert [line.get_label() for line in first.lines] == ["ideal", "float32"]
    assert np.asarray(first.lines[1].get_xydata()).tolist() == [[0, 0.0], [20, 0.5]]
    assert [axis.get_title(loc="left") for axis in (first, second)] == ["n = 10", "n = 20"]
    figures.save(figure, tmp_path / "truths.png")
    assert (tmp_path / "truths.png").stat().st_size > 10_000


def test_nothing_to_draw():
    for panels in ({}, {"n = 10": []}):
        with pytest.raises(ValueError, match="at least one record"):
            figures.truths_against_spread(panels)
