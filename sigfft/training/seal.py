"""Seals of checkpoints: a digest of every array, the same wherever its rows lie, and one of what is written beside."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

_BYTES = 16  # of a digest


def rows_on_host(leaf: Any) -> Iterator[np.ndarray]:
    """The rows of an array in order, as pieces on the host: those of one device at a time, and no copy of the whole.

    An array is split over devices by rows or not at all, and this process sees all of it.
    """
    if not isinstance(leaf, jax.Array) or not leaf.ndim:
        yield np.asarray(leaf)
        return
    pieces = {shard.index[0].start or 0: shard.data for shard in leaf.addressable_shards}
    for start in sorted(pieces):
        yield np.asarray(pieces[start])


def in_one_piece(leaf: Any, like: Any) -> np.ndarray:
    """An array on the host, of the shape of `like`: without the rows that fill up devices."""
    pieces = list(rows_on_host(leaf))
    return np.concatenate(pieces)[: like.shape[0]] if like.shape else pieces[0]


def digests(tree: Any, shapes: Any) -> dict[str, str]:
    """The digest of each leaf by its name, after its dtype and shape: {"['head']['slack']": "float32[60, 2] 0f…"}.

    `shapes` has a leaf of the shape that counts for each: rows beyond are filled up for the devices, and zero. A leaf
    where they are not zero has another digest.
    """
    leaves, counted = jax.tree.leaves_with_path(tree), jax.tree.leaves(shapes)
    return {
        jax.tree_util.keystr(path): f"{_kind(like)} {_digest(leaf, like)}"
        for (path, leaf), like in zip(leaves, counted, strict=True)
    }


def kinds(shapes: Any) -> dict[str, str]:
    """The dtype and shape of each leaf by its name, as `digests` has them."""
    return {jax.tree_util.keystr(path): _kind(like) for path, like in jax.tree.leaves_with_path(shapes)}


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """Content of JSON with its digest."""
    return {"content": content, "seal": _of_json(content)}


def opened(document: Any) -> dict[str, Any]:
    """The content that `sealed` was given.

    Raises:
      ValueError: this is not what was sealed.
    """
    if not isinstance(document, dict) or document.keys() != {"content", "seal"}:
        raise ValueError("its seal is not one")
    if _of_json(document["content"]) != document["seal"]:
        raise ValueError("its seal does not fit what it says")
    return document["content"]


def _kind(like: Any) -> str:
    return f"{np.dtype(like.dtype).name}{list(like.shape)}"


def _digest(leaf: Any, like: Any) -> str:
    found, left = hashlib.blake2b(digest_size=_BYTES), like.shape[0] if like.shape else 1
    for piece in map(np.atleast_1d, rows_on_host(leaf)):
        counted, filled = piece[:left], piece[left:]
        found.update(np.ascontiguousarray(counted).reshape(-1).view(np.uint8).data)
        if filled.any():
            found.update(b"filled with something")
        left -= len(counted)
    return found.hexdigest()


def _of_json(content: Any) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=_BYTES).hexdigest()
