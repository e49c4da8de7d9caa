"""Which columns of a table are what: its texts or images, labels, split and id, by name and by what they hold."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sigfft.files.tables import Row

_LABELS = (
    *("labels", "label", "label_ids", "label_names", "tags", "tag", "subjects", "subject", "categories", "category"),
    *("topics", "topic", "codes", "code", "classes", "class", "genres", "genre", "keywords", "targets", "target"),
)
_IDS = ("id", "_id", "uid", "uuid", "doc_id", "key")
_SPLITS = ("split", "subset", "partition")
_TEXTS = ("text", "title", "abstract", "body", "content", "description", "summary", "sentence", "document", "query")
_IMAGE = re.compile(r".+\.(?:jpe?g|png)", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2,}")
_SWITCHES = {0, 1, "0", "1", None, ""}


@dataclasses.dataclass(frozen=True)
class Asked:
    """What the user says of the columns; "" leaves it to the table."""

    text_columns: str = ""  # names, separated by commas
    image_column: str = ""
    label_column: str = ""
    split_column: str = ""


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns of a table by what they are for."""

    inputs: tuple[str, ...]  # texts, which are joined; or the one of paths of images
    labels: tuple[str, ...]  # one, of label sets; or one for each label, which hold 0 and 1
    split: str = ""  # "": none
    id: str = ""
    images: bool = False  # whether the inputs are images

    def input_of(self, row: Row) -> str:
        """The text of a row, its columns joined by line breaks, or the path of its image.

        Raises:
          ValueError: it has none of the columns, or something else than text there.
        """
        values = [row.values[name] for name in self.inputs if name in row.values]
        if not values:
            raise ValueError(f"there is no column {' or '.join(self.inputs)}; the columns are {', '.join(row.values)}")
        for value in values:
            if not (value is None or isinstance(value, str)):
                raise ValueError(f"expected text in {', '.join(self.inputs)}; given {value!r:.60}")
        if self.images and not values[0]:
            raise ValueError(f"expected the path of an image in {self.inputs[0]}; it is empty")
        return "\n".join(value for value in values if value)


def find_columns(sample: Sequence[Row], path: Path, asked: Asked) -> Columns:
    """The columns of a table by its first rows.

    Labels stand in the first column of a usual name, in the only one of lists, or in columns of 0 and 1. Images are
    where paths are, and texts where there are words: columns that tell of labels by their name are left out.

    Raises:
      ValueError: a column that was asked for is missing, or it is not clear which one holds labels or inputs.
    """
    names = list(dict.fromkeys(name for row in sample for name in row.values))
    texts = tuple(name.strip() for name in asked.text_columns.split(",") if name.strip())
    for name in (*texts, asked.image_column, asked.label_column, asked.split_column):
        if name and name not in names:
            raise ValueError(f"{path} has no column {name!r}; its columns are {', '.join(names)}")
    if texts and asked.image_column:
        raise ValueError("text_columns and image_column are both given; an example is a text or an image")
    split, key = asked.split_column or _named(names, _SPLITS), _named(names, _IDS)
    columns = {name: [row.values.get(name) for row in sample] for name in names if name not in (split, key)}
    labels = _label_columns(columns, path, asked.label_column)
    left = {name: values for name, values in columns.items() if name not in labels}
    image = asked.image_column or next((name for name in left if not texts and _are_images(left[name], path)), "")
    inputs = texts or ((image,) if image else _text_columns(left, labels))
    if not inputs:
        others = ", ".join(left) or "none"
        raise ValueError(
            f"no column of {path} holds texts or paths of images (beside {', '.join(labels)}: {others}); "
            "name them: data.text_columns=title,abstract or data.image_column=path"
        )
    return Columns(inputs, labels, split, key, bool(image))


def _named(names: Iterable[str], usual: Sequence[str]) -> str:
    by_name = {name.lower().strip(): name for name in reversed(list(names))}
    return next((by_name[own] for own in usual if own in by_name), "")


def _label_columns(columns: dict[str, list[Any]], path: Path, asked: str) -> tuple[str, ...]:
    name = asked or _named(columns, _LABELS)
    lists = [name for name, values in columns.items() if any(isinstance(value, list) for value in values)]
    empty = {None, ""}
    switches = tuple(n for n, own in columns.items() if empty < set(map(_hashable, own)) | empty <= _SWITCHES)
    if name and not (not asked and len(switches) > 1 and name in switches):
        return (name,)
    if len(switches) > 1:
        return switches
    if len(lists) != 1:
        raise ValueError(
            f"no column of {path} is named labels, and {'none' if not lists else 'more than one'} holds lists; "
            f"name it: data.label_column=, one of {', '.join(columns)}"
        )
    return (lists[0],)


def _text_columns(columns: dict[str, list[Any]], labels: Sequence[str]) -> tuple[str, ...]:
    """Those of strings with two words or more on average; without any, those of usual names, or the only one."""
    found = {name: [value for value in values if isinstance(value, str) and value] for name, values in columns.items()}
    strings = {name: own for name, own in found.items() if 2 * len(own) > sum(map(bool, columns[name]))}
    wordy = {name: values for name, values in strings.items() if not _tells_of_labels(name, labels)}
    chosen = [name for name, own in wordy.items() if sum(len(_WORD.findall(value)) for value in own) >= 2 * len(own)]
    chosen = chosen or [name for name in strings if name.lower() in _TEXTS]
    return tuple(chosen or (strings if len(strings) == 1 else ()))


def _tells_of_labels(name: str, labels: Sequence[str]) -> bool:
    parts = {part for part in re.split(r"[^a-z]+", name.lower()) if part}
    return bool(parts & set(_LABELS)) or any(name.lower().startswith(own.lower()) for own in labels)


def _are_images(values: list[Any], path: Path) -> bool:
    named = [value for value in values if isinstance(value, str) and _IMAGE.fullmatch(value)]
    most = 2 * len(named) > sum(map(bool, values))  # bad rows are told of when they are read
    return most and any((path.parent / value).is_file() for value in named)


def _hashable(value: Any) -> Any:
    return value if value is None or isinstance(value, int | str) else repr(value)
