"""An index of labels: found by their names, or by their ids."""

from collections.abc import Sequence

_MOST = 50


class Index:
    """The labels of a layer, by name where they have one.

    Args:
      n_labels: number of labels.
      names: of all of them, or None.
    """

    def __init__(self, n_labels: int, names: Sequence[str] | None = None):
        self.n_labels, self.names = n_labels, names
        self._folded = [str(i) for i in range(n_labels)] if names is None else [name.casefold() for name in names]

    def pairs(self, labels: Sequence[int]) -> list[tuple[int, str]]:
        """Each label with its name; with "" where labels have none."""
        return [(int(i), "" if self.names is None else self.names[i]) for i in labels]

    def find(self, text: str, most: int = _MOST) -> tuple[list[tuple[int, str]], int]:
        """The best `most` labels for a text, and how many there are in all.

        A label is found by its id, or where its name has every word of the text, whatever their case. First comes the
        label of this id, then names that are, that begin with, and that have a word that begins with the text.
        """
        wanted = " ".join(text.casefold().split())
        words = wanted.split()
        hits = [i for i, name in enumerate(self._folded) if all(word in name for word in words)]
        label = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 12 else self.n_labels
        if label < self.n_labels and self.names is not None:
            hits = [label, *(i for i in hits if i != label)]
        if words:
            hits.sort(key=lambda i: (i != label, self._distance(i, wanted), len(self._folded[i]), i))
        return self.pairs(hits[:most]), len(hits)

    def _distance(self, label: int, wanted: str) -> int:
        name = self._folded[label]
        if name.startswith(wanted):
            return int(name != wanted)
        return 2 if f" {wanted}" in name else 3
