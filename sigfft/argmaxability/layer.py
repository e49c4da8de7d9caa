"""A trained layer under a decision rule: what label sets are decided for, validated once."""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Float, Int

from sigfft import labels
from sigfft.argmaxability.proofs.exact import entries, exact64, matrix, whole_rows
from sigfft.argmaxability.rules import Rule, named
from sigfft.domains import DOMAINS, Domain, DomainLike, domain_of
from sigfft.projection import Projection


@dataclass(frozen=True)
class Digest:
    """A layer by its content: rule, sizes, and dtype, shape and SHA-256 of the stored arrays.

    `domain` is that of the input, as verdict files name it: features if there is a `projection`, or z.
    """

    rule: str
    n_labels: int
    dim: int
    weight: dict
    bias: dict | None
    domain: str | list[float | None] = "any"
    projection: dict | None = None


@dataclass(frozen=True, eq=False)
class Layer:
    """Weight, bias and rule, and what feeds them; made by `Layer.of`, which validates them.

    The input is z, or with a projection the features, and each entry of it lies in the domain. Of the input x the
    system of signs has a row of `width` D for each label: w_i, or W's row times the projection, exactly; then the
    constant, if there is one; then 1 where the level is free. Behind the labels' ids come constraints that every set
    has with the sign +1: that the coordinate of the constant is positive, and the domain's bounds of each entry.
    """

    weight: Float[np.ndarray, "labels dim"]
    bias: Float[np.ndarray, " labels"] | None
    rule: Rule
    domain: Domain = DOMAINS["any"]
    projection: Projection | None = None
    transposed: bool = False  # as the weight was given: (dim, n_labels)

    @classmethod
    def of(
        cls,
        weight: np.ndarray | Array,
        bias: np.ndarray | Array | None = None,
        rule: str | Rule = "threshold",
        domain: DomainLike | Domain = "any",
        projection: Projection | None = None,
        transposed: bool = False,
    ) -> "Layer":
        """The layer of these stored values, which are taken as exact.

        Args:
          weight: (n_labels, dim), or (dim, n_labels) if transposed; float16, bfloat16, float32 or float64, finite.
          bias: (n_labels,) or None.
          rule: one of `rules.RULES`.
          domain: of each entry of the input; see `domains.domain_of`.
          projection: from features to z; None: z is the input.
          transposed: the weight is a kernel (dim, n_labels), as Flax stores it.

        Raises:
          ValueError: an array has the wrong shape or dtype, or holds NaN or infinity; or rule or domain are unknown.
        """
        weight = _finite(weight, "weight")
        if weight.ndim != 2 or not weight.size:
            expected = "(dim, n_labels)" if transposed else "(n_labels, dim)"
            raise ValueError(f"weight must be {expected}, both at least 1; given shape {weight.shape}")
        if transposed:
            weight = np.ascontiguousarray(weight.T)
        if bias is not None:
            bias = _finite(bias, "bias")
            if bias.shape != (len(weight),):
                hint = f"; {layout_hint(transposed)}" if bias.shape == weight.shape[1:] else ""
                raise ValueError(f"bias must be (n_labels,) = ({len(weight)},); given shape {bias.shape}{hint}")
        if projection is not None:
            kernel, offset = (_finite(array, "the projection") for array in projection)
            dim = weight.shape[1]
            if kernel.ndim != 2 or len(kernel) != dim or not kernel.size or offset.shape != (dim,):
                raise ValueError(
                    f"the projection of a weight of shape {weight.shape} must be a matrix ({dim}, feature_dim) and an "
                    f"offset ({dim},); given shapes {kernel.shape} and {offset.shape}"
                )
            projection = Projection(kernel.astype(np.float64), offset.astype(np.float64))
        return cls(weight, bias, named(rule), domain_of(domain), projection, transposed)

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return len(self.weight)

    @property
    def dim(self) -> int:
        """Size of the input: that of the activations z, or of the features."""
        return self.weight.shape[1] if self.projection is None else self.projection.matrix.shape[1]

    @property
    def has_constant(self) -> bool:
        """Whether some row has a term that the input does not scale: a bias, an offset or a bound that is not 0."""
        offset = self.projection is not None and bool(self.projection.offset.any())
        return self.bias is not None or offset or any(self.domain.bounds)

    @property
    def positive(self) -> int | None:
        """The column of the constant, whose coordinate must be positive; None where there is none."""
        return self.dim if self.has_constant else None

    @property
    def width(self) -> int:
        """Columns of the sign system, D."""
        return self.dim + self.has_constant + self.rule.free_level

    @property
    def n_constraints(self) -> int:
        """Labels, and the constraints behind them that are always on."""
        return self.n_labels + self.has_constant + len(self.domain.bounds) * self.dim

    @functools.cached_property
    def digest(self) -> Digest:
        """What verdicts about this layer carry."""
        bias = None if self.bias is None else array_digest(self.bias)
        fed = None
        if self.projection is not None:
            fed = {name: array_digest(array) for name, array in self.projection._asdict().items()}
        of_weight = array_digest(self.weight)
        return Digest(self.rule.name, self.n_labels, self.dim, of_weight, bias, self.domain.to_json(), fed)

    def rows(self, ids: Int[np.ndarray, " ids"]) -> Float[np.ndarray, "ids D"]:
        """Rows of the sign system, in float64: exact without a projection, else `whole` has the exact ones.

        With a projection they may have lost all their digits, or hold infinity or NaN.
        """
        label = ids < self.n_labels
        at = np.where(label, ids, 0)
        rows = np.empty((len(ids), self.width))  # one copy of W in float64: it may be gigabytes
        if self.projection is None:
            rows[:, : self.dim] = self.weight[at]
            if self.has_constant:
                rows[:, self.dim] = 0.0 if self.bias is None else self.bias[at]
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                fed = self.dim + self.has_constant
                rows[:, :fed] = self.logit_rows(at) @ self.feed
        if self.rule.free_level:
            rows[:, -1] = 1.0
        if not label.all():
            rows[~label] = self._constraints(ids[~label])
        return rows

    def whole(
        self, ids: Int[np.ndarray, " ids"], scale: Int[np.ndarray, " D"] | int = 0
    ) -> tuple[np.ndarray, Int[np.ndarray, " ids"]]:
        """Rows of the sign system, exactly: each is its whole numbers times 2^exponent.

        Args:
          ids: of labels and constraints.
          scale: exponents of powers of two that the columns are multiplied by.
        """
        if self.projection is None:
            return whole_rows(self.rows(ids), scale)
        label, least = ids < self.n_labels, int(np.min(scale))
        own, powers = whole_rows(self.logit_rows(ids[label]))
        feed, (common,) = whole_rows(self.feed.reshape(1, -1))
        columns = entries(matrix(own) * matrix(feed.reshape(self.feed.shape)))
        powers = powers + common
        if self.rule.free_level:  # one more column of 1 = 2^-power · 2^power
            above = np.maximum(powers, 0)
            powers = powers - above
            columns = np.column_stack([columns << above.astype(object)[:, None], 1 << (-powers).astype(object)])
        whole, exponents = np.zeros((len(ids), self.width), object), np.zeros(len(ids), int)
        whole[label] = columns << np.broadcast_to(scale - np.int64(least), self.width).astype(object)
        exponents[label] = powers + least
        whole[~label], exponents[~label] = whole_rows(self._constraints(ids[~label]), scale)
        return whole, exponents

    def pad(self, label_sets: labels.LabelSets) -> Int[np.ndarray, "sets width"]:
        """Label sets as one padded array.

        Raises:
          ValueError: an id is out of range or repeated, or the rule has no set of this size.
        """
        try:
            padded = labels.pad(label_sets, self.n_labels)
        except ValueError as error:
            other = self.weight.shape[1]
            if other > self.n_labels and _are_ids(label_sets, other):
                raise ValueError(f"{error}; {layout_hint(self.transposed)}") from error
            raise
        self.rule.check_sets(padded, self.n_labels)
        return padded

    def is_silent(self, label: int) -> bool:
        """Whether a label's logit is 0 for every input: under a zero level it is then off."""
        return not self.whole(np.array([label]))[0].any()

    def logit_rows(self, ids: Int[np.ndarray, " ids"]) -> Float[np.ndarray, "ids _"]:
        """Rows of W, and the bias where there is a constant: what gives the logits, of z and 1."""
        rows = np.zeros((len(ids), self.weight.shape[1] + self.has_constant))
        rows[:, : self.weight.shape[1]] = self.weight[ids]
        if self.bias is not None:
            rows[:, -1] = self.bias[ids]
        return rows

    @functools.cached_property
    def feed(self) -> Float[np.ndarray, "_ _"]:
        """The map from the input, and 1 where there is a constant, to z, and 1 likewise."""
        kernel, offset = self.projection or Projection(np.eye(self.dim), np.zeros(self.dim))
        if not self.has_constant:
            return kernel
        return np.vstack([np.column_stack([kernel, offset]), np.arange(self.dim + 1) == self.dim])

    def _constraints(self, ids: Int[np.ndarray, " ids"]) -> Float[np.ndarray, "ids D"]:
        """Rows behind the labels': x_const > 0; then x_j − low·x_const > 0 for each j, and high·x_const − x_j > 0."""
        rows = np.zeros((len(ids), self.width))
        order = ids - self.n_labels - self.has_constant
        if self.has_constant:
            rows[order < 0, self.dim] = 1.0
        bounded = np.flatnonzero(order >= 0)
        which, entry = np.divmod(order[bounded], self.dim)
        bounds = np.array(self.domain.bounds)[which]
        lower = np.array([bound == self.domain.low for bound in self.domain.bounds])[which]
        rows[bounded, entry] = np.where(lower, 1.0, -1.0)
        if self.has_constant:
            rows[bounded, self.dim] = np.where(lower, -bounds, bounds)
        return rows


def layout_hint(transposed: bool) -> str:
    """What to do where the other axis of the weight has as many entries as there seem to be labels."""
    if transposed:
        return "the weight looks like (n_labels, dim), not (dim, n_labels): leave out transposed=True if it is"
    return "the weight looks like (dim, n_labels), not (n_labels, dim): give transposed=True if it is"


def _are_ids(label_sets: labels.LabelSets, n_labels: int) -> bool:
    try:
        labels.pad(label_sets, n_labels)
    except ValueError:
        return False
    return True


def array_digest(array: np.ndarray) -> dict:
    """Name an array by its content: dtype, shape, and the SHA-256 of its C-order little-endian bytes."""
    raw = array.byteswap() if array.dtype.str[0] == ">" else array
    return {"dtype": array.dtype.name, "shape": list(array.shape), "sha256": hashlib.sha256(raw.tobytes()).hexdigest()}


def _finite(given: np.ndarray | Array, name: str) -> np.ndarray:
    array = np.asarray(given)
    exact64(np.empty(0, array.dtype), name)  # the dtype alone
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(f"{name} must be finite; it holds {array[where]} at index {where}")
    return array
