"""Models of an experiment: the encoder and the head that are trained together, from a config and a data set."""

import dataclasses
import functools
import logging
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Key

from sigfft import labels
from sigfft.data import Dataset
from sigfft.domains import DomainLike
from sigfft.encoders import ENCODERS, Examples
from sigfft.heads import KINDS, Head, Service
from sigfft.seriation import label_order
from sigfft.training.arguments import arguments_for, chosen, parameters_of
from sigfft.training.config import Config, EncoderConfig, HeadConfig

_LOG = logging.getLogger(__name__)
_WIDTH = EncoderConfig().dim  # of features, where no head asks for more

ModelParams = dict[str, Any]  # {"encoder": ..., "head": ...}
BuildEncoder = Callable[[Key[Array, ""]], Any]


@dataclasses.dataclass(frozen=True)
class Model:
    """An encoder and a head as pure functions of their parameters."""

    build_encoder: BuildEncoder  # key -> NNX module
    head: Head  # the output layer

    @property
    def name(self) -> str:
        """Of the head, as tables show it."""
        return self.head.name

    @property
    def domain(self) -> DomainLike:
        """What each feature can be; see `sigfft.domains`."""
        return _domain(_abstract(self.build_encoder))

    def init(self, key: Key[Array, ""]) -> ModelParams:
        """{"encoder": state of the NNX module as a plain pytree, "head": params of the head}."""
        encoder_key, head_key = jax.random.split(key)
        encoder = nnx.to_pure_dict(nnx.state(self.build_encoder(encoder_key)))
        return {"encoder": encoder, "head": self.head.init(head_key)}

    def features(
        self, encoder: Any, examples: Examples, key: Key[Array, ""] | None = None
    ) -> Float[Array, "batch feature_dim"]:
        """Features of examples by the encoder's parameters; the key is for dropout, and None without."""
        return nnx.merge(self._encoder_graph, encoder)(examples, key)

    @functools.cached_property
    def _encoder_graph(self) -> nnx.GraphDef:
        return nnx.split(_abstract(self.build_encoder))[0]


def make_models(config: Config, data: Dataset) -> list[Model]:
    """The models of an experiment, baseline first. One whose features cannot serve its head is logged as a warning.

    Raises:
      ValueError: an unknown kind, a value that a kind does not take, or sizes that its constructor refuses.
    """
    if config.encoder.dim < 0:
        config = dataclasses.replace(config, encoder=with_width(config.encoder, _width(config, data)))
    build_encoder = make_encoder(config.encoder, data.n_features, data.feature_dim)
    examples = data.gather(np.zeros(1, int))
    try:
        nnx.eval_shape(lambda: build_encoder(jax.random.key(0))(examples))
    except KeyError as error:
        names = ", ".join(name for name in examples if name not in ("labels", "mask"))
        raise ValueError(f"the encoder reads {error} of an example; examples of this data set have {names}") from error
    encoder = _abstract(build_encoder)
    heads = [make_head(config.head, data, encoder.feature_dim)]
    if config.baseline.kind == "none":
        arguments_for(lambda: None, config.baseline, "baseline", "none")  # which takes nothing
    else:
        heads.insert(0, make_head(config.baseline, data, encoder.feature_dim, "baseline", beside=heads[0]))
    models = [Model(build_encoder, head) for head in heads]
    if len({model.name for model in models}) < len(models):
        raise ValueError(
            f"baseline and head are both {models[0].name!r}, and would share their checkpoints; "
            "change one's size, or train them as two runs"
        )
    for head in heads:
        service = Service(head, _domain(encoder))
        if head.max_cardinality and not service.serves:
            _LOG.warning("%s: %s; encoder.dim=-1 gives it enough, head.centred=True asks for fewer", head.name, service)
    return models


def with_width(config: EncoderConfig, feature_dim: int) -> EncoderConfig:
    """The config with features of this size in place of a `dim` of -1."""
    return dataclasses.replace(config, dim=feature_dim) if config.dim < 0 else config


def make_encoder(config: EncoderConfig, n_features: int | None, feature_dim: int | None) -> BuildEncoder:
    """The encoder of a config, for sparse examples of `n_features` or for dense ones of `feature_dim`."""
    kind = config.kind or ("mlp" if n_features is None else "bag")
    encoder = chosen(ENCODERS, kind, "encoder.kind")
    in_dim = feature_dim if n_features is None else n_features
    arguments = arguments_for(encoder, config, "encoder", kind, in_dim=in_dim, rngs=None)
    return lambda key: encoder(**arguments | {"rngs": nnx.Rngs(params=key)})


def make_head(
    config: HeadConfig, data: Dataset, feature_dim: int, key: str = "head", beside: Head | None = None
) -> Head:
    """The head of a config for training examples, whose mean share of active labels is its prior.

    `key` is that of the config, and `beside` the head that this one is the baseline of.
    """
    kind = chosen(KINDS, config.kind, f"{key}.kind")
    if config.spread == -1 and "spread" not in parameters_of(kind):
        config = dataclasses.replace(config, spread=0)  # as many as are enough are none
    if config.order not in ("", "chains"):
        raise ValueError(f"{key}.order={config.order!r} must be empty or chains")
    arguments = arguments_for(
        kind,
        config,
        key,
        config.kind,
        n_labels=data.n_labels,
        feature_dim=feature_dim,
        prior=data.mean_cardinality / data.n_labels,
        max_cardinality=config.max_cardinality or int(labels.cardinality(data.labels, data.n_labels).max()),
        n_fft=config.n_fft or None,
        order=label_order(data.labels, data.n_labels).tolist() if config.order else None,
    )
    if arguments.get("spread") == -1:
        arguments["spread"] = "auto"
    if beside is not None and arguments.get("dim") == 0:
        arguments["dim"] = _matching_dim(kind, arguments, beside.n_parameters())
    return kind(**arguments)


def _matching_dim(kind: Callable[..., Head], arguments: dict[str, Any], n_parameters: int) -> int:
    """The least dim of at least so many parameters, in which a head's number of parameters is linear."""
    one, two = (kind(**arguments | {"dim": dim}).n_parameters() for dim in (1, 2))
    return max(1, 1 + math.ceil((n_parameters - one) / (two - one)))


def _width(config: Config, data: Dataset) -> int:
    """How many features serve the head of a config, at least `_WIDTH`; or what a head of fixed features has."""
    encoder = _abstract(make_encoder(with_width(config.encoder, _WIDTH), data.n_features, data.feature_dim))
    head = make_head(dataclasses.replace(config.head, order=""), data, _WIDTH)
    if "feature_dim" not in head.arguments:
        return head.feature_dim
    return max(_WIDTH, Service(head, _domain(encoder)).least) if head.max_cardinality else _WIDTH


def _domain(encoder: Any) -> DomainLike:
    return getattr(encoder, "domain", "any")


def _abstract(build_encoder: BuildEncoder) -> Any:
    return nnx.eval_shape(lambda: build_encoder(jax.random.key(0)))
