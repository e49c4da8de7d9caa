"""The verdicts of a check: one for each given label set, saved as JSON lines that `verify` reads."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from sigfft import labels as label_sets
from sigfft.argmaxability.certificate import Certificate
from sigfft.argmaxability.lines import STATUSES, field, missing, parse
from sigfft.files import replacing


@dataclass(frozen=True)
class Verdict:
    """What is known of one label set. A status other than "undecided" has been proved exactly."""

    status: str
    margin: tuple[float, float]
    method: str  # the stage that decided
    witness: Float[np.ndarray, " dim"] | None = None
    certificate: Certificate | None = None
    seconds: float = 0.0
    reason: str = ""  # why it is undecided


@dataclass(frozen=True)
class Layer:
    """What the verdicts are about: the decision rule, the sizes, and the digests of the stored arrays."""

    rule: str
    n_labels: int
    dim: int
    weight: dict
    bias: dict | None


@dataclass(frozen=True)
class Report:
    """Verdicts by given label set; equal sets share one verdict."""

    layer: Layer
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

        r_i is w_i, with b_i where there is a bias and 1 under argmax and top_k; those two columns are multiplied by
        powers of two that bring their size to the median length of the w_i (`system.homogenize`), so that a margin
        keeps its value where all weights are multiplied by a power of two. With a bias, one more row is 1 at its
        column and 0 elsewhere: that coordinate of z must be positive.
        """
        return np.array([v.margin for v in self.verdicts], np.float64).reshape(-1, 2)

    @property
    def witness(self) -> list[Float[np.ndarray, " dim"] | None]:
        """An activation that yields the set, for each argmaxable one."""
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
        sets = label_sets.unpack(self.label_sets, self.layer.n_labels)
        write_lines(path, (to_json(s, v, self.layer, len(self)) for s, v in zip(sets, self.verdicts, strict=True)))

    @staticmethod
    def load(path: str | os.PathLike) -> "Report":
        """Read what `save` wrote. This proves nothing: `verify` does.

        Raises:
          ValueError: a line is not a verdict, lines are missing, or they are about different layers.
        """
        sets, verdicts, layers, declared = [], [], [], Counter[int | None]()
        for number, line in enumerate(Path(path).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            try:
                record = parse(line)
                labels, verdict, layer = _of_record(record)
            except ValueError as error:
                reason = f"{path}, line {number} is not a verdict; the file may be truncated: {error}"
                raise ValueError(reason) from error
            sets.append(labels)
            verdicts.append(verdict)
            layers.append(layer)
            declared[record.get("sets")] += 1
        if any(layer != layers[0] for layer in layers):
            raise ValueError(f"{path} holds verdicts about more than one layer or rule; save one report to a file")
        if missing(declared):
            raise ValueError(f"{path} {missing(declared)}")
        try:
            return Report(layers[0], label_sets.pad(sets, layers[0].n_labels), verdicts)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def to_json(labels: Sequence[int], verdict: Verdict, layer: Layer, sets: int | None = None) -> str:
    """One verdict as a line of JSON; floats are written so that they read back to the same bits.

    `sets` is the number of lines that the file will have, so that a reader sees whether some are missing.
    """
    proof = verdict.certificate
    record = {
        "labels": list(labels),
        "status": verdict.status,
        "margin": list(verdict.margin),
        "method": verdict.method,
        "witness": None if verdict.witness is None else verdict.witness.tolist(),
        "certificate": None if proof is None else {"labels": proof.labels, "multipliers": proof.multipliers},
        "seconds": verdict.seconds,
        "reason": verdict.reason,
    }
    whole = {} if sets is None else {"sets": sets}
    return json.dumps(record | asdict(layer) | whole, allow_nan=False)


def from_json(line: str) -> tuple[list[int], Verdict, Layer]:
    """The inverse of `to_json`.

    Raises:
      ValueError: the line is not a JSON object, or a field is missing or has another form.
    """
    return _of_record(parse(line))


def _of_record(record: dict) -> tuple[list[int], Verdict, Layer]:
    for name, *types in (("method", str), ("seconds", int, float), ("reason", str)):
        field(record, name, *types)
    proof, witness = record["certificate"], record["witness"]
    if witness is not None and len(witness) != record["dim"]:
        raise ValueError(f"witness must have dim = {record['dim']} numbers; it has {len(witness)}")
    verdict = Verdict(
        record["status"],
        (record["margin"][0], record["margin"][1]),
        record["method"],
        None if witness is None else np.array(witness, np.float64),
        None if proof is None else Certificate(tuple(proof["labels"]), tuple(proof["multipliers"])),
        record["seconds"],
        record["reason"],
    )
    layer = Layer(*(record[name] for name in ("rule", "n_labels", "dim", "weight", "bias")))
    return record["labels"], verdict, layer


def write_lines(path: str | os.PathLike, lines: Iterable[str]) -> None:
    """Write a text file of these lines: whole, or not at all."""
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
