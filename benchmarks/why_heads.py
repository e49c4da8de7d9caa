"""DFT heads with one idea more each, which `why_spread.py` trains against the ones of the package.

All keep the guarantee of the threshold rule: what they add is multiplied by entries of z, which may be zero, or is a
positive factor of a row, which changes no sign.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from jaxtyping import Array, Float, Int, Key

from sigfft import labels
from sigfft.heads import BottleneckHead, DFTHead, Params
from sigfft.precision import matmul

_RARE = 20  # added to the count of a label, so that labels of one example do not lead the directions


@dataclasses.dataclass(frozen=True, repr=False)
class ScaledHead(DFTHead):
    """Each label's row times a learned exp(scale): one parameter a label."""

    def init(self, key: Key[Array, ""]) -> Params:
        return super().init(key) | {"scale": jnp.zeros((self.n_labels,))}

    def logits_of(self, params: Params, z: Float[Array, "*batch dim"]) -> Float[Array, "*batch labels"]:
        return super().logits_of(params, z) * jnp.exp(params["scale"])


@dataclasses.dataclass(frozen=True, repr=False)
class SmallHead(DFTHead):
    """Slack columns that start a tenth as large, so that a step of Adam turns them ten times as far."""

    def init(self, key: Key[Array, ""]) -> Params:
        params = super().init(key)
        return params | {"slack": params["slack"] / 10}


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class StartedHead(DFTHead):
    """Slack columns that start at given values, of length √n_labels each where they are as large as the default's."""

    start: Float[np.ndarray, "labels slack"] | None = None
    __hash__, __eq__ = object.__hash__, object.__eq__

    def init(self, key: Key[Array, ""]) -> Params:
        return super().init(key) | {"slack": jnp.asarray(self.start, jnp.float32)}


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class GroupedHead(DFTHead):
    """Slack columns with one entry for each group of labels: label i is in group `groups[i]`."""

    groups: Int[np.ndarray, " labels"] | None = None
    __hash__, __eq__ = object.__hash__, object.__eq__

    def init(self, key: Key[Array, ""]) -> Params:
        params = super().init(key)
        return params | {"slack": params["slack"][: int(np.max(self.groups)) + 1]}

    def logits_of(self, params: Params, z: Float[Array, "*batch dim"]) -> Float[Array, "*batch labels"]:
        fixed = self.dim - self.slack
        shared = matmul(z[..., fixed:], params["slack"].T) / self._gain
        return DFTHead(**own_arguments(self) | {"slack": 0}).logits_of({}, z[..., :fixed]) + shared[..., self.groups]


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class StartedBottleneck(BottleneckHead):
    """A bottleneck whose columns but the first start at given values of the usual size."""

    start: Float[np.ndarray, "labels columns"] | None = None
    __hash__, __eq__ = object.__hash__, object.__eq__

    def init(self, key: Key[Array, ""]) -> Params:
        params = super().init(key)
        start = jnp.asarray(self.start, jnp.float32) / np.sqrt(self.dim)
        return params | {"weight": params["weight"].at[:, 1:].set(start)}


def own_arguments(head: DFTHead) -> dict[str, Any]:
    """Those of a DFT head without the idea."""
    return {field.name: getattr(head, field.name) for field in dataclasses.fields(DFTHead)}


def directions(label_sets: labels.LabelSets, n_labels: int, count: int) -> Float[np.ndarray, "labels count"]:
    """The directions in which label sets differ most, columns of length √n_labels: a start for slack.

    Right singular vectors of the 0/1 matrix of the label sets whose column of a label is divided by √(count + 20), but
    for the first, which says how frequent labels are.
    """
    member = labels.to_sparse(labels.pad(label_sets, n_labels), n_labels)
    counts = member.sum(axis=0)
    weighted = scipy.sparse.csr_array(member @ scipy.sparse.diags_array(1 / np.sqrt(counts + _RARE)))
    *_, right = scipy.sparse.linalg.svds(weighted, count + 1, rng=np.random.default_rng(0))
    return np.asarray(right[::-1][1:].T * np.sqrt(n_labels), np.float32)


def alike(rows: Float[np.ndarray, "labels columns"]) -> Float[np.ndarray, "labels columns"]:
    """The same with rows of one length, √columns, as random ones have in expectation; zero rows stay."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows * np.divide(np.sqrt(rows.shape[1]), length, out=np.zeros_like(length), where=length > 0)
