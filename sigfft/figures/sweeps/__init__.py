"""Figures and tables of a sweep, from its two CSV tables alone.

`read_sweep` gathers runs by head; each function of figures takes that and returns a `Figure`, and `tables` gives the
cells that `markdown` and `latex` write. No mean is shown without the number of its runs.
"""

from sigfft.figures.sweeps.cells import Table, latex, markdown, tables
from sigfft.figures.sweeps.paper import claims
from sigfft.figures.sweeps.runs import NothingMeasured, Sweep, read_sweep
from sigfft.figures.sweeps.sizes import score_against_d, score_against_parameters, share_against_d
from sigfft.figures.sweeps.training import dev_curves, race_against_d, radius_curves

__all__ = [
    "NothingMeasured",
    "Sweep",
    "Table",
    "claims",
    "dev_curves",
    "latex",
    "markdown",
    "race_against_d",
    "radius_curves",
    "read_sweep",
    "score_against_d",
    "score_against_parameters",
    "share_against_d",
    "tables",
]
