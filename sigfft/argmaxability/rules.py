"""Decision rules: which labels are on, given their logits."""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

RuleName = Literal["threshold", "argmax", "top_k"]


@dataclass(frozen=True)
class Rule:
    """A label is on where its logit is above a level, which is zero or free.

    Every rule is one system of signs: a row [w_i, b_i] for each label, and where the level is free one more column of
    ones. That is all that proofs and search ask of a rule.

    Attributes:
      name: in `RULES` and in verdict files.
      free_level: the labels that are on are those above all others, wherever the level between them lies.
      cardinality: number of labels of every set; None: any.
    """

    name: str
    free_level: bool = False
    cardinality: int | None = None

    def check_sets(self, padded: Int[np.ndarray, "sets width"], n_labels: int) -> None:
        """Raises ValueError unless every set has the rule's cardinality."""
        if self.cardinality is None:
            return
        sizes = (padded < n_labels).sum(axis=1)
        wrong = np.flatnonzero(sizes != self.cardinality)
        if len(wrong):
            exactly = "one label" if self.cardinality == 1 else f"{self.cardinality} labels"
            raise ValueError(
                f"the {self.name} rule has exactly {exactly} in each set; set {wrong[0]} has {sizes[wrong[0]]}: "
                "for more, the rule is top_k"
            )

    def yielded(
        self, logits: Float[np.ndarray, "*batch labels"], cardinality: int
    ) -> Bool[np.ndarray, "*batch labels"]:
        """The labels that are on; under a free level the `cardinality` largest, equal logits by ascending id."""
        if not self.free_level:
            return logits > 0
        on = np.zeros(logits.shape, bool)
        largest = np.argsort(-logits, axis=-1, kind="stable")[..., :cardinality]
        np.put_along_axis(on, largest, True, axis=-1)
        return on

    def yields(self, logits: Float[Array, "sets labels"], padded: Int[Array, "sets width"]) -> Bool[Array, " sets"]:
        """Whether the logits of each set yield exactly it, without a tie; never where one of them is NaN."""
        active = padded < logits.shape[1]
        own = jnp.take_along_axis(logits, jnp.where(active, padded, 0), axis=1)
        number = ~jnp.isnan(logits).any(axis=1)
        if not self.free_level:
            right = jnp.where(active, own > 0, True).all(axis=1)
            return right & ((logits > 0).sum(axis=1) == active.sum(axis=1)) & number
        lowest = jnp.where(active, own, jnp.inf).min(axis=1)
        others = logits.at[jnp.arange(len(padded))[:, None], padded].set(-jnp.inf, mode="drop")
        return (lowest > others.max(axis=1)) & number


RULES = {
    rule.name: rule
    for rule in (Rule("threshold"), Rule("argmax", free_level=True, cardinality=1), Rule("top_k", free_level=True))
}


def named(rule: str | Rule) -> Rule:
    """The rule of a name in `RULES`.

    Raises:
      ValueError: there is none.
    """
    if isinstance(rule, Rule):
        return rule
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}; the rules are {', '.join(RULES)}")
    return RULES[rule]
