"""An activation that is moved, for each example, towards labels that are named with it."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sigfft.heads.head import Circle, Head


def offset_of(
    head: Head, labels: Int[Array, "batch m"], raises: Float[Array, "batch m"]
) -> Float[Array, "batch known_dim"]:
    """Σ_j raise_j · w_j / |w_j|² over the labels of each example, of what is known of their rows before training.

    Added to the first entries of z it moves the logit of each of these labels by about its raise, and other logits by
    what their rows have in common: little where rows are nearly orthogonal, as with spread of some hundreds.

    Args:
      head: one with `known_dim`.
      labels: their ids; from n_labels on, there is no label.
      raises: in logits.
    """
    there, ids = labels < head.n_labels, jnp.minimum(labels, head.n_labels - 1)
    rows = head.known_rows(ids.reshape(-1)).reshape(*ids.shape, head.known_dim)
    return jnp.einsum("bm,bmd->bd", jnp.where(there, raises, 0) / jnp.square(rows).sum(axis=-1), rows)


@dataclasses.dataclass(frozen=True, repr=False)
class OffsetHead(Head):
    """A head that takes features followed by an offset, and adds the offset to the entries of z for its known columns.

    It has the parameters of the head within, and is that head in all but `project`: what is checked, saved and shown is
    the head within. A set that it guarantees stays reachable beside any offset u: where W z has the set's signs, W (c·z
    + u) has them too, from some c on.

    Args:
      within: the head.

    Raises:
      ValueError: it has no known columns.
    """

    within: Head

    def __post_init__(self) -> None:
        if not self.within.known_dim:
            raise ValueError(f"{self.within.name!r} learns all of its columns; an offset takes a DFT head")

    @property
    def kind(self) -> str:  # type: ignore[override]
        return self.within.kind

    @property
    def learning_rate(self) -> float:  # type: ignore[override]
        return self.within.learning_rate

    @property
    def arguments(self) -> dict[str, object]:
        """Of the head within, which `kind` and these make again."""
        return self.within.arguments

    @property
    def name(self) -> str:
        return self.within.name

    @property
    def n_labels(self) -> int:
        return self.within.n_labels

    @property
    def feature_dim(self) -> int:
        return self.within.feature_dim + self.within.known_dim

    @property
    def dim(self) -> int:
        return self.within.dim

    @property
    def known_dim(self) -> int:  # type: ignore[override]
        return self.within.known_dim

    @property
    def max_cardinality(self) -> int:
        return self.within.max_cardinality

    @property
    def per_label(self) -> frozenset[str]:  # type: ignore[override]
        return self.within.per_label

    @property
    def given(self) -> frozenset[str]:  # type: ignore[override]
        return self.within.given

    @property
    def circle(self) -> Circle | None:  # type: ignore[override]
        return self.within.circle

    @property
    def centred(self) -> bool:  # type: ignore[override]
        return self.within.centred

    def __repr__(self) -> str:
        return f"OffsetHead({self.within!r})"

    def init(self, key):
        return self.within.init(key)

    def activation_of(self, params, features):
        own, offset = jnp.split(features, [self.within.feature_dim], axis=-1)
        return self.within.activation_of(params, own).at[..., : self.within.known_dim].add(offset)

    def logits_of(self, params, z):
        return self.within.logits_of(params, z)

    def rows_of(self, own, labels, dtype=jnp.float32):
        return self.within.rows_of(own, labels, dtype)

    def known_rows(self, labels, dtype=jnp.float32):
        return self.within.known_rows(labels, dtype)

    def bias_of(self, own):
        return self.within.bias_of(own)

    def blocks(self, block_size, held=None):
        return self.within.blocks(block_size, held)

    def block_decoder(self, blocks, dtype):
        return self.within.block_decoder(blocks, dtype)
