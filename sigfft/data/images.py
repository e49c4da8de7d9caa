"""Images with label sets: a table of paths and labels, and JPEG or PNG files, through a TFDS builder."""

from pathlib import Path

import numpy as np

from sigfft.data import records
from sigfft.data.dataset import Splits
from sigfft.data.raw_examples import RawExamples, RawOptions
from sigfft.data.text import folder_of
from sigfft.extras import needs


class Images(records.ArrayBuilder):
    """Multi-label images of one size, in the order of their rows."""


def load_images(
    cache_dir: Path,
    *,
    dir: str | Path,
    image_size: int = 64,
    image_column: str = "",
    label_column: str = "",
    split_column: str = "",
    label_delimiter: str = "",
    keep_unlabelled: bool = False,
    skip_malformed: bool = False,
) -> Splits:
    """The splits of a folder with tables of paths and labels, and with the images that they name.

    Tables, labels and splits are those of `load_text`; paths start in the folder of the table. Images are cut to a
    square at their middle and brought to one size.

    Args:
      cache_dir: where records are kept.
      dir: the folder, or a table.
      image_size: pixels of a side.
      image_column: where the paths are; "": the column whose values end in .jpg, .jpeg or .png.
      label_column: where labels are; this and the rest as in `load_text`.
      split_column: where splits are.
      label_delimiter: between labels in a string.
      keep_unlabelled: also images whose list of labels is empty.
      skip_malformed: leave out bad rows and images that do not decode, and count them.

    Raises:
      ValueError: as `raw_examples.read_examples`; images do not decode: how many, and the first of them.
    """
    with needs("train", "data.source=images"):
        from sigfft.data import intake, raw

    if image_size < 1:
        raise ValueError(f"image_size={image_size} must be at least 1 pixel")
    folder = folder_of(dir)
    home = folder if folder.is_dir() else folder.parent
    options = RawOptions(
        image_column=image_column,
        label_column=label_column,
        split_column=split_column,
        label_delimiter=label_delimiter,
        keep_unlabelled=keep_unlabelled,
        skip_malformed=skip_malformed,
    )

    def fit(examples: RawExamples) -> intake.Intake:
        if not examples.columns.images:
            raise ValueError(f"no column of {folder} names images; give data.image_column, or data.source=text")
        return intake.Pixels(examples.columns, image_size)

    arrays: dict = {"image": (np.uint8, 3 * image_size**2)}
    images = [path for path in sorted(home.rglob("*")) if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
    # A file's size and time stand for its content, which takes long to read.
    states = [(str(path.relative_to(home)), path.stat().st_size, path.stat().st_mtime_ns) for path in images]
    builder = raw.prepare_raw(Images, cache_dir, folder, options, fit, arrays, [image_size, states])
    return records.read_splits(builder)
