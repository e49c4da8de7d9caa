"""The user's program has the types that it needs, and runs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from at_home import user_program

import sigfft

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "at_home" / "user_program.py"
CONFIG = """
[mypy]
strict = true
follow_imports = silent
[mypy-jax._src.*,jaxlib.*,scipy.*,IPython.*,matplotlib.*,PIL.*,ml_dtypes.*]
follow_imports = skip
follow_imports_for_stubs = true
[mypy-jax._src.basearray,jaxlib._jax]
follow_imports = silent
"""  # all of JAX would take a minute
MISTAKES = """

def mistaken(weight: npt.NDArray[np.float32]) -> None:
    sigfft.check(weight, [[0]], rule="treshold")
    sigfft.check(weight, [[0]], domain="positive")
    sigfft.plan(60, 2, dtype="float8")
"""


def test_mypy_finds_mistakes_and_nothing_else(tmp_path):
    (tmp_path / "mypy.ini").write_text(CONFIG)
    (tmp_path / "mistaken.py").write_text(PROGRAM.read_text(encoding="utf-8") + MISTAKES)
    command = [sys.executable, "-m", "mypy", "--config-file", tmp_path / "mypy.ini", "--cache-dir", tmp_path / "cache"]
    env = {**os.environ, "MYPYPATH": str(ROOT)}
    found = subprocess.run([*command, tmp_path / "mistaken.py"], cwd=tmp_path, env=env, capture_output=True, text=True)
    errors = [line for line in found.stdout.splitlines() if ": error: " in line]
    wrong = ['Argument "rule" to "check"', 'Argument "domain" to "check"', 'Argument "dtype" to "plan"']
    assert len(errors) == len(wrong), found.stdout + found.stderr
    assert all(argument in error for argument, error in zip(wrong, errors, strict=True))


@pytest.mark.loose_types  # metrics take NumPy arrays, though they are annotated for JAX's alone
def test_the_program_runs(tmp_path, capsys):
    head = sigfft.bottleneck_head(12, 3, feature_dim=16)  # `promised`, for seconds, is in argmaxability/of_heads
    found = user_program.scores(head, np.ones((4, 16), np.float32), sigfft.labels.pad([[1], [2, 5], [0, 7], []], 12))
    assert found["loss"] > found["P@1"] >= 0
    assert [record["names"][0] for record in user_program.checked(tmp_path)] == ["topic 1", "topic 2", "topic 0"]
    assert "the verdict is about other weights" in capsys.readouterr().out
