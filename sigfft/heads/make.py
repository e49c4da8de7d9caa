"""A head from its kind and arguments: what files keep of it."""

from collections.abc import Callable, Mapping
from typing import Any

from sigfft.heads.base import Head
from sigfft.heads.bottleneck import bottleneck_head
from sigfft.heads.dft import dft_head
from sigfft.heads.retrofit import retrofit_head
from sigfft.heads.sigmoid import sigmoid_head

_MAKERS: dict[str, Callable[..., Head]] = {
    "bottleneck": bottleneck_head,
    "dft": dft_head,
    "retrofit": retrofit_head,
    "sigmoid": sigmoid_head,
}


def make(kind: str, arguments: Mapping[str, Any]) -> Head:
    """The head whose `kind` and `arguments` these are.

    Raises:
      ValueError: an unknown kind, or arguments that the head of this kind does not take.
    """
    if kind not in _MAKERS:
        raise ValueError(f"unknown kind of head {kind!r}; the kinds are {', '.join(_MAKERS)}")
    try:
        return _MAKERS[kind](**arguments)
    except TypeError as error:
        raise ValueError(f"a {kind} head cannot be made from {dict(arguments)}: {error}") from error
