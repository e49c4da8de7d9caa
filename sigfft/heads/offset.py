"""A head whose activation is moved, for each example, by numbers that come with its features."""

import dataclasses

import jax.numpy as jnp

from sigfft.heads.head import Circle, Head


@dataclasses.dataclass(frozen=True, repr=False)
class OffsetHead(Head):
    """A head that takes features followed by an offset, and adds the offset to the first entries of z.

    It has the parameters of the head within, and is that head in all but `project`: what is checked, saved and shown is
    the head within. A set that it guarantees stays reachable beside any offset u: where W z has the set's signs, W (c·z
    + u) has them too, from some c on.

    Args:
      within: the head.
      offset_dim: entries of z that are moved, at most `within.dim`.

    Raises:
      ValueError: there are not so many.
    """

    within: Head
    offset_dim: int

    def __post_init__(self) -> None:
        if not 1 <= self.offset_dim <= self.within.dim:
            raise ValueError(
                f"offset_dim={self.offset_dim} must be at least 1 and at most dim={self.within.dim} of the head "
                f"{self.within.name!r}"
            )

    @property
    def kind(self) -> str:  # type: ignore[override]
        return self.within.kind

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
        return self.within.feature_dim + self.offset_dim

    @property
    def dim(self) -> int:
        return self.within.dim

    @property
    def max_cardinality(self) -> int:
        return self.within.max_cardinality

    @property
    def per_label(self) -> frozenset[str]:  # type: ignore[override]
        return self.within.per_label

    @property
    def circle(self) -> Circle | None:  # type: ignore[override]
        return self.within.circle

    def init(self, key):
        return self.within.init(key)

    def activation_of(self, params, features):
        own, offset = jnp.split(features, [self.within.feature_dim], axis=-1)
        return self.within.activation_of(params, own).at[..., : self.offset_dim].add(offset)

    def logits_of(self, params, z):
        return self.within.logits_of(params, z)

    def rows_of(self, own, labels, dtype=jnp.float32):
        return self.within.rows_of(own, labels, dtype)

    def bias_of(self, own):
        return self.within.bias_of(own)

    def blocks(self, block_size, held=None):
        return self.within.blocks(block_size, held)

    def block_decoder(self, blocks, dtype):
        return self.within.block_decoder(blocks, dtype)
