"""The server of examples/ over HTTP, in a process of its own."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sigfft

SERVER = Path(__file__).parents[1] / "examples" / "serve.py"
RNG = np.random.default_rng(0)
HEAD = sigfft.bottleneck_head(12, 3, feature_dim=4)
PARAMS = jax.tree.map(
    lambda p: jnp.asarray(RNG.standard_normal(p.shape, np.float32)), jax.eval_shape(HEAD.init, jax.random.key(0))
)
FEATURES = RNG.standard_normal((3, 4), np.float32)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "model.sigfft"
    names = [f"label {i}" for i in range(12)]
    sigfft.serving.save(
        path, lambda _, x: x["x"], HEAD, {"encoder": None, "head": PARAMS}, {"x": FEATURES}, names=names
    )
    command = [sys.executable, str(SERVER), str(path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "XLA_FLAGS": ""}) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def ask(address, lines):
    with urllib.request.urlopen(address, "\n".join(lines).encode(), timeout=60) as answer:
        return [json.loads(line) for line in answer.read().splitlines()]


def test_each_line_is_answered_with_names_and_probabilities(address):
    answers = ask(address, [json.dumps({"x": row}) for row in FEATURES.tolist()])
    probabilities = jax.nn.sigmoid(HEAD.logits(PARAMS, FEATURES))
    assert any(answers)
    for answer, own in zip(answers, probabilities, strict=True):
        expected = {f"label {i}": float(own[i]) for i in np.flatnonzero(own > 0.5)}
        assert [name for name, _ in answer] == sorted(expected, key=expected.get, reverse=True)
        assert dict(answer) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("line", "error"),
    [('{"x": [1.0]}', "given float32 (1, 1)"), ("{", "Expecting"), ('{"y": [1]}', "'x'"), ("[1]", "list indices")],
)
def test_a_bad_line_is_told_and_the_server_goes_on(address, line, error):
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(address, [line])
    assert refused.value.code == 400
    assert error in json.loads(refused.value.read())["error"]
    assert len(ask(address, ['{"x": [1, 2, 3, 4]}'])) == 1


def test_the_program_is_short():
    assert len(SERVER.read_text(encoding="utf-8").splitlines()) <= 40
