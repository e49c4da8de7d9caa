"""Signatures as a reader needs them: what Python knows of a class, less what Flax and dataclasses add to it."""

import inspect

from sphinx.util.inspect import stringify_signature

_LONG = "jaxlib._jax.Array"  # programs say jax.Array
_ANYTHING = "(*args: Any, **kwargs: Any)"  # of the metaclass of Flax NNX
_OF_LINEN = ", parent: "  # and what follows: fields that each Linen module has
_MADE = "<factory>"  # a default that is made anew for each


def setup(app):
    """Connect both rules to autodoc."""
    app.connect("autodoc-process-signature", _shorter)
    app.connect("autodoc-skip-member", _is_told)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _shorter(app, what, name, it, options, signature, returned):
    if signature == _ANYTHING:
        own = inspect.signature(it.__init__)
        own = own.replace(parameters=list(own.parameters.values())[1:], return_annotation=own.empty)
        signature = stringify_signature(own, unqualified_typehints=True)
    if signature is not None:
        first, linen, _ = signature.replace(_LONG, "Array").replace(_MADE, "...").partition(_OF_LINEN)
        signature = f"{first})" if linen else first
    return signature, returned and returned.replace(_LONG, "Array")


def _is_told(app, what, name, it, skip, options):
    """Fields of named tuples: the class tells what they are, Python only their number."""
    return True if (inspect.getdoc(it) or "").startswith("Alias for field number") else None
