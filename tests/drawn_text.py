"""Where the texts of a figure are drawn."""

from itertools import pairwise


def tick_boxes(axis, which):
    """Extents, in pixels, of the tick labels that are seen, in their order."""
    labels = axis.get_xticklabels() if which == "x" else axis.get_yticklabels()
    low, high = sorted(axis.get_xlim() if which == "x" else axis.get_ylim())
    place = {"x": 0, "y": 1}[which]
    seen = [label for label in labels if label.get_text() and low <= label.get_position()[place] <= high]
    return [label.get_window_extent() for label in seen if label.get_visible()]


def assert_apart(figure, which):
    """The tick labels of each panel stand apart, and inside the figure."""
    figure.draw_without_rendering()
    for axis in figure.axes:
        boxes = sorted(tick_boxes(axis, which), key=lambda box: box.x0 if which == "x" else box.y0)
        for box, following in pairwise(boxes):
            assert box.x1 + 1 < following.x0 if which == "x" else box.y1 < following.y0
        for box in boxes:
            assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
