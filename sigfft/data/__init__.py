"""Data sets: sources by name, TFDS records read without TensorFlow, and a grain pipeline of padded batches.

`load("xmc", cache_dir, dir="bibtex")` gives a `Dataset` per split, and
`batches(dataset, 256, seed=0, shuffle=True, num_epochs=None)` streams one.
"""

from sigfft.data.dataset import Batch as Batch
from sigfft.data.dataset import Dataset as Dataset
from sigfft.data.dataset import DenseFeatures as DenseFeatures
from sigfft.data.dataset import SparseFeatures as SparseFeatures
from sigfft.data.dataset import Splits as Splits
from sigfft.data.pipeline import batches as batches
from sigfft.data.sources import SOURCES as SOURCES
from sigfft.data.sources import load as load
from sigfft.data.synthetic import SyntheticSpec as SyntheticSpec
