"""Sweeps: heads of several families and sizes, each at the learning rate that dev chose for it, with several seeds.

Every head is trained at each rate with the first seed; the rate of the best dev score is the head's, and the other
seeds are trained at that one. Heads share encoder, start and order of the data within a seed. The test split is
evaluated once for each run, and decides nothing.
"""

from sigfft.training.sweep.command import run_sweep as run_sweep
from sigfft.training.sweep.command import tables_of as tables_of
from sigfft.training.sweep.families import FAMILIES as FAMILIES
from sigfft.training.sweep.plan import Grid as Grid
