"""Exploring a layer in a notebook."""

from typing import Any

from sigfft.argmaxability.display import Names
from sigfft.domains import DomainLike
from sigfft.explorer.session import Session
from sigfft.heads import Head


def explore(
    weight_or_head: Any,
    bias_or_params: Any = None,
    *,
    names: Names | None = None,
    transposed: bool = False,
    domain: DomainLike = "any",
) -> Any:
    """A widget for notebooks: switch labels on, and read whether the layer can output exactly this set.

    Args:
      weight_or_head: (n_labels, dim), as `check` takes it; or a head.
      bias_or_params: (n_labels,) or None; or the head's parameters. Of a head the widget also shows the four truths of
        `check_head`.
      names: of all labels, by which they are found and shown.
      transposed: the weight is (dim, n_labels), as Flax stores it.
      domain: of a head's features, as `check_head`.

    Raises:
      ValueError: as `check`, a head without its parameters, or an argument that is for the other kind.
      ModuleNotFoundError: the extra `explore` is not installed.
    """
    from sigfft.explorer.widget import Explorer

    if isinstance(weight_or_head, Head):
        if bias_or_params is None or transposed:
            raise ValueError("a head is explored with its parameters, explore(head, params), and without transposed=")
        session = Session.of_head(weight_or_head, bias_or_params, names=names, domain=domain)
    else:
        if domain != "any":
            raise ValueError(f"domain= is about a head's features; of a layer z can be anything; given {domain!r}")
        session = Session(weight_or_head, bias_or_params, names=names, transposed=transposed)
    session.warm_up()
    return Explorer(session)
