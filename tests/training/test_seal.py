"""Seals of checkpoints: what is none is refused, and what is one is read as it was written."""

import json

import pytest

from sigfft.training import seal


@pytest.mark.parametrize("document", [None, [], {}, {"content": {}, "seal": ""}, {"content": 1, "seal": 2, "x": 3}])
def test_a_seal_that_is_none(document):
    with pytest.raises(ValueError, match="its seal"):
        seal.opened(document)
    sealed = json.loads(json.dumps(seal.sealed({"loss": 0.1, "best": -float("inf")})))
    assert seal.opened(sealed) == {"loss": 0.1, "best": -float("inf")}
