"""An output layer: a small activation made from features, and an affine map from it to the logits."""

import abc
import dataclasses
import math
import operator
import reprlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float, Int, Key, Num

from sigfft.heads.blocks import Blocks
from sigfft.meshes import automatic, labels_axis, spec_of
from sigfft.precision import add, compute_dtype, floating, matmul, product
from sigfft.priors import check_log_odds
from sigfft.projection import Projection

Params = dict[str, Array]
Features = Num[Array | np.ndarray, "*batch feature_dim"]
Decode = Callable[[Params, Float[Array, "batch dim"], Int[Array, " width"]], Float[Array, "batch width"]]


class Circle(NamedTuple):
    """Labels as points of the trigonometric moment curve, the part of W with a closed form.

    Attributes:
      points: the point of each label on the circle; None: label i at point i.
      max_frequency: W has the columns of the frequencies 0..max_frequency.
      n_fft: number of points of the whole circle.
      column: of the constant; the pairs of the frequencies follow it.
      alone: W has no other columns and there is no bias.
    """

    points: Int[np.ndarray, " labels"] | None
    max_frequency: int
    n_fft: int
    column: int
    alone: bool


class Head(abc.ABC):
    """An output layer: z = project(features), logits = z @ W.T + b, as pure functions of a flat dict of parameters.

    A kind of head is a frozen dataclass whose fields are the constructor's arguments. Equal heads have equal hashes:
    a jitted function that takes a head as a static argument is compiled once for all of them.

    A subclass says what z is (`dim`, `init`, `activation_of`), what the rows of W are (`rows_of`), and how all logits
    come from z (`logits_of`). Where it knows a cheaper way over blocks of labels than their rows, it says `blocks` and
    `block_decoder` too.

    Attributes:
      kind: the name of the class in tables, files and configs.
      per_label: names of the params with one row a label; a device that holds some labels, or a loss that visits them
        in blocks, has only their rows.
      given: names of the params that training leaves as they are; they have no gradient.
      circle: the part of W that guarantees label sets; None is no guarantee.
      centred: whether `project` subtracts from features their mean.
      known_dim: of the columns of W, so many from the first on are known before training; `known_rows` has them.
      learning_rate: the peak of Adam's that suits a head of this kind, and an encoder trained with it.
    """

    kind: ClassVar[str]
    learning_rate: ClassVar[float] = 3e-3
    per_label: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    circle: Circle | None = None
    centred: bool = False
    known_dim: int = 0

    if TYPE_CHECKING:  # fields of some heads, properties of others

        @property
        def n_labels(self) -> int:
            """Number of labels n."""

        @property
        def feature_dim(self) -> int:
            """Size of the features."""

        @property
        def dim(self) -> int:
            """Size d of the activation z."""

        @property
        def max_cardinality(self) -> int:
            """Every set of up to so many labels is argmaxable in exact arithmetic; 0 is no guarantee."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """The kind and the sizes that shape it, such as "dft k=50 spread=200"; in tables, and for files."""

    @abc.abstractmethod
    def init(self, key: Key[Array, ""]) -> Params:
        """Parameters at their start: a flat dict of float32 arrays (float64 under `jax_enable_x64`)."""

    def priors_of(self, params: Params, log_odds: Float[Array, " labels"]) -> Params:
        """The params that `with_priors` changes."""
        raise ValueError(f"{self!r} has no priors of labels: a DFT head takes label_priors, others no random_start")

    @abc.abstractmethod
    def activation_of(self, params: Params, features: Float[Array, "*batch feature_dim"]) -> Float[Array, "*batch dim"]:
        """What `project` computes."""

    @abc.abstractmethod
    def logits_of(self, params: Params, z: Float[Array, "*batch dim"]) -> Float[Array, "*batch labels"]:
        """What `decode` computes."""

    @abc.abstractmethod
    def rows_of(
        self, own: Params, labels: Int[Array, " m"], dtype: jax.typing.DTypeLike = jnp.float32
    ) -> Float[Array, "m dim"]:
        """Rows of W of some labels.

        Args:
          own: the per-label params of these labels alone, arrays (m, ...).
          labels: their ids.
          dtype: of columns that are not learned.
        """

    def known_rows(
        self, labels: Int[Array, " m"], dtype: jax.typing.DTypeLike = jnp.float32
    ) -> Float[Array, "m known_dim"]:
        """Of the rows of some labels the first `known_dim` entries, which no parameter changes."""
        return jnp.zeros((len(labels), 0), dtype)

    def bias_of(self, own: Params) -> Float[Array, " m"] | None:
        """Biases of the labels whose per-label params are `own`; None where the head has none."""
        return own.get("bias")

    def with_priors(self, params: Params, log_odds: Float[Array | np.ndarray, "..."]) -> Params:
        """Params at their start, from which each label has its own prior, where `init` gives all the same.

        What holds them is learned, a full-rank layer's bias and the first column of a bottleneck's W, or stays as it
        is: the column of a DFT head with `label_priors`.

        Args:
          params: as `init` gives them.
          log_odds: (n_labels,), as `sigfft.label_priors` gives them.

        Raises:
          ValueError: log_odds of another shape or not finite, or a head that has no place for them or starts at random.
        """
        check_log_odds(log_odds, self.n_labels, self)
        return params | self.priors_of(params, jnp.asarray(log_odds, jnp.float32))

    def project(self, params: Params, features: Features) -> Float[Array, "*batch dim"]:
        """Activations (..., dim) of features (..., feature_dim), in their dtype, or float32 for integers.

        Raises:
          ValueError: features of another width.
        """
        features = floating(self._fitting("features", features, self.feature_dim))
        return automatic(self.activation_of, lambda _, features: spec_of(features, None, axes=-1), params, features)

    def decode(self, params: Params, z: Num[Array | np.ndarray, "*batch dim"]) -> Float[Array, "*batch labels"]:
        """Logits (..., n_labels) of activations (..., dim), in their dtype or float32, computed in float32 at least.

        Raises:
          ValueError: activations of another width.
        """
        z = floating(self._fitting("z", z, self.dim))
        return automatic(self.logits_of, self._logits_spec, params, z)

    def rows(self, params: Params, labels: Int[Array | np.ndarray, " m"]) -> Float[Array, "m dim"]:
        """Rows of W (m, dim) of some labels, float32 at least where they are not learned."""
        widest = compute_dtype(max((value.dtype for value in params.values()), key=lambda dtype: dtype.itemsize))

        def rows(own: Params, labels: Array) -> Array:
            return self.rows_of(_rows_at(own, labels), labels, widest)

        own = per_label_params(self, params)
        return automatic(rows, lambda _, labels: spec_of(labels, None), own, jnp.asarray(labels))

    def bias(self, params: Params, labels: Int[Array | np.ndarray, " m"]) -> Float[Array, " m"] | None:
        """Biases (m,) of some labels, or None."""

        def bias(own: Params, labels: Array) -> Array | None:
            return self.bias_of(_rows_at(own, labels))

        return automatic(bias, lambda _, labels: spec_of(labels), per_label_params(self, params), jnp.asarray(labels))

    def projection(self, params: Params) -> Projection:
        """`project` as a matrix and an offset.

        Entries are products of stored parameters, of float32 or less, with constants of float32: exact in float64.
        Those of a centred head are differences from a mean, and rounded to float64.
        """
        with jax.enable_x64(True):
            params = {name: jnp.asarray(value) for name, value in params.items()}
            nothing = jnp.zeros((self.feature_dim,), jnp.float64)
            offset, slopes = jax.linearize(lambda features: self.project(params, features), nothing)
            matrix = jax.vmap(slopes, out_axes=1)(jnp.eye(self.feature_dim, dtype=jnp.float64))
        return Projection(np.asarray(matrix, np.float64), np.asarray(offset, np.float64))

    def logits(self, params: Params, features: Features) -> Float[Array, "*batch labels"]:
        """decode(project(features)): one logit per label."""
        return self.decode(params, self.project(params, features))

    def blocks(self, block_size: int, held: int | None = None) -> Blocks:
        """The labels in blocks of at most `block_size`.

        Args:
          block_size: labels a block.
          held: for a range of labels, their number; its first label may be any. None: all labels.

        Raises:
          ValueError: `block_size` is not a whole number of at least 1.
        """
        return Blocks.contiguous(self.n_labels, held, whole("block_size", block_size, 1))

    def block_decoder(self, blocks: Blocks, dtype: jax.typing.DTypeLike) -> Decode:
        """A function from one block's params, z and labels to its logits; what all blocks need is made here, once.

        Args:
          blocks: from `self.blocks`.
          dtype: that operands of matrix products are rounded to; they are summed in the dtype of z.

        Returns:
          (own, z (batch, dim), labels (width,)) -> logits (batch, width), z and logits in float32 at least; `labels`
          are the block's, as ids of the head, and perhaps ids beyond the last, whose logits mean nothing.
        """

        def decode(own: Params, z: Array, labels: Array) -> Array:
            rows = self.rows_of(own, jnp.minimum(labels, self.n_labels - 1), z.dtype)
            bias, logits = self.bias_of(own), product(z, rows, dtype)
            return logits if bias is None else add(logits, bias)

        return decode

    def n_parameters(self) -> int:
        """Number of learned parameters."""
        shapes = jax.eval_shape(self.init, jax.random.key(0))
        return sum(math.prod(p.shape) for name, p in shapes.items() if name not in self.given)

    @property
    def arguments(self) -> dict[str, Any]:
        """What the constructor was called with, defaults resolved; `kind` and these make the head again."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]

    def __repr__(self) -> str:
        default = {field.name: field.default for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        given = (f"{name}={value!r}" for name, value in self.arguments.items() if value != default[name])
        return f"{type(self).__name__}({', '.join(given)})"

    def _fitting(self, name: str, array: Array | np.ndarray, width: int) -> Array:
        if not np.shape(array) or np.shape(array)[-1] != width:
            raise ValueError(f"{name} of the head {self.name!r} must be (..., {width}); given shape {np.shape(array)}")
        return jnp.asarray(array)

    def _logits_spec(self, params: Params, z: Array) -> PartitionSpec:
        return spec_of(z, labels_axis(per_label_params(self, params), z), axes=-1)

    def _at_least(self, least: int, *names: str) -> None:
        """Makes fields Python ints.

        Raises:
          ValueError: one of them is no whole number, or less than `least`.
        """
        for name in names:
            object.__setattr__(self, name, whole(name, getattr(self, name), least))


def per_label_params(head: Head, params: Params) -> Params:
    """The params that have one row a label."""
    return {name: params[name] for name in sorted(head.per_label)}


def _rows_at(own: Params, labels: Int[Array, " m"]) -> Params:
    return {name: value[labels] for name, value in own.items()}


def whole(name: str, size: Any, least: int, meaning: str = "", most: int = 2**31 - 1) -> int:
    """The size as an int; NumPy's integers are welcome.

    Raises:
      ValueError: it is no whole number, less than `least`, or more than `most`: what 32-bit integers hold.
    """
    try:
        value = operator.index(size)
    except TypeError:
        value = least - 1
    if value < least:
        raise ValueError(f"{name}={size!r} must be a whole number of at least {meaning}{least}")
    if value > most:
        raise ValueError(f"{name}={reprlib.repr(value)} must be at most {most}")
    return value


def affine(
    params: Params, features: Float[Array, "*batch feature_dim"], gain: float = 1.0
) -> Float[Array, "*batch dim"]:
    """(features @ projection_kernel + projection_bias)·gain in the dtype of the features."""
    z = add(matmul(features, params["projection_kernel"]), params["projection_bias"])
    return (z * gain if gain != 1 else z).astype(features.dtype)
