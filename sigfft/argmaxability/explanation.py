"""Explanations: the labels of an unargmaxable set that contradict each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Array, Float, Int
from threadpoolctl import threadpool_limits

from sigfft.argmaxability.conflict import irreducible
from sigfft.argmaxability.display import OfLabels, label_list
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.argmaxability.rules import Rule, RuleName
from sigfft.argmaxability.stages import Problem, decide


@dataclass(frozen=True, repr=False)
class Explanation(OfLabels):
    """The conflict of an unargmaxable set: no activation puts `on` above and `off` below at the same time.

    Both are empty unless the set is unargmaxable. Leaving out any one of the labels resolves it, whatever the bias; the
    certificate of the verdict is on these labels.
    """

    verdict: Verdict
    on: tuple[int, ...]
    off: tuple[int, ...]

    def told(self, most: int | None = None) -> str:
        if self.verdict.status != "unargmaxable":
            return f"the set is {self.verdict.status}; its margin is in {list(self.verdict.margin)}"
        on, off = (label_list(labels, self.names, most) for labels in (self.on, self.off))
        return f"no activation has labels {on} on and labels {off} off"

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict for each label of the conflict: "label"; "name", where named; "on"; "multiplier" in the proof."""
        proof = self.verdict.certificate
        shares = {} if proof is None else dict(zip(proof.labels, proof.multipliers, strict=True))
        return [{**self.record(i), "on": i in self.on, "multiplier": shares[i]} for i in sorted(self.on + self.off)]


@threadpool_limits.wrap(limits=1, user_api="blas")  # as `batches`: its products are small
def explain(
    weight: Float[np.ndarray | Array, "_labels _dim"],
    label_set: Sequence[int] | Int[np.ndarray | Array, " ids"],
    bias: Float[np.ndarray | Array, " labels"] | None = None,
    rule: RuleName | Rule = "threshold",
    *,
    transposed: bool = False,
) -> Explanation:
    """Labels of a set that conflict, none of them to spare. Arguments and errors as `check`, for one set.

    The set is a list of label ids, or an array of them, which may be padded with n_labels.

    Example:
      >>> weight = np.array([[2.0, 1.0], [-1.0, 1.0], [-0.5, -2.0], [1.0, -1.0]])
      >>> print(explain(weight, [0, 1, 2]))
      no activation has labels [0, 1, 2] on and labels [] off
    """
    problem = Problem.of(Layer.of(weight, bias, rule, transposed=transposed))
    wanted = members(problem.layer, label_set)
    return explained(problem, wanted, decided(problem, wanted))


def explained(problem: Problem, wanted: frozenset[int], verdict: Verdict) -> Explanation:
    """The explanation of a verdict on a set."""
    n_labels = problem.layer.n_labels
    if verdict.certificate is None:
        return Explanation(verdict, (), (), n_labels=n_labels)
    certificate = irreducible(problem.layer, wanted, verdict.certificate)
    on, off = map(tuple, certificate.sides(wanted, n_labels))
    return Explanation(replace(verdict, certificate=certificate), on, off, n_labels=n_labels)


def members(layer: Layer, label_set: Sequence[int] | Int[np.ndarray | Array, " ids"]) -> frozenset[int]:
    """The labels of one set, which may be padded. Raises ValueError as `Layer.pad`."""
    padded = layer.pad([label_set] if isinstance(label_set, Sequence) else np.asarray(label_set)[None])
    return frozenset(padded[0].tolist()) - {layer.n_labels}


def decided(problem: Problem, labels: frozenset[int]) -> Verdict:
    """The verdict on one set."""
    return decide(problem, problem.layer.pad([sorted(labels)]))[0]
