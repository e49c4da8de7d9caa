"""Whitening in exact arithmetic, for systems whose rows are so alike or dependent that floats see rounding only."""

import numpy as np

from sigfft.argmaxability.proofs.exact import independent_columns
from sigfft.argmaxability.search.frame import Frame
from sigfft.argmaxability.search.system import System

WELL = 1e-7  # least of the singular values, in units of the largest: below it rows lose half their digits
_SAMPLE = 20  # rows of the first steps, per dimension: what they have made white, all rows hardly need another step for


def exactly(system: System) -> Frame:
    """A frame in which the rows of a system are white, each with all its digits, whatever the condition.

    Its rank is that over the rationals: it spans independent columns of the system, and is zero at all others.
    """
    every = np.arange(len(system.rows))
    whole, _ = system.whole(every)
    columns = independent_columns(whole)
    chosen = np.zeros((system.width, len(columns)), int)
    chosen[columns, np.arange(len(columns))] = 1
    frame = Frame.of(system.units[:, columns], chosen.astype(float))
    sample = np.linspace(0, len(every) - 1, _SAMPLE * len(columns)).astype(int)
    spanning = independent_columns(whole[:, columns].T)  # else no step would make the sample white
    for ids in (np.union1d(sample, spanning), every):
        frame = frame.sharpened(system, ids)[0]
        while not _white(frame.rows[ids]):
            frame = frame.stretched(ids).sharpened(system, ids)[0]
    return frame


def _white(rows: np.ndarray) -> bool:
    singular = np.linalg.svd(rows, compute_uv=False)
    return bool(singular[-1] > WELL * singular[0])
