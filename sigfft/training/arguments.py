"""Arguments of what a config chooses by name: a head, an encoder, a loss, a data source.

The signature of the chosen function or class says which fields of its part of the config it takes.
"""

import dataclasses
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

Named = TypeVar("Named")


def chosen(choices: Mapping[str, Named], name: str, key: str) -> Named:
    """What a config chooses by name.

    Raises:
      ValueError: there is nothing of this name.
    """
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

    `part.options` comes on top, and all of it must be taken.

    Args:
      taker: what is called with them.
      part: of a config: a dataclass with the field `options`.
      key: of the part, such as "head".
      name: that the config chooses `taker` by.
      apart: fields that are not for the taker.
      **given: arguments that come from elsewhere, such as sizes of the data; they stand in for fields of their name.

    Raises:
      ValueError: a field that is not taken is not at its default, an option is not taken, or an argument is missing.
    """
    parameters = parameters_of(taker)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    taken = {own: p for own, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    fields = [field for field in dataclasses.fields(part) if field.name not in ("options", *apart)]
    names = {field.name for field in fields}
    of_config = [own if own in names else f"options.{own}" for own in taken if own in names or own not in given]
    takes = f"which takes {', '.join(of_config) or 'none'}"
    for field in fields:
        value, default = getattr(part, field.name), _default(field)
        if field.name not in taken and value != default:
            raise ValueError(
                f"{key}.{field.name}={value!r} is not for {name!r}, {takes}; leave it at its default, {default!r}"
            )
    if not takes_any and (unknown := sorted(part.options.keys() - taken.keys())):
        raise ValueError(f"{key}.options has {unknown[0]!r}, which is not for {name!r}, {takes}")
    own_values = {field.name: getattr(part, field.name) for field in fields}
    arguments = {own: value for own, value in (own_values | given).items() if own in taken} | part.options
    missing = [own for own, p in taken.items() if p.default is p.empty and own not in arguments]
    if missing:
        raise ValueError(f"{name!r} needs {', '.join(missing)}; set it in {key}.options")
    return arguments


def _default(field: dataclasses.Field) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
