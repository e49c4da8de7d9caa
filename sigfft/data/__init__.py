"""Data sets: TFDS builders, read without TensorFlow, and a grain pipeline of padded batches.

`load("xmc", cache_dir, data_dir="bibtex")` gives a `Dataset` per split, and
`batches(dataset, 256, seed=0, shuffle=True, num_epochs=None)` streams one.
"""

from sigfft.data.dataset import Batch as Batch
from sigfft.data.dataset import Dataset as Dataset
from sigfft.data.pipeline import batches as batches
from sigfft.data.pipeline import load as load
from sigfft.data.synthetic import SyntheticSpec as SyntheticSpec
