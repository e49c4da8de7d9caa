"""Raw examples of a folder: texts, or paths of images, with label sets, as tables of JSON lines or CSV hold them."""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from sigfft.data.columns import Asked, Columns, find_columns
from sigfft.data.raw_labels import Cell, cell_of, delimiter_of, hold_numbers, labels_in, type_fault, vocabulary
from sigfft.files.names import find_names
from sigfft.files.tables import SUFFIXES, Faults, Row, is_table, read_rows

_SPLITS = {"train": ("train", "training"), "dev": ("dev", "val", "valid", "validation"), "test": ("test", "testing")}
_BOUNDS = {"train": 0.8, "dev": 0.9, "test": 1.0}  # of hashes, where neither files nor a column tell the split
_HINT = "mend it, or leave out such rows with data.skip_malformed=True"
_SAMPLE = 1000  # rows that tell what columns are for


@dataclasses.dataclass(frozen=True)
class RawOptions(Asked):
    """How tables are read."""

    label_delimiter: str = ""  # between labels in a string; "": the first of | ; , that a cell has
    keep_unlabelled: bool = False  # also examples whose list of labels is empty
    skip_malformed: bool = False  # bad rows are left out and counted, and no error


class Example(NamedTuple):
    """An example, and where it stands."""

    input: str  # a text, or the path of an image as the table has it
    labels: list[int]
    place: tuple[Path, int]  # file and line


class RawExamples(NamedTuple):
    """The examples of a data set."""

    folder: Path  # that they are from
    columns: Columns
    splits: dict[str, list[Example]]  # "train", "test" and perhaps "dev", in the order of their rows
    n_labels: int
    names: tuple[str, ...] | None  # of the labels; None: they have ids alone
    faults: Faults  # rows that were skipped
    notes: tuple[str, ...] = ()  # further on what was read

    @property
    def about(self) -> str:
        """What was read as what, in one line."""
        own = self.columns
        labels = own.labels[0] if len(own.labels) == 1 else f"{len(own.labels)} columns of 0 and 1"
        parts = [f"{'images' if own.images else 'text'} from {', '.join(own.inputs)}"]
        parts.append(f"{self.n_labels:,} labels from {labels}")
        parts += [f"{len(examples):,} {split}" for split, examples in self.splits.items()]
        parts += self.notes
        if self.faults.count:
            parts.append(f"{self.faults.count:,} malformed rows skipped, the first {self.faults.first}")
        return "; ".join(parts)

    def check_splits(self) -> None:
        """Raises ValueError where a train or test split has no example."""
        for split in ("train", "test"):
            if not self.splits.get(split):
                raise ValueError(f"the {split} split of {self.folder} has no example with labels; read: {self.about}")


def find_tables(path: Path) -> dict[str, Path]:
    """The tables of a folder by split, or by "" the only one, whose rows tell their split; none if there is none.

    A file is its own only table.

    Raises:
      ValueError: several tables, of which it is not clear what they are.
    """
    if path.is_file():
        return {"": path} if is_table(path) else {}
    tables = sorted(own for own in path.iterdir() if own.is_file() and is_table(own))
    stems = {own: own.name.lower().split(".")[0] for own in tables}
    found = {split: [own for own in tables if stems[own] in names] for split, names in _SPLITS.items()}
    if found["train"] and found["test"] and max(map(len, found.values())) == 1:
        return {split: own[0] for split, own in found.items() if own}
    if len(tables) > 1:
        raise ValueError(
            f"{path} holds {', '.join(own.name for own in tables)}; expected a table of each split, train, test and "
            f"perhaps dev ({', '.join(SUFFIXES)}), or a single one"
        )
    return {"": tables[0]} if tables else {}


def columns_of(tables: Mapping[str, Path], asked: Asked) -> Columns:
    """What the columns of a folder's tables are for, by their first rows.

    Raises:
      ValueError: as `find_columns`; or there is no row.
    """
    path = tables.get("train") or tables[""]
    sample = list(itertools.islice(read_rows(path, Faults(skip=True)), _SAMPLE))
    if not sample:
        raise ValueError(f"{path} holds no row; expected examples: texts or paths of images, with labels")
    return find_columns(sample, path, asked)


def read_examples(folder: Path, options: RawOptions) -> RawExamples:
    """The examples of a folder, or of one table.

    Raises:
      ValueError: no table; a train or test split without an example; and, with file and line, unless bad rows are
        skipped: a row that is none, a missing column, labels of two types, a label that the folder's files of names
        lack, an id that is there twice, or an unknown split.
    """
    tables = find_tables(folder)
    if not tables:
        raise ValueError(f"{folder} holds no table of examples: {', '.join(SUFFIXES)}, each also with .gz")
    columns, faults = columns_of(tables, options), Faults(options.skip_malformed, _HINT)
    rows = list(_parsed(tables, columns, faults))
    examples, n_labels, names = _with_ids(rows, columns, folder, options, faults)
    labelled = [own for own in examples if own[1].labels or options.keep_unlabelled or len(columns.labels) > 1]
    splits = {split: [example for own, example in labelled if own == split] for split in _SPLITS}
    notes = [f"split by a hash of the {columns.id or 'text'}"] if "" in tables and not columns.split else []
    if left_out := len(examples) - len(labelled):
        notes.append(f"{left_out:,} without labels left out (data.keep_unlabelled=True keeps them)")
    kept = {split: own for split, own in splits.items() if own}
    raw = RawExamples(folder, columns, kept, n_labels, names, faults, tuple(notes))
    raw.check_splits()
    return raw


def inputs_in(path: Path, columns: Columns) -> Iterator[tuple[int, str]]:
    """The inputs of a file, whose labels are not looked at, with their lines: a table, or an input a line.

    Raises:
      ValueError: a row that is none, or has no such input.
    """
    for row in read_rows(path, Faults(), columns.inputs[0], columns.inputs):
        try:
            yield row.line, columns.input_of(row)
        except ValueError as error:
            raise ValueError(f"{path}:{row.line}: {error}") from error


class _Parsed(NamedTuple):
    split: str
    input: str
    cell: Cell
    place: tuple[Path, int]


def _key(given: object) -> str:
    return "" if given is None else str(given)


def _parsed(tables: Mapping[str, Path], columns: Columns, faults: Faults) -> Iterator[_Parsed]:
    seen: set[str] = set()
    for split, path in tables.items():
        for row in read_rows(path, faults):
            try:
                text, cell, key = columns.input_of(row), cell_of(row, columns), _key(row.values.get(columns.id))
                if key in seen:
                    raise ValueError(f"the {columns.id} {key!r} is there twice; an example has its own")
                parsed = _Parsed(split or _split_of(row, columns, key or text), text, cell, (path, row.line))
            except ValueError as error:
                faults.add(path, row.line, str(error))
                continue
            seen |= {key} - {""}
            yield parsed


def _split_of(row: Row, columns: Columns, key: str) -> str:
    if not columns.split:
        share = int(hashlib.sha1(key.encode()).hexdigest()[:8], 16) / 2**32
        return next(split for split, bound in _BOUNDS.items() if share < bound)
    value = row.values.get(columns.split)
    for split, names in _SPLITS.items():
        if str(value).strip().lower() in names:
            return split
    raise ValueError(f"{columns.split} must be train, dev or test; given {value!r:.60}")


def _with_ids(
    rows: list[_Parsed], columns: Columns, folder: Path, options: RawOptions, faults: Faults
) -> tuple[list[tuple[str, Example]], int, tuple[str, ...] | None]:
    """The examples with their splits; how many labels there are; and their names."""
    delimiter = options.label_delimiter or delimiter_of(row.cell for row in rows)
    numbers = hold_numbers((row.cell for row in rows), delimiter)
    sets = [labels_in(row.cell, delimiter, numbers) for row in rows]
    wanted = next((type(label) for labels in sets for label in labels), str)
    bad = [type_fault(labels, wanted) for labels in sets]
    known = {label for labels, complaint in zip(sets, bad, strict=True) if not complaint for label in labels}
    home = folder if folder.is_dir() else folder.parent
    files = find_names(home, columns.labels[0])
    ids, names = vocabulary(known, columns, files, binding=not any(home.glob("train.txt*")))
    examples = []
    for row, labels, complaint in zip(rows, sets, bad, strict=True):
        unknown = next((label for label in labels if label not in ids), None)
        if complaint or unknown is not None:
            listed = " and ".join(path.name for path in files.files)
            faults.add(*row.place, complaint or f"unknown label {unknown!r}: {listed} of the folder lists others")
        else:
            examples.append((row.split, Example(row.input, sorted({ids[label] for label in labels}), row.place)))
    return examples, len(ids), names
