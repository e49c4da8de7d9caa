"""Models of an experiment: the encoder and the head that are trained together, from a config and a data set."""

import dataclasses
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from sigfft import labels
from sigfft.data import Dataset
from sigfft.domains import DomainLike
from sigfft.encoders import Examples
from sigfft.heads import KINDS, Head, Service
from sigfft.heads.offset import OffsetHead, offset_of
from sigfft.priors import label_priors
from sigfft.seriation import label_order
from sigfft.training.arguments import arguments_for, chosen, parameters_of
from sigfft.training.config import Config, HeadConfig
from sigfft.training.encoder import WIDTH, PureEncoder, make_encoder
from sigfft.training.given import check_embedding, given_params

_LOG = logging.getLogger(__name__)
_USUAL = 0.999  # share of the training sets that a guarantee covers at least
_SPREAD = 200  # frequencies
_SLACK = 100  # learned columns
_DEAR = 2  # times the dim for the usual sets: what the largest may take

ModelParams = dict[str, Any]  # {"encoder": ..., "head": ...}


@dataclasses.dataclass(frozen=True)
class Model:
    """An encoder and a head as pure functions of their parameters."""

    encoder: PureEncoder  # from examples to features
    head: Head  # the output layer
    # of params of the head, the first columns at their start, where the data say them
    given: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict, compare=False)
    log_odds: np.ndarray | None = dataclasses.field(default=None, compare=False)  # of labels, where they start at those

    @property
    def name(self) -> str:
        """Of the head, as tables show it."""
        return self.head.name

    @property
    def output(self) -> Head:
        """The head as it takes what `features` gives: features, and behind them an offset of z where there is one."""
        return OffsetHead(self.head) if self.encoder.raises_nearest else self.head

    @property
    def domain(self) -> DomainLike:
        """What each feature can be; see `sigfft.domains`."""
        return self.encoder.domain

    def init(self, key: Key[Array, ""]) -> ModelParams:
        """{"encoder": params of the encoder, "head": params of the head}."""
        encoder_key, head_key = jax.random.split(key)
        head = self.head.init(head_key)
        if self.log_odds is not None:
            head = self.head.with_priors(head, self.log_odds)
        head |= {name: head[name].at[:, : value.shape[1]].set(value) for name, value in self.given.items()}
        return {"encoder": self.encoder.init(encoder_key), "head": head}

    def features(
        self, encoder: Any, examples: Examples, key: Key[Array, ""] | None = None
    ) -> Float[Array, "batch entries"]:
        """What `output` takes, of examples, by the encoder's parameters; the key is for dropout, and None without."""
        entries = self.encoder.features(encoder, examples, key)
        if not self.encoder.raises_nearest:
            return entries
        features, raises = jnp.split(entries, [self.encoder.feature_dim], axis=-1)
        offset = offset_of(self.head, jnp.asarray(examples["nearest_ids"]), raises)
        return jnp.concatenate([features, offset.astype(features.dtype)], axis=-1)

    def trained(self, params: ModelParams) -> ModelParams:
        """The part of the parameters that training changes: without a frozen encoder, and what the head is given."""
        head = {name: value for name, value in params["head"].items() if name not in self.head.given}
        return {"head": head} if self.encoder.frozen else params | {"head": head}

    def with_trained(self, params: ModelParams, trained: ModelParams) -> ModelParams:
        """The parameters with the part that `trained` gives of others."""
        return params | trained | {"head": params["head"] | trained["head"]}


def make_models(config: Config, data: Dataset) -> list[Model]:
    """The models of an experiment, baseline first. One whose features cannot serve its head is logged as a warning.

    Raises:
      ValueError: an unknown kind, a value that a kind does not take, or sizes that its constructor refuses.
    """
    encoder = make_encoder(config.encoder, data)
    if config.encoder.dim < 0:
        encoder = encoder.with_width(_width(config, data, encoder.domain))
    heads = [make_head(config.head, data, encoder.feature_dim)]
    if config.baseline.kind == "none":
        arguments_for(lambda: None, config.baseline, "baseline", "none")  # which takes nothing
    else:
        heads.insert(0, make_head(config.baseline, data, encoder.feature_dim, "baseline", beside=heads[0]))
    parts = [config.head] if len(heads) == 1 else [config.baseline, config.head]
    models = [
        Model(encoder, head, given_params(head, data, part.slack_start), _log_odds(part, data))
        for head, part in zip(heads, parts, strict=True)
    ]
    if len({model.name for model in models}) < len(models):
        raise ValueError(
            f"baseline and head are both {models[0].name!r}, and would share their checkpoints; "
            "change one's size, or train them as two runs"
        )
    for head in heads:
        service = Service(head, encoder.domain)
        if head.max_cardinality and not service.serves:
            _LOG.warning("%s: %s; encoder.dim=-1 gives it enough, head.centred=True asks for fewer", head.name, service)
    return models


def make_head(
    config: HeadConfig, data: Dataset, feature_dim: int, key: str = "head", beside: Head | None = None
) -> Head:
    """The head of a config for training examples, whose mean share of active labels is its prior.

    `key` is that of the config, and `beside` the head that this one is the baseline of.
    """
    kind = chosen(KINDS, config.kind, f"{key}.kind")
    own = parameters_of(kind)  # of those open that it lacks, as many as are enough are none
    spread = 0 if config.spread == -1 and "spread" not in own else config.spread
    slack = 0 if config.slack == -1 and "slack" not in own else config.slack
    config = dataclasses.replace(config, spread=spread, slack=slack)
    if not 0 < data.mean_cardinality < data.n_labels:
        raise ValueError(
            f"training examples have {data.mean_cardinality:g} of {data.n_labels} labels on average; there is nothing "
            "to learn unless some labels are active and some are not"
        )
    if config.order not in ("", "chains"):
        raise ValueError(f"{key}.order={config.order!r} must be empty or chains")
    arguments = arguments_for(
        kind,
        config,
        key,
        config.kind,
        apart=("kind", "slack_start", *(() if "label_priors" in own else ("label_priors",))),
        n_labels=data.n_labels,
        feature_dim=feature_dim,
        prior=data.mean_cardinality / data.n_labels,
        max_cardinality=config.max_cardinality or _cardinalities(data)[0],
        n_fft=config.n_fft or None,
        order=label_order(data.labels, data.n_labels).tolist() if config.order else None,
    )
    if arguments.get("spread") == -1:
        arguments["spread"] = "auto"
    if arguments.get("slack") == -1:
        arguments["slack"] = 0  # until the other columns are known
    if "max_cardinality" in arguments and not config.max_cardinality:
        largest, usual = (kind(**arguments | {"max_cardinality": k}).dim for k in _cardinalities(data))
        if largest > _DEAR * usual:
            arguments["max_cardinality"] = _cardinalities(data)[1]
    if arguments.get("spread") == "auto":
        arguments = _with_spread(kind, arguments)
    if config.slack == -1 and "slack" in arguments:
        arguments["slack"] = max(0, min(_SLACK, data.n_labels - kind(**arguments).dim))
    check_embedding(config, arguments.get("slack", 0), data, key)
    if beside is not None and arguments.get("dim") == 0:
        arguments["dim"] = _matching_dim(kind, arguments, beside.n_parameters())
    head = kind(**arguments)
    if config.label_priors:  # an error of a head that has no place for them comes early
        jax.eval_shape(lambda: head.with_priors(head.init(jax.random.key(0)), jnp.zeros(data.n_labels)))
    return head


def guarantee_line(config: HeadConfig, data: Dataset, head: Head) -> str:
    """What a head guarantees of the training sets and what that costs, in one line; config as it was made from."""
    k, (largest, usual) = head.max_cardinality, _cardinalities(data)
    line = f"{head.name}: guarantees every set of up to {k} labels, by dim={head.dim}; "
    line += f"training sets have at most {largest}, {100 * _USUAL:g} % of them at most {usual}"
    larger = int((labels.cardinality(data.labels, data.n_labels) > k).sum())
    if not larger:
        return line
    dim = make_head(dataclasses.replace(config, max_cardinality=largest), data, head.feature_dim).dim
    return f"{line}, and {larger} of {len(data)} are larger; max_cardinality={largest} would take dim={dim}"


def _log_odds(config: HeadConfig, data: Dataset) -> np.ndarray | None:
    return label_priors(data.labels, data.n_labels) if config.label_priors else None


def _with_spread(kind: Callable[..., Head], arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with a spread that is enough for float32, and `_SPREAD` where the transform has room.

    More than the guarantee needs scores better.
    """
    head = kind(**arguments)
    if head.circle is None:
        return arguments
    room = (head.circle.n_fft - 1) // 2 - head.max_cardinality
    spread = max(head.arguments["spread"], min(_SPREAD, room))
    return arguments | {"n_fft": head.circle.n_fft, "spread": spread}


def _cardinalities(data: Dataset) -> tuple[int, int]:
    """Labels of the largest set of a split, and what `_USUAL` of its sets have at most; at least 1."""
    counts = labels.cardinality(data.labels, data.n_labels)
    return max(1, int(counts.max())), max(1, int(np.quantile(counts, _USUAL, method="higher")))


def _matching_dim(kind: Callable[..., Head], arguments: dict[str, Any], n_parameters: int) -> int:
    """The least dim of at least so many parameters, in which a head's number of parameters is linear."""
    one, two = (kind(**arguments | {"dim": dim}).n_parameters() for dim in (1, 2))
    return max(1, 1 + math.ceil((n_parameters - one) / (two - one)))


def _width(config: Config, data: Dataset, domain: DomainLike) -> int:
    """How many features serve the head of a config, at least `WIDTH`; or what a head of fixed features has."""
    head = make_head(dataclasses.replace(config.head, order=""), data, WIDTH)
    if "feature_dim" not in head.arguments:
        return head.feature_dim
    return max(WIDTH, Service(head, domain).least) if head.max_cardinality else WIDTH
