"""The verdicts of a check: one for each given label set, as arrays, a table and a file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sigfft import labels as label_sets
from sigfft.argmaxability.layer import Digest
from sigfft.argmaxability.proofs.certificate import Certificate
from sigfft.argmaxability.proofs.verdicts import STATUSES, Verdict, read_lines, write
from sigfft.argmaxability.proofs.witness import Witness


@dataclass(frozen=True)
class Report:
    """Verdicts by given label set; equal sets share one verdict."""

    layer: Digest
    label_sets: Int[np.ndarray, "sets width"]  # padded with n_labels
    verdicts: Sequence[Verdict]

    def __len__(self) -> int:
        return len(self.verdicts)

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

    def save(self, path: str | os.PathLike) -> None:
        """Write JSON lines, one for each set, atomically: the file is whole or not there."""
        write(path, self.label_sets, self.verdicts, self.layer)

    @staticmethod
    def load(path: str | os.PathLike) -> "Report":
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
