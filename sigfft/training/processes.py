"""What the processes of a run say to each other, by the key-value store of `jax.distributed`; alone, nothing is said.

All processes must come to each of these calls, in the same order.
"""

import contextlib
import itertools
import json
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
from jax._src import distributed

_CALLS = itertools.count()  # counted alike in all processes, so that no two calls share a key
_CHUNK = 1 << 20  # bytes of a value: gRPC takes 4 MB
_WEEK = 7 * 24 * 3600.0  # seconds to wait where another process may well have much to do


def is_first_process() -> bool:
    """Whether this is the process that writes: the only one, or the first of several (`jax.distributed`)."""
    return jax.process_index() == 0


@contextlib.contextmanager
def first_process_first(what: str) -> Iterator[None]:
    """The first process goes through the block before the others: what it prepares on a shared disk, they find."""
    if not is_first_process():
        wait_for_all(what)
    try:
        yield
    finally:
        if is_first_process():
            wait_for_all(what)


def wait_for_all(what: str, timeout: float = _WEEK) -> None:
    """Returns when all processes are here; raises RuntimeError where that takes longer than `timeout` seconds."""
    if jax.process_count() > 1:
        _client().wait_at_barrier(f"sigfft/{next(_CALLS)}/{what}", int(timeout * 1000))


def agree(facts: Mapping[str, Any], timeout: float) -> None:
    """Raises ValueError, in all processes, unless they bring the same facts, of JSON, in time.

    The message names the facts that differ, and the first process that differs; or who did not come within `timeout`
    seconds.
    """
    if jax.process_count() == 1:
        return
    client, name, own = _client(), f"sigfft/{next(_CALLS)}", jax.process_index()
    client.key_value_set(f"{name}/{own}", _packed(facts))
    if is_first_process():
        client.key_value_set(f"{name}/verdict", json.dumps(_compare(client, name, facts, timeout)))
    verdict = _wait(client, f"{name}/verdict", timeout + 10)
    if verdict is None:
        raise ValueError(f"process 0 did not answer within {timeout + 10:g} s; see what it waits for")
    if message := json.loads(verdict):
        raise ValueError(message)


def gather(content: bytes) -> list[bytes] | None:
    """The bytes that each process brings, in order, at the first one; None at the others."""
    if jax.process_count() == 1:
        return [content]
    client, name = _client(), f"sigfft/{next(_CALLS)}"
    if not is_first_process():
        packed = zlib.compress(content, 1)
        chunks = [packed[i : i + _CHUNK] for i in range(0, len(packed), _CHUNK)]
        for i, chunk in enumerate(chunks):
            client.key_value_set_bytes(f"{name}/{jax.process_index()}/{i}", chunk)
        client.key_value_set(f"{name}/{jax.process_index()}", str(len(chunks)))
        return None
    gathered = [content]
    for other in range(1, jax.process_count()):
        count = int(client.blocking_key_value_get(f"{name}/{other}", int(_WEEK * 1000)))
        keys = [f"{name}/{other}/{i}" for i in range(count)]
        gathered.append(zlib.decompress(b"".join(client.blocking_key_value_get_bytes(key, 60_000) for key in keys)))
        for key in keys:
            client.key_value_delete(key)
    return gathered


def of_the_first(value: Any) -> Any:
    """The value, of JSON, that the first process brings, at all of them."""
    if jax.process_count() == 1:
        return value
    client, key = _client(), f"sigfft/{next(_CALLS)}/first"
    if is_first_process():
        client.key_value_set(key, json.dumps(value))
    return json.loads(client.blocking_key_value_get(key, int(_WEEK * 1000)))


def _compare(client: Any, name: str, facts: Mapping[str, Any], timeout: float) -> str:
    """What differs, in words; "" where nothing does."""
    mine, deadline = _flat(_packed(facts)), time.monotonic() + timeout
    for other in range(1, jax.process_count()):
        given = _wait(client, f"{name}/{other}", max(0.01, deadline - time.monotonic()))
        if given is None:
            return f"process {other} of {jax.process_count()} did not come within {timeout:g} s; see what it waits for"
        theirs = _flat(given)
        differing = [key for key in (mine | theirs) if mine.get(key) != theirs.get(key)]
        if differing:
            told = ", ".join(f"{key} ({theirs.get(key)!r}, not {mine.get(key)!r})" for key in differing[:5])
            return (
                f"process {other} of {jax.process_count()} differs from process 0 in {told}; "
                "start all with the same software, flags and data"
            )
    return ""


def _packed(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, default=repr)


def _flat(packed: str) -> dict[str, Any]:
    """Nested facts by their keys, joined by dots."""
    leaves = jax.tree_util.tree_leaves_with_path(json.loads(packed))
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _wait(client: Any, key: str, timeout: float) -> str | None:
    try:
        return client.blocking_key_value_get(key, int(timeout * 1000))
    except jax.errors.JaxRuntimeError as error:
        if "DEADLINE_EXCEEDED" not in str(error):
            raise
        return None


def _client() -> Any:
    return distributed.global_state.client
