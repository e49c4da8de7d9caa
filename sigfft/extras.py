"""Parts that need more than the core's dependencies, and the extra of `pip install` that brings them."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def needs(extra: str, part: str) -> Iterator[None]:
    """Imports in the block may lack what an extra brings; then the error says which extra.

    Args:
      extra: a name in `project.optional-dependencies` of pyproject.toml.
      part: what cannot be used without it, such as "sigfft.nnx".

    Raises:
      ModuleNotFoundError: a module of another project is missing; the message names it and the command to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in ("", "sigfft"):
            raise
        message = f"{part} needs {library}: pip install 'sigfft[{extra}]'"
        raise ModuleNotFoundError(message, name=error.name) from error
