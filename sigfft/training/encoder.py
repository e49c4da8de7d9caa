"""The encoder of an experiment as pure functions of its parameters: from a config and a data set, or from a report."""

import dataclasses
import functools
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Key

from sigfft.data import Dataset
from sigfft.domains import DomainLike
from sigfft.encoders import ENCODERS, Examples, Pretrained
from sigfft.encoders.activations import dropped
from sigfft.training.arguments import arguments_for, chosen
from sigfft.training.config import EncoderConfig

WIDTH = EncoderConfig().dim  # of features, where no head asks for more
_FEW = 5_000  # examples, which take all of the usual dropout
ENCODED = "encoded"  # of an example: the features that its encoder gave; see `sigfft.training.encoded`

_AT_RANDOM = Pretrained()
EncoderParams = Mapping[Any, Any]
Inputs = Mapping[str, jax.ShapeDtypeStruct]  # arrays of an example by name, without the batch axis


@dataclasses.dataclass(frozen=True, eq=False)  # its arguments have no hash, and functions of JAX want one
class PureEncoder:
    """An encoder as pure functions of its parameters, the state of an NNX module as a plain pytree."""

    kind: str  # a name in `ENCODERS`
    arguments: Mapping[str, Any]  # of its constructor, all but rngs
    inputs: Inputs  # what it is given
    frozen: bool = False  # its parameters are not trained, and dropout is of its features alone
    start: Pretrained = _AT_RANDOM  # from files

    @property
    def feature_dim(self) -> int:
        """Number of features."""
        return self._abstract.feature_dim

    @property
    def raises_nearest(self) -> bool:
        """Whether it says behind the features what each nearest label is raised by."""
        return getattr(ENCODERS[self.kind], "raises_nearest", False)

    @property
    def domain(self) -> DomainLike:
        """What each feature can be; see `sigfft.domains`."""
        return getattr(self._abstract, "domain", "any")

    @property
    def tables(self) -> Mapping[str, str]:
        """Parameters that are trained and of which an example reads few rows, with the names of their ids."""
        return {} if self.frozen else getattr(ENCODERS[self.kind], "tables", {})

    def with_width(self, feature_dim: int) -> "PureEncoder":
        """The same with so many features, or a few more; as it is where files or the kind itself decide how many."""
        if "dim" in self.start.arguments or "dim" not in self.arguments:
            return self
        multiple = getattr(ENCODERS[self.kind], "dim_multiple", 1)
        width = -(-feature_dim // multiple) * multiple
        return dataclasses.replace(self, arguments={**self.arguments, "dim": width})

    def build(self, key: Key[Array, ""]) -> Any:
        """The NNX module, started at random."""
        make: Callable[..., Any] = ENCODERS[self.kind]
        return make(**self.arguments, rngs=nnx.Rngs(params=key))

    def init(self, key: Key[Array, ""]) -> EncoderParams:
        """Parameters to start from: those of files, and others at random."""
        return _over(nnx.to_pure_dict(nnx.state(self.build(key))), self.start.params)

    def features(
        self, params: EncoderParams, examples: Examples, key: Key[Array, ""] | None = None
    ) -> Float[Array, "batch entries"]:
        """Features of examples, and behind them what nearest labels are raised by where the encoder says that.

        The key is for dropout, and None without.
        """
        if not self.frozen:
            return nnx.merge(self._graph, params)(examples, key)
        encoded = examples[ENCODED] if ENCODED in examples else nnx.merge(self._graph, params)(examples)
        return dropped(jnp.asarray(encoded), self.arguments.get("dropout", 0.0), key, 0)

    def check_inputs(self) -> None:
        """Raises ValueError unless the encoder can read the examples that it is given."""
        batch = {name: jnp.zeros((1, *spec.shape), spec.dtype) for name, spec in self.inputs.items()}
        try:
            nnx.eval_shape(lambda: self.build(jax.random.key(0))(batch))
        except KeyError as error:
            raise ValueError(_misread(str(error), self.inputs)) from error

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads; start values are not in it."""
        inputs = {name: {"shape": list(spec.shape), "dtype": spec.dtype.name} for name, spec in self.inputs.items()}
        return {"kind": self.kind, "arguments": dict(self.arguments), "inputs": inputs, "frozen": self.frozen}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "PureEncoder":
        """The encoder that `to_json` wrote; raises ValueError where its kind is unknown."""
        chosen(ENCODERS, entry["kind"], "encoder.kind")
        specs = {
            name: jax.ShapeDtypeStruct(tuple(own["shape"]), np.dtype(own["dtype"]))
            for name, own in entry["inputs"].items()
        }
        return cls(entry["kind"], entry["arguments"], specs, entry["frozen"])

    @functools.cached_property
    def _abstract(self) -> Any:
        return nnx.eval_shape(lambda: self.build(jax.random.key(0)))

    @functools.cached_property
    def _graph(self) -> nnx.GraphDef:
        return nnx.split(self._abstract)[0]


def make_encoder(config: EncoderConfig, data: Dataset) -> PureEncoder:
    """The encoder of a config for a data set. A `dim` of -1 is `WIDTH`, until `PureEncoder.with_width` says more.

    Raises:
      ValueError: an unknown kind, one that does not read such examples, a value that it does not take, or files that
        are not what it reads or do not fit the config.
    """
    inputs = inputs_of(data)
    if data.nearest is not None:
        config = dataclasses.replace(config, kind="nearest_bag")
    if config.dropout < 0:
        usual = getattr(ENCODERS.get(config.kind or _kind_for(inputs)), "usual_dropout", 0.0)
        config = dataclasses.replace(config, dropout=round(usual * min(1, math.sqrt(_FEW / len(data))), 3))
    encoder = _encoder_of(config, inputs, data.n_features, data.feature_dim)
    encoder.check_inputs()
    return encoder


def stored_encoder(report: Mapping[str, Any], config: Mapping[str, Any], feature_dim: int) -> PureEncoder:
    """The encoder of a finished run, by the contents of its report.json and config.json."""
    if "encoder" in report:
        return PureEncoder.from_json(report["encoder"])
    own, data = EncoderConfig(**config["encoder"]), report["data"]  # of versions whose examples had no other arrays
    own = dataclasses.replace(own, dim=feature_dim) if own.dim < 0 else own
    n_features, length = data["n_features"], data["feature_dim"]
    if n_features is None:
        inputs = {"features": jax.ShapeDtypeStruct((length,), jnp.float32)}
    else:
        dtypes = {"feature_ids": jnp.int32, "feature_values": jnp.float32}
        inputs = {name: jax.ShapeDtypeStruct((1,), dtype) for name, dtype in dtypes.items()}
    return _encoder_of(own, inputs, n_features, length)


def inputs_of(data: Dataset) -> Inputs:
    """The arrays of an example of a data set that an encoder can read."""
    batch = data.gather(np.zeros(1, int))
    return {
        name: jax.ShapeDtypeStruct(array.shape[1:], array.dtype)
        for name, array in batch.items()
        if name not in ("labels", "mask")
    }


def _encoder_of(config: EncoderConfig, inputs: Inputs, n_features: int | None, feature_dim: int | None) -> PureEncoder:
    kind = config.kind or _kind_for(inputs)
    encoder = chosen(ENCODERS, kind, "encoder.kind")
    if missing := [name for name in getattr(encoder, "reads", ()) if name not in inputs]:
        raise ValueError(_misread(repr(missing[0]), inputs))
    if config.frozen and config.feature_dropout:
        raise ValueError(
            f"encoder.feature_dropout={config.feature_dropout} is not for a frozen encoder; encoder.dropout is"
        )
    in_dim = feature_dim if n_features is None else n_features
    start = _read_start(config, encoder, kind, in_dim)
    part = dataclasses.replace(config, dim=WIDTH) if config.dim < 0 else config
    apart = ("kind", "nearest", "pretrained", "frozen", "cached")
    given = {"in_dim": in_dim, "rngs": None, **start.arguments}
    arguments = arguments_for(encoder, part, "encoder", kind, apart=apart, **given)
    del arguments["rngs"]
    return PureEncoder(kind, arguments, inputs, config.frozen, start)


def _kind_for(names: Collection[str]) -> str:
    """The first encoder that reads these arrays."""
    for kind, encoder in ENCODERS.items():
        if (reads := getattr(encoder, "reads", ())) and set(reads) <= set(names):
            return kind
    raise ValueError(f"no encoder reads examples of {', '.join(names)}; give one of your own as encoder.kind")


def _misread(name: str, inputs: Inputs) -> str:
    return f"the encoder reads {name} of an example; examples of this data set have {', '.join(inputs)}"


def _read_start(config: EncoderConfig, encoder: type[nnx.Module], kind: str, in_dim: int | None) -> Pretrained:
    if not config.pretrained:
        return _AT_RANDOM
    if not hasattr(encoder, "read_pretrained"):
        able = ", ".join(name for name, own in ENCODERS.items() if hasattr(own, "read_pretrained"))
        raise ValueError(f"encoder.pretrained={config.pretrained!r} is not for {kind!r}; it is for {able}")
    start = encoder.read_pretrained(Path(config.pretrained).expanduser(), in_dim)
    defaults = vars(EncoderConfig())
    for name, value in start.arguments.items():
        given = getattr(config, name, config.options.get(name))
        open_dim = name == "dim" and config.dim < 1
        if given not in (value, defaults.get(name)) and not open_dim:
            raise ValueError(f"encoder.{name}={given!r} does not fit {config.pretrained}, which has {value!r}")
    return start


def _over(params: EncoderParams, given: EncoderParams) -> EncoderParams:
    """Parameters, of which those given take the place."""
    return {
        name: value
        if name not in given
        else _over(value, given[name])
        if isinstance(value, Mapping)
        else jnp.asarray(given[name])
        for name, value in params.items()
    }
