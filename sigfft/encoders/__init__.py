"""Encoders: Flax NNX modules from examples to features, the input of a head.

`ENCODERS[kind](in_dim, *, ..., rngs)` makes one, with the attribute `feature_dim`: in_dim is the number of sparse
features or the length of a dense vector, the options in between are fields of `EncoderConfig`. It is called with
examples, a dict of arrays as `sigfft.data` makes it, and a key for dropout; without a key there is none.
"""

from flax import nnx

from sigfft.encoders.embedding_bag import EmbeddingBag as EmbeddingBag
from sigfft.encoders.examples import Examples as Examples
from sigfft.encoders.mlp import MLP as MLP

ENCODERS: dict[str, type[nnx.Module]] = {"bag": EmbeddingBag, "mlp": MLP}
