"""Figures of the project, drawn by matplotlib without its global state.

Each function takes plain data and returns a `Figure`; `save` writes it. A head has its own colour, marker and line
style, by its place in the comparison: figures can be read in print and by colour-blind readers.
"""

from sigfft.extras import needs

with needs("plot", "sigfft.figures"):
    from sigfft.figures.arrangements import arrangement, set_name
    from sigfft.figures.controls import sliders
    from sigfft.figures.curves import around_circle, lifted_curve
    from sigfft.figures.heads import learning_curve, metric_against_k
    from sigfft.figures.label_sets import argmaxable_share, cardinalities, conflicting_labels
    from sigfft.figures.lattices import all_sets, hasse
    from sigfft.figures.measurements import Panel, lines
    from sigfft.figures.style import save

__all__ = [
    "Panel",
    "all_sets",
    "argmaxable_share",
    "around_circle",
    "arrangement",
    "cardinalities",
    "conflicting_labels",
    "hasse",
    "learning_curve",
    "lifted_curve",
    "lines",
    "metric_against_k",
    "save",
    "set_name",
    "sliders",
]
