"""The programs of examples/, each in a process of its own; the server has a test of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"


def printed(name, devices=1):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    command = [sys.executable, str(FOLDER / name)]
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"{name} ended with {done.returncode}: {done.stderr[-3000:]}"
    return done.stdout


def test_the_tagger_learns_on_a_mesh():
    *losses, precision = printed("tagger.py", devices=8).splitlines()
    assert all(line.endswith("P('model', None)") for line in losses)
    first, *_, last = (float(re.search(r"loss ([0-9.]+)", line)[1]) for line in losses)
    assert last < first / 2
    assert float(precision.split()[1]) > 0.7


def test_a_retrofitted_classifier_can_output_every_label_set():
    counts = [[int(n) for n in re.findall(r"[0-9]+", line)] for line in printed("retrofit.py").splitlines()]
    (checked, argmaxable, unargmaxable, undecided), after = counts
    assert checked == argmaxable + unargmaxable == 300
    assert unargmaxable > 100
    assert undecided == 0
    assert after == [300, 300, 0, 0]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_each_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 40
