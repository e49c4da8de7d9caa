"""Figures with sliders, for notebooks."""

import io
from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from sigfft.extras import needs

Range = tuple[float, float, float, float]


def sliders(draw: Callable[..., Figure], **ranges: Range) -> None:
    """Shows `draw(name=value, ...)` below a slider for each name, and draws it anew when one of them moves.

    The picture is an output of the cell like any other: a stored notebook keeps it, at the values that sliders start
    at, where no kernel runs and no slider shows.

    Args:
      draw: makes the figure.
      **ranges: lowest and highest value, step and start of each slider; four integers make a slider of integers.

    Raises:
      ValueError: a start outside its range.
      ModuleNotFoundError: the extra `explore` is not installed.
    """
    with needs("explore", "sigfft.figures.sliders"):
        import ipywidgets
        from IPython.display import Image, display

    controls: dict[str, Any] = {}
    for name, (low, high, step, start) in ranges.items():
        if not low <= start <= high:
            raise ValueError(f"{name} starts at {start}, which must be between {low} and {high}")
        whole = all(isinstance(value, int) for value in (low, high, step, start))
        kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
        label = name.replace("_", " ")
        controls[name] = kind(value=start, min=low, max=high, step=step, description=label)

    def picture() -> Any:
        data = io.BytesIO()
        draw(**{name: control.value for name, control in controls.items()}).savefig(data, format="png", dpi=100)
        return Image(data.getvalue(), format="png")

    display(ipywidgets.HBox(list(controls.values()), layout=ipywidgets.Layout(flex_flow="row wrap")))
    shown = display(picture(), display_id=True)
    for control in controls.values():
        control.observe(lambda _: shown.update(picture()), names="value")
