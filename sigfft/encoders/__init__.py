"""Encoders: Flax NNX modules from examples to features, the input of a head.

`ENCODERS[kind](in_dim, *, ..., rngs)` makes one; the options in between are fields of `EncoderConfig`. It is called
with examples, a dict of arrays as `sigfft.data` makes it, and a key for dropout; without a key there is none. All its
state is parameters, and no example sees another one of its batch. What the class and the module say of themselves:

- reads: names of the arrays of an example that it reads; without it, it may read any. The first kind that reads an
  example is the default for it.
- in_dim: number of sparse features, length of a dense vector, or size of the vocabulary; leave it out where there is
  none of them, as for images.
- feature_dim: features that the module gives.
- domain: what each feature can be: "any", as without it, "nonnegative" or (low, high).
- dim_multiple: what a `dim` that is left open is rounded up to; 1 without it.
- usual_dropout: what suits up to 5,000 examples, where a config leaves its dropout open; more take the less of it, by
  the root of the ratio; 0 without it.
- usual_decay: what suits it, where a config leaves its weight decay open: a weight without a gradient ends at
  exp(-usual_decay) times its start, and up to that to the fourth where features are rare; 0 without it.
- learning_rate: the highest that suits it, at 256 examples of a batch, where a config leaves its rate open; without it,
  what suits the head.
- usual_examples: what steps read together where a config leaves them open, or two epochs if those are more, in 1,500
  steps at most; without it they are 1,500.
- raises_nearest: whether what the module gives ends with a raise of the logit of each of an example's nearest labels.
- tables: {parameter: name of an array of ids}, of parameters of which an example reads just the rows that these ids
  name; as many as there are rows, or more, is padding. It must take some rows alone, with ids among those, as well.
- read_pretrained: (path, in_dim) -> `Pretrained`, where files can give its start.
"""

from sigfft.extras import needs

with needs("flax", "sigfft.encoders"):
    from flax import nnx

    from sigfft.encoders.bag import EmbeddingBag as EmbeddingBag
    from sigfft.encoders.examples import Examples as Examples
    from sigfft.encoders.mlp import MLP as MLP
    from sigfft.encoders.nearest import NearestBag as NearestBag
    from sigfft.encoders.pretrained import Pretrained as Pretrained
    from sigfft.encoders.resnet import ResNet as ResNet
    from sigfft.encoders.text_cnn import TextCNN as TextCNN
    from sigfft.encoders.transformer import Transformer as Transformer

ENCODERS: dict[str, type[nnx.Module]] = {
    "nearest_bag": NearestBag,
    "bag": EmbeddingBag,
    "mlp": MLP,
    "text_cnn": TextCNN,
    "transformer": Transformer,
    "resnet": ResNet,
}
