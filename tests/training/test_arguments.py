import dataclasses
from typing import Any

import pytest
from flax import nnx

from sigfft.training.arguments import arguments_for, chosen


@dataclasses.dataclass
class Part:
    kind: str = "a"
    width: int = 3
    depth: int = 0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


def wide(n_labels, *, width, gain=1.0):
    return n_labels, width, gain


def given(taker, **values):
    return arguments_for(taker, Part(**values), "part", "wide", n_labels=7, prior=0.1)


def test_a_taker_gets_what_its_signature_names():
    assert given(wide) == {"n_labels": 7, "width": 3}
    assert given(wide, width=5, options={"gain": 2.0}) == {"n_labels": 7, "width": 5, "gain": 2.0}
    assert given(lambda **anything: None, options={"own": 1}, width=3) == {"own": 1}


def test_a_class_is_asked_for_its_constructor():
    class Encoder(nnx.Module):
        def __init__(self, n_labels: int, *, depth: int):
            pass

    assert given(Encoder, depth=2) == {"n_labels": 7, "depth": 2}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"depth": 2}, "part.depth=2 is not for 'wide', which takes width, options.gain; leave it at its default, 0"),
        ({"options": {"gian": 2}}, "part.options has 'gian', which is not for 'wide', which takes width, options.gain"),
    ],
)
def test_what_is_not_taken_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        given(wide, **values)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match=r"'wide' needs rank; set it in part\.options"):
        given(lambda rank: None)


def test_a_name_that_nothing_has_is_refused():
    assert chosen({"a": 1}, "a", "part.kind") == 1
    with pytest.raises(ValueError, match=r"part\.kind='c' must be one of: a, b"):
        chosen({"b": 2, "a": 1}, "c", "part.kind")
