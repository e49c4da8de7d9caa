"""Which source reads a folder: told by the files that it holds."""

import gzip
import zlib
from pathlib import Path

from sigfft.data.columns import Asked
from sigfft.data.raw_examples import columns_of, find_tables
from sigfft.data.text import folder_of
from sigfft.files import xmc

_EXPECTED = (
    "train.txt and test.txt in the XMC format; train.npy and test.npy, with label sets beside them; or tables of texts "
    "or of paths of images, with labels: train and test, or one, as .jsonl, .csv or .tsv. All but .npy also as .gz"
)
_SHOWN = 8  # names of files, in an error


def recognised(dir: str | Path, text_columns: str = "", image_column: str = "", label_column: str = "") -> str:
    """The name of the source that reads a folder, or a table: "xmc", "npy", "images" or "text", the first that fits.

    Raises:
      ValueError: there is no such folder, or nothing in it is known; or as `raw_examples.columns_of`, with columns as
        they are given.
    """
    path = folder_of(dir)
    if path.is_dir():
        if any(_is_xmc(path / f"train.txt{zipped}") for zipped in ("", ".gz")):
            return "xmc"
        if (path / "train.npy").is_file():
            return "npy"
    tables = find_tables(path)
    if tables:
        asked = Asked(text_columns=text_columns, image_column=image_column, label_column=label_column)
        return "images" if columns_of(tables, asked).images else "text"
    names = sorted(own.name + "/" * own.is_dir() for own in path.iterdir()) if path.is_dir() else [path.name]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    raise ValueError(f"{path} holds {', '.join(names[:_SHOWN]) or 'nothing'}{more}; expected {_EXPECTED}")


def _is_xmc(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            return xmc.is_header(file.readline(200))
    except (EOFError, OSError, zlib.error):
        return True  # a damaged file, which the source names
