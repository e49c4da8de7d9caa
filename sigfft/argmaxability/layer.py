"""A trained layer under a decision rule: what label sets are decided for, validated once."""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sigfft import labels
from sigfft.argmaxability.proofs.exact import exact64
from sigfft.argmaxability.rules import Rule, named


@dataclass(frozen=True)
class Digest:
    """A layer by its content: rule, sizes, and dtype, shape and SHA-256 of the stored arrays."""

    rule: str
    n_labels: int
    dim: int
    weight: dict
    bias: dict | None


@dataclass(frozen=True, eq=False)
class Layer:
    """Weight, bias and rule; made by `Layer.of`, which validates them.

    Their system of signs has a row of `width` D for each label: w_i, then b_i where there is a bias, then 1 where the
    level is free. Behind the labels' ids come constraints that every set has with the sign +1: with a bias one, whose
    row is 1 at the bias and 0 elsewhere, since the coordinate that multiplies it must be positive.
    """

    weight: Float[np.ndarray, "labels dim"]
    bias: Float[np.ndarray, " labels"] | None
    rule: Rule

    @classmethod
    def of(cls, weight: np.ndarray, bias: np.ndarray | None = None, rule: str | Rule = "threshold") -> "Layer":
        """The layer of these stored values, which are taken as exact.

        Args:
          weight: (n_labels, dim), float16, bfloat16, float32 or float64, finite.
          bias: (n_labels,) or None.
          rule: one of `rules.RULES`.

        Raises:
          ValueError: an array has the wrong shape or dtype, or holds NaN or infinity; or the rule is unknown.
        """
        weight = _finite(weight, "weight")
        if weight.ndim != 2 or not weight.size:
            raise ValueError(f"weight must be (n_labels, dim), both at least 1; given shape {weight.shape}")
        if bias is not None:
            bias = _finite(bias, "bias")
            if bias.shape != (len(weight),):
                raise ValueError(f"bias must be (n_labels,) = ({len(weight)},); given shape {bias.shape}")
        return cls(weight, bias, named(rule))

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return len(self.weight)

    @property
    def dim(self) -> int:
        """Size of the activations z."""
        return self.weight.shape[1]

    @property
    def positive(self) -> int | None:
        """The column of the bias, whose coordinate must be positive; None without one."""
        return None if self.bias is None else self.dim

    @property
    def width(self) -> int:
        """Columns of the sign system, D."""
        return self.dim + (self.bias is not None) + self.rule.free_level

    @property
    def n_constraints(self) -> int:
        """Labels, and the constraints behind them that are always on."""
        return self.n_labels + (self.bias is not None)

    @functools.cached_property
    def digest(self) -> Digest:
        """What verdicts about this layer carry."""
        bias = None if self.bias is None else array_digest(self.bias)
        return Digest(self.rule.name, self.n_labels, self.dim, array_digest(self.weight), bias)

    def rows(self, ids: Int[np.ndarray, " ids"]) -> Float[np.ndarray, "ids D"]:
        """Rows of the sign system, in float64 and exact."""
        label = ids < self.n_labels
        at = np.where(label, ids, 0)
        columns = [exact64(self.weight[at], "weight")]
        columns += [] if self.bias is None else [exact64(self.bias[at], "bias")]
        columns += [np.ones(len(ids))] if self.rule.free_level else []
        rows = np.column_stack(columns)
        rows[~label] = np.arange(rows.shape[1]) == self.positive
        return rows

    def pad(self, label_sets: labels.LabelSets) -> Int[np.ndarray, "sets width"]:
        """Label sets as one padded array.

        Raises:
          ValueError: an id is out of range or repeated, or the rule has no set of this size.
        """
        padded = labels.pad(label_sets, self.n_labels)
        self.rule.check_sets(padded, self.n_labels)
        return padded


def array_digest(array: np.ndarray) -> dict:
    """Name an array by its content: dtype, shape, and the SHA-256 of its C-order little-endian bytes."""
    raw = array.byteswap() if array.dtype.str[0] == ">" else array
    return {"dtype": array.dtype.name, "shape": list(array.shape), "sha256": hashlib.sha256(raw.tobytes()).hexdigest()}


def _finite(array: np.ndarray, name: str) -> np.ndarray:
    array = np.asarray(array)
    exact64(np.empty(0, array.dtype), name)  # the dtype alone
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(f"{name} must be finite; it holds {array[where]} at index {where}")
    return array
