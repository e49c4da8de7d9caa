"""From a config and a data set to pure functions: the encoder and the head that are trained together."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, Float, Key

from sigfft import labels
from sigfft.data import Dataset
from sigfft.encoders import Batch, DenseFeatures, EmbeddingBag
from sigfft.heads import Head, bottleneck_head, dft_head, sigmoid_head
from sigfft.seriation import label_order
from sigfft.training.config import Config, EncoderConfig, HeadConfig

Params = dict[str, Any]  # {"encoder": ..., "head": ...}


@dataclasses.dataclass(frozen=True)
class Model:
    """An encoder and a head as pure functions.

    Attributes:
      name: of the head, as the tables show it.
      head: the output layer.
      init: key -> {"encoder": state of the NNX encoder as a plain pytree, "head": head.init}.
      features: (params of the encoder, batch, key or None) -> features (batch, feature_dim).
    """

    name: str
    head: Head
    init: Callable[[Key[Array, ""]], Params]
    features: Callable[[Any, Batch, Key[Array, ""] | None], Float[Array, "batch feature_dim"]]


def make_models(config: Config, data: Dataset) -> list[Model]:
    """The models of an experiment, baseline first.

    Raises:
      ValueError: an unknown kind of head, or sizes that its constructor refuses.
    """
    head = make_head(config.head, config.encoder, data)
    heads = [head]
    if config.baseline.kind != "none":
        baseline = config.baseline
        if baseline.kind == "bottleneck" and not baseline.dim:
            per_dim = head.feature_dim + 1 + head.n_labels
            baseline = dataclasses.replace(baseline, dim=math.ceil(head.n_parameters() / per_dim))
        heads = [make_head(baseline, config.encoder, data), head]
    models = [make_model(each, config.encoder, data.n_features, data.feature_dim) for each in heads]
    if len({model.name for model in models}) < len(models):
        raise ValueError(
            f"baseline and head are both {models[0].name!r}, and would share their checkpoints; "
            "change one's size, or train them as two runs"
        )
    return models


def make_head(config: HeadConfig, encoder: EncoderConfig, data: Dataset) -> Head:
    """The head of a config for a data set; its prior is the mean share of active labels in `data`."""
    feature_dim = encoder.dim or data.feature_dim
    if feature_dim is None:
        raise ValueError("encoder.dim=0 passes dense examples on, and these are sparse; set --config.encoder.dim=512")
    prior = data.mean_cardinality / data.n_labels
    start = config.random_start
    if config.kind == "dft":
        if config.order not in ("", "chains"):
            raise ValueError(f"head.order={config.order!r} must be empty or chains")
        largest = int(labels.cardinality(data.labels, data.n_labels).max())
        return dft_head(
            data.n_labels,
            config.max_cardinality or largest,
            feature_dim=feature_dim,
            spread=config.spread,
            slack=config.slack,
            n_fft=config.n_fft or None,
            order=label_order(data.labels, data.n_labels).tolist() if config.order else None,
            prior=prior,
            random_start=start,
        )
    if config.kind == "bottleneck":
        return bottleneck_head(data.n_labels, config.dim, feature_dim=feature_dim, prior=prior, random_start=start)
    if config.kind == "sigmoid":
        return sigmoid_head(data.n_labels, feature_dim=feature_dim, prior=prior, random_start=start)
    raise ValueError(f"head.kind={config.kind!r} must be 'dft', 'bottleneck' or 'sigmoid'")


def make_model(head: Head, config: EncoderConfig, n_features: int | None, feature_dim: int | None) -> Model:
    """A head behind an encoder for sparse examples of `n_features`, or for dense ones of `feature_dim`."""

    def build(key: Key[Array, ""]) -> nnx.Module:
        rngs = nnx.Rngs(params=key)
        if n_features is None:
            hidden = [config.dim] if config.dim else []
            return DenseFeatures(feature_dim or head.feature_dim, hidden, dropout=config.dropout, rngs=rngs)
        return EmbeddingBag(
            n_features,
            config.dim,
            normalise=config.normalise,
            dropout=config.dropout,
            feature_dropout=config.feature_dropout,
            rngs=rngs,
        )

    graphdef, _ = nnx.split(nnx.eval_shape(lambda: build(jax.random.key(0))))

    def init(key: Key[Array, ""]) -> Params:
        encoder_key, head_key = jax.random.split(key)
        return {"encoder": nnx.to_pure_dict(nnx.state(build(encoder_key))), "head": head.init(head_key)}

    def features(encoder: Any, batch: Batch, key: Key[Array, ""] | None) -> Float[Array, "batch feature_dim"]:
        return nnx.merge(graphdef, encoder)(batch, key)

    return Model(head.name, head, init, features)
