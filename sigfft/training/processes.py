"""What the processes of one run (`jax.distributed`) do in turn."""

import contextlib
from collections.abc import Iterator

import jax
from jax.experimental import multihost_utils


def is_first_process() -> bool:
    """Whether this is the process that writes: the only one, or the first of several (`jax.distributed`)."""
    return jax.process_index() == 0


@contextlib.contextmanager
def first_process_first(what: str) -> Iterator[None]:
    """The first process goes through the block before the others: what it prepares on a shared disk, they find."""
    if not is_first_process():
        multihost_utils.sync_global_devices(what)
    try:
        yield
    finally:
        if is_first_process():
            multihost_utils.sync_global_devices(what)
