"""Arguments of what a config chooses by name: a head, an encoder, a loss, a data source.

The signature of the chosen function or class says which fields of its part of the config it takes.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

Named = TypeVar("Named")


def chosen(choices: Mapping[str, Named], name: str, key: str) -> Named:
    """What a config chooses by name; raises ValueError if there is nothing of this name."""
    if name not in choices:
        raise ValueError(f"{key}={name!r} must be one of: {', '.join(sorted(choices))}")
    return choices[name]


def parameters_of(taker: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a function, or of a class's constructor, by name."""
    # A class may hide the signature of its constructor behind its metaclass, as Flax modules do.
    signature = inspect.signature(taker.__init__ if isinstance(taker, type) else taker)  # type: ignore[misc]
    return {name: parameter for name, parameter in signature.parameters.items() if name != "self"}


def arguments_for(
    taker: Callable[..., Any],
    part: Any,
    key: str,
    name: str,
    /,
    *,
    apart: Collection[str] = ("kind",),
    **given: Any,
) -> dict[str, Any]:
    """Keyword arguments for a function or class: `given`, then the part's fields, as far as its signature names them.

    `part.options` comes on top, and all of it must be taken. The part of a config is a dataclass of defaults, `key` is
    its own, such as "head", and `name` what it chooses the taker by. Fields `apart` are not for the taker. What is
    given comes from elsewhere, such as sizes of the data, and stands in for fields of its name.

    Raises:
      ValueError: a field that is not taken is not at its default, an option is not taken, or an argument is missing.
    """
    parameters = parameters_of(taker)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    taken = {own: p for own, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    defaults = {own: value for own, value in vars(type(part)()).items() if own not in ("options", *apart)}
    fields = {own: getattr(part, own) for own in defaults}
    of_config = [own if own in fields else f"options.{own}" for own in taken if own in fields or own not in given]
    takes = f"which takes {', '.join(of_config) or 'none'}"
    for own, value in fields.items():
        if own not in taken and value != defaults[own]:
            hint = f"leave it at its default, {defaults[own]!r}"
            raise ValueError(f"{key}.{own}={value!r} is not for {name!r}, {takes}; {hint}")
    if not takes_any and (unknown := sorted(part.options.keys() - taken.keys())):
        raise ValueError(f"{key}.options has {unknown[0]!r}, which is not for {name!r}, {takes}")
    arguments = {own: value for own, value in (fields | given).items() if own in taken} | part.options
    missing = [own for own, p in taken.items() if p.default is p.empty and own not in arguments]
    if missing:
        raise ValueError(f"{name!r} needs {', '.join(missing)}; set it in {key}.options")
    return arguments
