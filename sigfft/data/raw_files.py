"""Files that a user must get by hand: found under their published names, or what is missing and where to get it."""

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sigfft.data.text import folder_of

_FORMAT = 1  # of the records: another one is prepared anew
_SHOWN = 5  # names of what was found, in an error


def find_file(dir: str | Path, names: Sequence[str], where: str) -> Path:
    """The first of these files that a folder holds.

    Args:
      dir: the folder of a data set.
      names: paths that start in the folder, the published one first.
      where: where to get it.

    Raises:
      ValueError: there is no such folder, or none of the files is there: which, where to get it, what was found.
    """
    folder = folder_of(dir)
    if not folder.is_dir():
        raise ValueError(f"data.dir={folder} is a file; give the folder that holds {names[0]}")
    found = next((folder / name for name in names if (folder / name).exists()), None)
    if found is None:
        there = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        listed = ", ".join(there[:_SHOWN]) or "nothing"
        raise ValueError(f"{folder} lacks {names[0]}: get it from {where}; the folder holds {listed}{more}")
    return found


def read_ids(paths: dict[str, Path], column: str = "", where: str = "") -> dict[str, str]:
    """The split of each id, in the order of the lines of files of ids.

    Args:
      paths: by split: CSV with a header, or without a `column` an id a line.
      column: of the ids.
      where: to get the files.

    Raises:
      ValueError: no such column; an id that is none, or is there twice, by its line; or a file without an id.
    """
    splits: dict[str, str] = {}
    for split, path in paths.items():
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, []) if column else [""]
            if column not in header:
                shown = ", ".join(header)[:80] or "none"
                raise ValueError(f"{path} has no column {column}; its columns are {shown}: get it from {where}")
            before, at = len(splits), header.index(column)
            for cells in rows:
                key = cells[at].strip() if len(cells) > at else ""
                if not key.isdecimal():
                    raise ValueError(f"{path}:{rows.line_num}: expected an id, a whole number")
                if key in splits:
                    raise ValueError(f"{path}:{rows.line_num}: this id is there twice, before in {splits[key]}")
                splits[key] = split
        if len(splits) == before:
            raise ValueError(f"{path} holds no id; expected one a line")
    return splits


def name_of(paths: Iterable[Path], settings: Sequence[Any]) -> str:
    """A name for records made from files and settings: size and time stand for a file's content, read for hours."""
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(paths)]
    return hashlib.blake2b(json.dumps([_FORMAT, states, *settings]).encode(), digest_size=16).hexdigest()
