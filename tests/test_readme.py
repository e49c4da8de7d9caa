"""README's Python runs as it stands, and its commands name what exists."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sigfft.cli

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("code", EXAMPLES, ids=["nnx", "linen", "check", "feature_layer"])
def test_example_runs(code, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "XLA_FLAGS": ""}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 3


def test_flax_examples_take_about_twenty_lines():
    assert len(EXAMPLES) == 4
    assert all(len(code.strip().splitlines()) <= 21 for code in EXAMPLES)


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_files_that_are_named_exist():
    named = re.findall(r"\b((?:benchmarks|configs|notebooks|sigfft)/[\w./]*\w)", TEXT)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("command", re.findall(r"^sigfft (\w+)", TEXT, re.MULTILINE))
def test_subcommands_exist(command, capsys):
    with pytest.raises(SystemExit) as stop:
        sigfft.cli.main([command, "--help"])
    assert stop.value.code == 0
    assert command in capsys.readouterr().out


def test_importing_sigfft_imports_no_tensorflow_and_no_training():
    code = "import sigfft, sys; print([m for m in ('tensorflow', 'tensorflow_datasets', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
