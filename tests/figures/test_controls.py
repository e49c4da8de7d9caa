import IPython.display
import ipywidgets
import pytest
from matplotlib.figure import Figure

from sigfft import figures


@pytest.fixture
def page(monkeypatch):
    """What is shown, in its order; a picture that is shown anew is added."""
    shown = []

    class Handle:
        def update(self, picture):
            shown.append(picture)

    def display(thing, **_):
        shown.append(thing)
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)
    return shown


def test_a_slider_that_moves_draws_a_picture_anew(page):
    drawn = []

    def draw(angle, count):
        drawn.append((angle, count))
        return Figure(figsize=(1 + count / 10, 1))

    figures.sliders(draw, angle=(0.0, 1.0, 0.25, 0.5), count=(0, 5, 1, 2))
    box, first = page
    angle, count = box.children
    assert drawn == [(0.5, 2)]
    assert isinstance(angle, ipywidgets.FloatSlider)
    assert isinstance(count, ipywidgets.IntSlider)
    assert (angle.min, angle.max, angle.step, angle.description) == (0.0, 1.0, 0.25, "angle")
    count.value = 4
    angle.value = 0.75
    assert drawn == [(0.5, 2), (0.5, 4), (0.75, 4)]
    assert first.data.startswith(b"\x89PNG")
    assert len({picture.data for picture in page[1:]}) == 2  # two widths


def test_a_start_outside_its_range_is_refused(page):
    with pytest.raises(ValueError, match="angle starts at 9, which must be between 0 and 5"):
        figures.sliders(lambda angle: Figure(), angle=(0, 5, 1, 9))
    assert not page
