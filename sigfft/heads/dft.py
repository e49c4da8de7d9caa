"""The DFT head: a fixed trigonometric W through `jnp.fft`; each set of up to k labels has a z that yields it."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import ClassVar, Literal, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from sigfft import spectrum
from sigfft.heads import dft_blocks
from sigfft.heads.head import Circle, Head, Params, affine, whole
from sigfft.heads.sizes import enough_spread
from sigfft.precision import compute_dtype, matmul, product
from sigfft.priors import prior_logit


class Order(tuple[int, ...]):
    """The point of each label, hashed once: a head is hashed at each call of a jitted function."""

    def __hash__(self) -> int:
        if "hash" not in self.__dict__:
            self.__dict__["hash"] = super().__hash__()
        return self.__dict__["hash"]

    def __repr__(self) -> str:
        return f"<order of {len(self)} labels>"


@dataclasses.dataclass(frozen=True, repr=False)
class DFTHead(Head):
    """A learned projection to a spectrum, whose inverse FFT holds the logits.

    z is one DC term, (cos, sin) pairs for the frequencies 1..k, pairs for `spread` scattered higher frequencies, and
    `slack`, `embedding` and `label_priors` further terms. W has no learned entry but the slack columns. The columns of
    the frequencies are orthonormal for n_fft = n_labels.

    *Scale.* A row's entries are about √(2/n_fft), so logits of order 1 need a z of order √n_fft. `project` therefore
    multiplies by √n_fft, and slack columns are stored times √n_fft: all parameters are of order 1 or smaller, and the
    learning rate does not depend on n. A step of Adam moves a logit through all columns at once: beside an encoder at
    a rate of 1e-2, a head with spread 100 trained best at 1e-3 to 3e-3, a bottleneck at 1e-2; how the projection
    starts hardly mattered (`benchmarks/bench_rates.py`, delicious). Beside a slower encoder, such as a bag of words at
    1.5e-3 with weight decay, more is better, and `learning_rate` is for those. A slack column starts as N(0, 1) in that
    scale: its norm is then 1 in expectation, like that of a spread or any other DFT column, and no kind of column
    drowns another. The kernel starts so small that logits of unit-variance features lie within about 0.1 of the
    prior's.

    *Features.* The guarantee is about z. Fewer than dim features cannot reach every z; `sigfft.reach` says what they
    reach, and `sigfft.check_head` what they yield. Nonnegative ones, after a ReLU, reach a cone: twice as many fill the
    space at the start of training, and often not at its end, since what lowers nearly all logits is learned with one
    sign. A centred head subtracts their mean from features before it projects them. Adding one number to all of them
    then changes nothing, and nonnegative features reach what features of any sign do: every z, from dim + 1 features
    on, as long as the projection's centred rows are independent.

    Args:
      n_labels: number of labels n.
      max_cardinality: k: each set of up to k labels has a z that yields it, in exact arithmetic. For the weights as
        stored that takes spread, the more the larger n and k are: `sigfft.plan` says how much.
      feature_dim: size of the features.
      spread: number of extra fixed frequencies: two dimensions of z each, no parameter per label. "auto": about as
        many as `sigfft.plan` finds to be enough for float32, by a formula (`sigfft.heads.enough_spread`).
      slack: learned columns of W, n_labels parameters each (the paper's slack).
      embedding: columns of W that are given and not learned, in `params["embedding"]`, (n_labels, embedding), after the
        slack ones: `sigfft.label_embedding` makes them of the training examples, and where columns are few, scores are
        better by them than by as many of spread. No parameter per label, and no gradient; n_labels stored numbers
        each. `init` fills them with N(0, 1), which tells nothing of labels.
      label_priors: one more such column, the last, in `params["label_priors"]`, (n_labels, 1), for how frequent labels
        are: without it a head that learns no column has no bias per label. Its entry of z starts at 1, so that
        `head.with_priors(params, sigfft.label_priors(...))` starts each label at its own prior. `init` fills it with 0.
      n_fft: points of the transform, at least n_labels; default: the next length that FFTs are fast at,
        `sigfft.spectrum.smooth_length(n_labels)`. The guarantee is the same. The paper has n_fft=n_labels. With
        spread="auto" the default also makes room for 2k + 1 columns, where k is more than half of the labels.
      order: the point that each label takes: a permutation of 0..n_labels-1. Default: label i at point i.
      prior: share of labels active in a typical example, at which every probability starts; default: k / n_labels
        (the paper: the DC bias is logit(k/n)·√n).
      random_start: start the projection uniform in ±1/√feature_dim, as the paper's linear layers do; the DC
        bias starts at the prior all the same, as in the paper.
      centred: subtract from each example's features their mean.

    Raises:
      ValueError: a size below its least, 2k + 1 + 2·spread > n_fft, n_fft < n_labels, an order that is no permutation.

    Reference: Grivas, Vergari, Lopez (AAAI 2024), section 4. Spread, embedding, label priors, n_fft > n, order and
    centring are ours.

    Example:
      >>> head = DFTHead(n_labels=1000, max_cardinality=5, feature_dim=64, spread=10)
      >>> head.dim, head.n_parameters()
      (31, 2015)
      >>> params = head.init(jax.random.key(0))
      >>> head.logits(params, jnp.ones((8, 64))).shape
      (8, 1000)
    """

    kind = "dft"
    learning_rate: ClassVar[float] = 7e-3
    fold_from: ClassVar[int] = 80  # frequencies: with fewer the product is faster on CPUs too (bench_heads.py)

    n_labels: int
    max_cardinality: int
    _: dataclasses.KW_ONLY
    feature_dim: int
    spread: int | Literal["auto"] = 0
    slack: int = 0
    embedding: int = 0
    label_priors: bool = False
    n_fft: int | None = None
    order: Sequence[int] | np.ndarray | None = None
    prior: float | np.floating | None = None
    random_start: bool = False
    centred: bool = False

    def __post_init__(self) -> None:
        self._at_least(1, "n_labels", "max_cardinality", "feature_dim")
        auto = self.spread == "auto"
        least = max(self.n_labels, 2 * self.max_cardinality + 1) if auto else self.n_labels
        length = spectrum.smooth_length(least) if self.n_fft is None else self.n_fft
        object.__setattr__(self, "n_fft", whole("n_fft", length, self.n_labels, "n_labels=", spectrum.MOST_POINTS))
        if auto:
            enough = enough_spread(self.n_labels, self.max_cardinality, self.n_points)
            object.__setattr__(self, "spread", enough)
        self._at_least(0, "spread", "slack", "embedding")
        if not isinstance(self.label_priors, bool):
            given = type(self.label_priors).__name__
            raise ValueError(f"label_priors must be True or False, and is of {given}; with_priors takes the values")
        object.__setattr__(self, "order", None if self.order is None else _order(self.order, self.n_labels))
        prior_logit(self.prior, self.max_cardinality, self.n_labels)
        room = (self.n_points - 1) // 2
        if self._pairs > room:
            raise ValueError(
                f"max_cardinality={self.max_cardinality} and spread={self.spread} need 2k + 1 + 2·spread = "
                f"{self._fixed} columns, but n_fft={self.n_points} points have only {2 * room + 1}; lower "
                + (
                    f"spread to at most {room - self.max_cardinality}"
                    if self.max_cardinality <= room
                    else f"max_cardinality to at most {room}{' and spread to 0' if self.spread else ''}, "
                    "or use a sigmoid_head"
                )
            )

    @property
    def dim(self) -> int:
        return self._fixed + sum(self._stored.values())

    @property
    def name(self) -> str:
        named = {"spread": self.spread, "slack": self.slack, "embedding": self.embedding}
        sizes = {"k": self.max_cardinality, **named}
        shown = [f"{name}={size}" for name, size in sizes.items() if size]
        words = {"priors": self.label_priors, "ordered": self.order is not None}
        return " ".join(["dft", *shown, *(word for word, said in words.items() if said)])

    @property
    def per_label(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset(self._stored)

    @property
    def given(self) -> frozenset[str]:  # type: ignore[override]
        return self.per_label - {"slack"}

    @property
    def circle(self) -> Circle:  # type: ignore[override]
        alone = self.dim == 2 * self.max_cardinality + 1
        return Circle(self._points, self.max_cardinality, self.n_points, 0, alone)

    @property
    def n_points(self) -> int:
        """Points of the transform, n_fft."""
        return cast(int, self.n_fft)

    @property
    def frequencies(self) -> Int[np.ndarray, " pairs"]:
        """Those of W's fixed columns: 1..k, then the spread ones, ascending."""
        scattered = spectrum.spread_frequencies(self.n_points, self.max_cardinality, self._pairs - self.max_cardinality)
        return np.concatenate([spectrum.low_frequencies(self.max_cardinality), scattered])

    def init(self, key: Key[Array, ""]) -> Params:
        kernel_key, slack_key = jax.random.split(key)
        shape, bound = (self.feature_dim, self.dim), 1 / math.sqrt(self.feature_dim)
        if self.random_start:
            kernel = jax.random.uniform(kernel_key, shape, jnp.float32, -bound, bound) / self._gain
        else:
            kernel = jax.random.normal(kernel_key, shape) * (0.1 * bound / math.sqrt(self.dim))
        start = prior_logit(self.prior, self.max_cardinality, self.n_labels)
        params = {"projection_kernel": kernel, "projection_bias": jnp.zeros((self.dim,)).at[0].set(start)}
        if self.slack:
            params["slack"] = jax.random.normal(slack_key, (self.n_labels, self.slack))
        if self.embedding:
            params["embedding"] = jax.random.normal(jax.random.fold_in(slack_key, 1), (self.n_labels, self.embedding))
        if self.label_priors:
            params["label_priors"] = jnp.zeros((self.n_labels, 1))
            params["projection_bias"] = params["projection_bias"].at[-1].set(1.0)
        return params

    def priors_of(self, params, log_odds):
        if not self.label_priors:
            return super().priors_of(params, log_odds)
        return {"label_priors": (log_odds - params["projection_bias"][0])[:, None]}

    def activation_of(self, params, features):
        if self.centred:
            wide = features.astype(compute_dtype(features.dtype))
            features = (wide - wide.mean(axis=-1, keepdims=True)).astype(features.dtype)
        return affine(params, features, self._gain)

    def logits_of(self, params, z):
        logits = spectrum.synthesis(z[..., : self._fixed], self.frequencies, self.n_points)
        logits = logits[..., : self.n_labels] if self._points is None else logits[..., self._points]
        for entries, columns in self._further(params, z):
            logits = logits + matmul(entries, columns.T) / self._gain
        return logits.astype(z.dtype)

    @property
    def known_dim(self) -> int:  # type: ignore[override]
        return self._fixed

    def known_rows(self, labels, dtype=jnp.float32):
        at = labels if self._points is None else jnp.asarray(self._points)[labels]
        return spectrum.rows(at, self.frequencies, self.n_points, dtype)

    def rows_of(self, own, labels, dtype=jnp.float32):
        further = [self._column(own, name).astype(dtype) / self._gain for name in self._stored]
        return jnp.concatenate([self.known_rows(labels, dtype), *further], axis=1)

    def blocks(self, block_size, held=None):
        if self.order is not None:
            return super().blocks(block_size, held)
        return dft_blocks.blocks_of(self.n_labels, self.n_points, whole("block_size", block_size, 1), held, self._folds)

    def block_decoder(self, blocks, dtype):
        if self.order is not None:
            return super().block_decoder(blocks, dtype)
        decode_spectrum = dft_blocks.decoder(self.frequencies, self.n_points, blocks, dtype, self._folds)

        def decode(own, z, labels):
            logits = decode_spectrum(z[:, : self._fixed], labels[0])
            for entries, columns in self._further(own, z):
                logits = logits + product(entries, columns, dtype) / self._gain
            return logits

        return decode

    def _further(self, own: Params, z: Float[Array, "*batch dim"]) -> list[tuple[Array, Array]]:
        """Entries of z for the columns that are stored, with those."""
        ends = np.cumsum([self._fixed, *self._stored.values()])
        entries = jnp.split(z, ends[:-1], axis=-1)[1:]
        return list(zip(entries, (self._column(own, name) for name in self._stored), strict=True))

    def _column(self, own: Params, name: str) -> Array:
        return jax.lax.stop_gradient(own[name]) if name in self.given else own[name]

    @property
    def _stored(self) -> dict[str, int]:
        """How many columns each param holds, in their order behind the fixed ones."""
        sizes = {"slack": self.slack, "embedding": self.embedding, "label_priors": int(self.label_priors)}
        return {name: size for name, size in sizes.items() if size}

    @property
    def _folds(self) -> bool:
        """Whether folding is the faster way over blocks here: accelerators are built for products."""
        return jax.default_backend() == "cpu" and self._pairs >= self.fold_from

    @property
    def _fixed(self) -> int:
        return 2 * self._pairs + 1

    @property
    def _pairs(self) -> int:
        return self.max_cardinality + cast(int, self.spread)

    @property
    def _gain(self) -> float:
        return float(np.float32(math.sqrt(self.n_points)))  # its product with a float32 is exact in float64

    @functools.cached_property
    def _points(self) -> Int[np.ndarray, " labels"] | None:
        return None if self.order is None else np.asarray(self.order, np.int32)


def _order(order: Sequence[int] | np.ndarray, n_labels: int) -> Order:
    points = np.asarray(order)
    if points.shape != (n_labels,) or not np.array_equal(np.sort(points), np.arange(n_labels)):
        raise ValueError(
            f"order must hold each of 0..{n_labels - 1} once (the point of each label); given shape {points.shape}, "
            f"{len(np.unique(points))} different points"
        )
    return Order(points.astype(np.int64).tolist())
