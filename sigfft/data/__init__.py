"""Data sets: sources by name, TFDS records read without TensorFlow, and a grain pipeline of padded batches.

`load("xmc", cache_dir, dir="bibtex")` gives a `Dataset` per split, and
`batches(dataset, 256, seed=0, shuffle=True, num_epochs=None)` streams one.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sigfft.extras import needs

with needs("train", "sigfft.data"):
    from sigfft.data.bioasq import load_bioasq
    from sigfft.data.centroids import LabelCentroids as LabelCentroids
    from sigfft.data.dataset import Batch as Batch
    from sigfft.data.dataset import Dataset as Dataset
    from sigfft.data.dataset import DenseFeatures as DenseFeatures
    from sigfft.data.dataset import ImageFeatures as ImageFeatures
    from sigfft.data.dataset import NearestLabels as NearestLabels
    from sigfft.data.dataset import Origin as Origin
    from sigfft.data.dataset import SparseFeatures as SparseFeatures
    from sigfft.data.dataset import Splits as Splits
    from sigfft.data.dataset import TokenFeatures as TokenFeatures
    from sigfft.data.images import load_images
    from sigfft.data.mimic3 import load_mimic3
    from sigfft.data.npy import load_npy
    from sigfft.data.openimages import load_openimages
    from sigfft.data.pipeline import batches as batches
    from sigfft.data.recognition import recognised
    from sigfft.data.synthetic import SyntheticSpec as SyntheticSpec
    from sigfft.data.synthetic import load_synthetic
    from sigfft.data.text import load_text
    from sigfft.data.xmc import load_xmc

# `source(cache_dir, *, options by name)`: an option that `DataConfig` has is set from a config.
SOURCES: dict[str, Callable[..., Splits]] = {
    "bioasq": load_bioasq,
    "images": load_images,
    "mimic3": load_mimic3,
    "npy": load_npy,
    "openimages": load_openimages,
    "synthetic": load_synthetic,
    "text": load_text,
    "xmc": load_xmc,
}


def load(source: str, cache_dir: Path | str, **options: Any) -> Splits:
    """The splits of a data set, by name: "train", "test", and "dev" where the source has one.

    The source is a name in `SOURCES`, with its own options: see `load_text`, `load_images`, `load_npy`, `load_xmc`,
    `load_synthetic`, and of the paper's data `load_bioasq`, `load_mimic3` and `load_openimages`; or "auto": what the
    folder `dir` holds (`recognised`). Records that are prepared are kept in `cache_dir`: the second call reads them.

    Raises:
      ValueError: an unknown source, an option that it does not take or lacks, or what the source refuses.
    """
    if source == "auto":
        source = recognised(options.get("dir", ""))
    if source not in SOURCES:
        raise ValueError(f"unknown data source {source!r}; expected auto, {', '.join(sorted(SOURCES))}")
    signature = inspect.signature(SOURCES[source])
    try:
        signature.bind(cache_dir, **options)
    except TypeError as error:
        _, *taken = signature.parameters
        raise ValueError(f"the source {source!r} takes {', '.join(taken)}: {error}") from error
    return SOURCES[source](Path(cache_dir), **options)
