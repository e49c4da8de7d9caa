"""How results are shown: names of labels, short lists, and HTML tables for notebooks."""

import abc
import html
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Shaped

ROWS = 20  # of a table
LABELS = 8  # of a label set, in one line
_CELL = "text-align:left;padding:0.2em 0.8em 0.2em 0"  # notebooks align numbers' columns and text alike, to the right

Told = TypeVar("Told", bound="OfLabels")
Names = Sequence[str] | Shaped[np.ndarray, " labels"]


def checked_names(names: Names, n_labels: int) -> tuple[str, ...]:
    """The names of all labels.

    Raises:
      ValueError: there are more or fewer names than labels, or one of them is no string.
    """
    if isinstance(names, str) or not isinstance(names, Sequence | np.ndarray):
        raise ValueError(f"names must be a sequence of {n_labels} strings, one for each label; given {names!r:.50}")
    if len(names) != n_labels:
        raise ValueError(
            f"names must be one for each of the {n_labels} labels, in their order; given {len(names)} names"
        )
    for i, name in enumerate(names):
        if not isinstance(name, str):
            raise ValueError(f"names must be strings; the name of label {i} is {name!r}")
    return tuple(map(str, names))


def label_list(labels: Sequence[int], names: Sequence[str] | None, most: int | None = LABELS) -> str:
    """Labels in brackets, with their names where given; of more than `most`, how many more there are."""
    shown = [str(i) if names is None else f"{names[i]} ({i})" for i in labels[:most]]
    more = len(labels) - len(shown)
    return f"[{', '.join(shown)}{f', and {more} more' if more else ''}]"


def name_fields(labels: Sequence[int], names: Sequence[str] | None) -> dict[str, list[str]]:
    """The field of a record that holds the names of labels; none without names."""
    return {} if names is None else {"names": [names[i] for i in labels]}


def html_table(title: str, rows: Iterable[Mapping[str, Any]], total: int) -> str:
    """A table for a notebook, light or dark: it has no colours of its own, and all text is escaped.

    Args:
      title: lines above the table.
      rows: of the table, each a dict by column; those beyond `ROWS` are not shown.
      total: how many there are.
    """
    shown = list(itertools.islice(rows, ROWS))
    parts = [f"<p>{'<br>'.join(html.escape(line) for line in title.splitlines())}</p>"]
    if shown:
        parts.append('<table style="border-collapse:collapse;color:inherit;background:none">')
        parts.append(_row("th", shown[0]))
        parts += [_row("td", row.values()) for row in shown]
        parts.append("</table>")
    if total > len(shown):
        parts.append(f"<p>{total - len(shown):,} more are not shown; to_dicts() has them all</p>")
    return "<div>" + "\n".join(parts) + "</div>"


@dataclass(frozen=True, repr=False, kw_only=True)
class OfLabels(abc.ABC):
    """A result about some labels of a layer, shown by their names where those are given."""

    n_labels: int
    names: Sequence[str] | None = None

    @abc.abstractmethod
    def told(self, most: int | None = None) -> str:
        """The result in one line, with `most` labels of each list; None: all."""

    @abc.abstractmethod
    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict of plain values for each label that is told of."""

    def __str__(self) -> str:
        return self.told()

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.told(LABELS)}"

    def _repr_html_(self) -> str:
        rows = self.to_dicts()
        return html_table(repr(self), rows, len(rows))

    def named(self: Told, names: Names) -> Told:
        """The same, showing names: n_labels strings.

        Raises:
          ValueError: there are more or fewer names than labels, or one of them is no string.
        """
        return replace(self, names=checked_names(names, self.n_labels))

    def record(self, label: int) -> dict[str, Any]:
        """A label, and its name where given."""
        return {"label": label} | ({} if self.names is None else {"name": self.names[label]})


def _row(tag: str, cells: Iterable[Any]) -> str:
    texts = (f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells)
    written = "".join(f'<{tag} style="{_CELL}">{html.escape(text)}</{tag}>' for text in texts)
    return f'<tr style="color:inherit;background:none">{written}</tr>'
