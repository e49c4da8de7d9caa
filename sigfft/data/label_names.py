"""Names for the labels of data that have ids alone."""

import dataclasses
import logging
from pathlib import Path

from sigfft.data.dataset import Splits
from sigfft.files.names import find_names

_LOG = logging.getLogger(__name__)


def with_names(splits: Splits, folder: Path) -> Splits:
    """The splits, with names of their labels where a file of the folder has them (`files.names`).

    Files with another number of names are told of, as a warning, and not used.

    Raises:
      ValueError: a file that must hold names does not.
    """
    files, n_labels = find_names(folder), splits["train"].n_labels
    names = files.in_order(n_labels)
    if names is None:
        listed = files.keys or files.shown
        if listed is not None:
            found = " and ".join(path.name for path in files.files)
            _LOG.warning("%s: %s does not name each of the %d labels; names are left out", folder, found, n_labels)
        return splits
    return {
        split: dataclasses.replace(own, origin=dataclasses.replace(own.origin, names=names))
        for split, own in splits.items()
    }
