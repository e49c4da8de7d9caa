"""Names of labels beside a data set: `label_names.txt` or `labels.txt`, one a line, or a JSON file.

A JSON file holds a list of names, a dict of names by label, `{"17": "cat"}` or `{"17": {"name": "cat", ...}}`, or a
dict of ids by name, `{"cat": 17}`. It is `label_names.json`, `labels.json`, `names.json`, one named after the column of
labels, or else the only .json file of the folder, if that is such a file.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_OWN = ("label_names.json", "labels.json", "names.json")


@dataclasses.dataclass(frozen=True)
class NameFiles:
    """What files of a folder say of its labels."""

    keys: tuple[str, ...] | None = None  # a line for each label, in the order of ids: labels.txt
    shown: tuple[str, ...] | None = None  # likewise: label_names.txt, or a JSON list
    by_key: Mapping[str, str] | None = None  # a JSON dict
    certain: bool = True  # whether the dict is about labels by its file's name, and not by its content alone
    files: tuple[Path, ...] = ()  # that say it

    def of(self, keys: Sequence[str]) -> tuple[str, ...]:
        """What to show for labels that data call so; what has no name is called as it is."""
        return tuple((self.by_key or {}).get(key, key) for key in keys)

    def in_order(self, n_labels: int) -> tuple[str, ...] | None:
        """The names of labels that are ids alone, as in the XMC format; None without any, or if they are not so many.

        A name by key is that of the line of labels.txt, or of the id.
        """
        if self.shown is not None and len(self.shown) == n_labels:
            return self.shown
        keys = self.keys
        if keys is None and self.by_key is not None and all(str(i) in self.by_key for i in range(n_labels)):
            keys = tuple(map(str, range(n_labels)))
        return self.of(keys) if keys is not None and len(keys) == n_labels else None


def find_names(folder: Path, column: str = "") -> NameFiles:
    """The files of names in a folder, whose labels stand in a column of this name.

    Raises:
      ValueError: a file that must hold names does not.
    """
    keys, shown = folder / "labels.txt", folder / "label_names.txt"
    files = [path for path in (keys, shown) if path.is_file()]
    found = NameFiles(_name_lines(keys), _name_lines(shown))
    others = sorted(folder.glob("*.json"))
    own = [path for name in (*_OWN, f"{column}.json") if (path := folder / name) in others]
    for path in own or (others if len(others) == 1 else []):
        names = _names_in(path)
        if names is None and own:
            raise ValueError(f"{path} must hold a list of names, names by label, or ids by name; it holds neither")
        if isinstance(names, tuple) and found.shown is None:
            found, files = dataclasses.replace(found, shown=names), [*files, path]
        elif isinstance(names, dict) and found.by_key is None:
            found, files = dataclasses.replace(found, by_key=names, certain=bool(own)), [*files, path]
    return dataclasses.replace(found, files=tuple(files))


def read_names(path: Path) -> tuple[str, ...]:
    """The lines of a file of names.

    Raises:
      ValueError: the file is no text.
    """
    try:
        return tuple(path.read_text(encoding="utf-8-sig").rstrip("\r\n").split("\n")) if path.stat().st_size else ()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: {error}") from error


def _name_lines(path: Path) -> tuple[str, ...] | None:
    return tuple(line.strip() for line in read_names(path)) if path.is_file() else None


def _names_in(path: Path) -> tuple[str, ...] | dict[str, str] | None:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError:
        return None
    if isinstance(content, list) and content and all(isinstance(name, str) for name in content):
        return tuple(content)
    if not isinstance(content, dict) or not content:
        return None
    values = [value.get("name") if isinstance(value, dict) else value for value in content.values()]
    if sorted(value for value in values if type(value) is int) == list(range(len(values))):
        return tuple(sorted(content, key=lambda name: content[name]))
    names = {key: value for key, value in zip(content, values, strict=True) if isinstance(value, str)}
    return names if len(names) == len(content) else None
