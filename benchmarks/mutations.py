"""Mutations of files: bytes that are flipped, cut, repeated or replaced by hostile tokens; values of JSON likewise."""

import copy
import json
import random
import re
from typing import Any

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_TOKENS = [
    *(
        b"-1",
        b"0",
        b"1e308",
        b"1e999",
        b"nan",
        b"inf",
        b"-0",
        b"0x1F",
        b"2147483648",
        b"9223372036854775808",
        b"1" * 31,
    ),
    *(
        b"9" * 5000,
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        "é☃٣".encode(),
        b"\r",
        b"\n",
        b"\n\n",
        b" ",
        b",",
        b":",
        b'"',
    ),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b"[" * 100_000,
        b'{"a":' * 5000,
        b"null",
        b"true",
        b"[[0]]",
        b"\\ud800",
        b"'",
        b"../" * 9,
    ),
]
_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e308, float("nan"), float("inf"), 2**31, 2**63, 10**30, -(10**400)),
    *("", "x", "any", "top_k", "0x0", "-0x1", "٣", "\x00", "\ud800", "x" * 5000, [], {}, [[]], [None], [0, 0], [1e308]),
    *(
        [[0] * 3] * 2,
        {"a": {"a": 1}},
        [2**63],
        [-1],
        [True],
        ["a"],
        list(range(50)),
        {"dtype": "object", "shape": [-1]},
    ),
]


def of_bytes(data: bytes, random: random.Random) -> bytes:
    """The bytes after one to four changes."""
    for _ in range(random.randint(1, 4)):
        data = _changed(data, random)
    return data


def of_json(value: Any, random: random.Random) -> bytes:
    """The JSON text of a value of which one to three parts were replaced, removed or moved."""
    root = [copy.deepcopy(value)]
    for _ in range(random.randint(1, 3)):
        places = list(_places(root))
        outer, key = random.choice(places)
        kind = random.randrange(6)
        if kind == 0 and outer is not root:
            del outer[key]
        elif kind == 1:
            donor, other = random.choice(places)
            outer[key] = copy.deepcopy(donor[other])
        elif kind == 2 and isinstance(outer, dict):
            outer[random.choice(["", "x", "labels", "dim", "n_labels"])] = outer.pop(key)
        else:
            outer[key] = copy.deepcopy(random.choice(_VALUES))
    return json.dumps(root[0]).encode()


def _changed(data: bytes, random: random.Random) -> bytes:
    start = random.randrange(len(data) + 1)
    end = min(len(data), start + random.choice((1, 1, 2, 4, 16, 64)))
    kind = random.randrange(8)
    if kind == 0 and start < len(data):
        return data[:start] + bytes([data[start] ^ 1 << random.randrange(8)]) + data[start + 1 :]
    if kind == 1:
        return data[:start] + random.randbytes(end - start) + data[end:]
    if kind == 2:
        return data[:start] + data[end:]
    if kind == 3:
        return data[:start]
    if kind == 4:
        return data[:end] + data[start:end] * random.choice((1, 2, 50)) + data[end:]
    if kind == 5 and (numbers := list(_NUMBER.finditer(data[:4096]))):
        found = random.choice(numbers)
        return data[: found.start()] + random.choice(_TOKENS) + data[found.end() :]
    if kind == 6:
        return data[:start] + random.choice(_TOKENS) + data[end:]
    return data[:start] + random.choice(_TOKENS) + data[start:]


def _places(value: Any) -> Any:
    """Each (container, key) below a list or an object; of long lists some."""
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))[:20]
    for key, own in items:
        yield value, key
        if isinstance(own, dict | list):
            yield from _places(own)
