"""The verdicts of a check: one for each given label set, as arrays, a table and a file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from sigfft import labels as label_sets
from sigfft.argmaxability.display import Names, checked_names, html_table, label_list, name_fields
from sigfft.argmaxability.layer import Digest
from sigfft.argmaxability.proofs.certificate import Certificate
from sigfft.argmaxability.proofs.verdicts import STATUSES, Verdict, read_lines, write
from sigfft.argmaxability.proofs.witness import Witness


@dataclass(frozen=True, repr=False)
class Report:
    """Verdicts by given label set; equal sets share one verdict.

    Its `repr`, and the table that a notebook shows, are summaries; `to_dicts` is for `pandas.DataFrame` or JSON.
    """

    layer: Digest
    label_sets: Int[np.ndarray, "sets width"]  # padded with n_labels
    verdicts: Sequence[Verdict]
    names: Sequence[str] | None = field(default=None, kw_only=True)  # of all labels; see `named`

    def __len__(self) -> int:
        return len(self.verdicts)

    def __repr__(self) -> str:
        return f"{type(self).__name__} on " + "\n".join(self._summary())

    def _repr_html_(self) -> str:
        return html_table(repr(self), map(self._cells, range(len(self))), len(self))

    def named(self, names: Names) -> "Report":
        """The same report, showing names: n_labels strings. Files are written without them.

        Raises:
          ValueError: there are more or fewer names than labels, or one of them is no string.
        """
        return replace(self, names=checked_names(names, self.layer.n_labels))

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict of plain values for each label set, as `pandas.DataFrame` or `json.dumps` take them.

        Each has "labels"; "names", where the report is `named`; "status", "method", "margin_lower", "margin_upper",
        "seconds" and "reason"; and "proof_size": labels of the certificate, numbers of the witness, or None.
        """
        return [self._record(i) for i in range(len(self))]

    @property
    def status(self) -> np.ndarray:
        """(m,) of "argmaxable", "unargmaxable" or "undecided"."""
        return np.array([v.status for v in self.verdicts], dtype="<U12")

    @property
    def margin(self) -> Float[np.ndarray, "sets 2"]:
        """Lower and upper bound of each set's margin: max over unit z of min_i s_i (r_i·z) / ‖r_i‖.

        r_i is w_i, with b_i where there is a bias and 1 under argmax and top_k, whose level is free; those two columns
        are multiplied by powers of two that bring their size to the median length of the w_i (`search.system`), so
        that a margin keeps its value where all weights are multiplied by a power of two. With a bias, one more row is
        1 at its column and 0 elsewhere: that coordinate of z must be positive.
        """
        return np.array([v.margin for v in self.verdicts], np.float64).reshape(-1, 2)

    @property
    def witness(self) -> list[Witness | None]:
        """An input that yields the set, for each argmaxable one; an `ExactWitness` where no floats do."""
        return [v.witness for v in self.verdicts]

    @property
    def certificate(self) -> list[Certificate | None]:
        """The proof that no activation yields the set, for each unargmaxable one."""
        return [v.certificate for v in self.verdicts]

    @property
    def method(self) -> np.ndarray:
        """(m,) names of the stage that decided: "trivial", "probe", "search", "lp" or "transform"; "none": an error."""
        return np.array([v.method for v in self.verdicts], dtype=object)

    @property
    def seconds(self) -> Float[np.ndarray, " sets"]:
        """Time spent on each set; a batch's shared time is split evenly."""
        return np.array([v.seconds for v in self.verdicts], np.float64)

    @property
    def reason(self) -> np.ndarray:
        """(m,) why a set is undecided; empty for the others."""
        return np.array([v.reason for v in self.verdicts], dtype=object)

    def conflicts(self) -> list[tuple[list[int], list[int]]]:
        """For each unargmaxable set the labels of its certificate: those in the set, and those that are not."""
        found = []
        for i, proof in enumerate(self.certificate):
            if proof is not None:
                found.append(proof.sides(set(self._labels(i)), self.layer.n_labels))
        return found

    def counts(self) -> dict[str, int]:
        """How many sets were checked, and how many have each status."""
        status = self.status
        return {"checked": len(self), **{name: int((status == name).sum()) for name in STATUSES}}

    def table(self, **shares: Bool[np.ndarray, " sets"]) -> str:
        """A summary by cardinality, one line each and a total; further columns give the share of sets that hold."""
        status, cardinality = self.status, label_sets.cardinality(self.label_sets, self.layer.n_labels)
        lines = [f"{'labels':>8} {'sets':>9} {'argmaxable':>11} {'unargmaxable':>13} {'undecided':>10} {'share':>8}"]
        lines[0] += "".join(f" {name:>14}" for name in shares)
        for k in [*np.unique(cardinality).tolist(), None]:
            chosen = np.ones(len(self), bool) if k is None else cardinality == k
            total, counts = int(chosen.sum()), [int((status[chosen] == name).sum()) for name in STATUSES]
            line = f"{'all' if k is None else k:>8} {total:>9} {counts[0]:>11} {counts[1]:>13} {counts[2]:>10} "
            line += f"{counts[0] / total:8.2%}" if total else f"{'-':>8}"
            lines.append(line + "".join(f" {holds[chosen].mean() if total else 0:14.2%}" for holds in shares.values()))
        return "\n".join(lines)

    def _labels(self, i: int) -> list[int]:
        return label_sets.unpack(self.label_sets[i : i + 1], self.layer.n_labels)[0]

    def _further(self, i: int) -> dict[str, Any]:
        """What a kind of report adds to the record of a set."""
        return {}

    def _record(self, i: int) -> dict[str, Any]:
        verdict, ids = self.verdicts[i], self._labels(i)
        low, high = map(float, verdict.margin)
        return {
            "labels": ids,
            **name_fields(ids, self.names),
            "status": verdict.status,
            "method": verdict.method,
            "margin_lower": low,
            "margin_upper": high,
            "seconds": float(verdict.seconds),
            "proof_size": _proof_size(verdict),
            "reason": verdict.reason,
            **self._further(i),
        }

    def _cells(self, i: int) -> dict[str, Any]:
        verdict, size = self.verdicts[i], _proof_size(self.verdicts[i])
        low, high = verdict.margin
        return {
            "set": i,
            "labels": label_list(self._labels(i), self.names),
            "status": verdict.status,
            "method": verdict.method,
            "margin": f"{low:.3g} to {high:.3g}",
            "seconds": f"{verdict.seconds:.2g}",
            "proof": verdict.reason if size is None else f"{size} {'labels' if verdict.witness is None else 'numbers'}",
            **self._further(i),
        }

    def _summary(self) -> list[str]:
        counts, layer, seconds = self.counts(), self.layer, self.seconds
        of = "dimensions" if layer.projection is None else "features"
        domain = "" if layer.domain == "any" else f" in the domain {layer.domain}"
        lines = [
            f"{len(self):,} label set{'' if len(self) == 1 else 's'}: "
            + ", ".join(f"{counts[name]:,} {name}" for name in STATUSES),
            f"{layer.rule} rule, {layer.n_labels:,} labels, {layer.dim:,} {of}{domain}",
        ]
        if len(self):
            slowest = int(seconds.argmax())
            lines.append(f"{seconds.sum():.2g} s, of which {seconds[slowest]:.2g} s for {self._told(slowest)}")
        if counts["undecided"]:
            first = int((self.status == "undecided").argmax())
            reason = self.verdicts[first].reason
            lines.append(f"first undecided: {self._told(first)}{f': {reason}' if reason else ''}")
        return lines

    def _told(self, i: int) -> str:
        return f"set {i}, {label_list(self._labels(i), self.names)}"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write JSON lines, one for each set, atomically: the file is whole or not there."""
        write(path, self.label_sets, self.verdicts, self.layer)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "Report":
        """Read what `save` wrote. This proves nothing: `verify` does.

        Raises:
          ValueError: a line is not a verdict, lines are missing, or they are about different layers.
        """
        lines = [line for _, line in read_lines(path)]
        layer = lines[0].layer
        if any(line.layer != layer for line in lines):
            raise ValueError(f"{path} holds verdicts about more than one layer or rule; save one report to a file")
        try:
            padded = label_sets.pad([line.labels for line in lines], layer.n_labels)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return Report(layer, padded, [line.verdict for line in lines])


def _proof_size(verdict: Verdict) -> int | None:
    """Labels of the certificate, or numbers of the witness."""
    if verdict.certificate is not None:
        return len(verdict.certificate.labels)
    return None if verdict.witness is None else len(verdict.witness)
