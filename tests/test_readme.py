"""README's Python runs as it stands, and its commands name what exists."""

import ast
import math
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


def printed(code, folder):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={**os.environ, "XLA_FLAGS": ""}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("code", EXAMPLES[:2], ids=["nnx", "linen"])
def test_flax_examples_learn(code, tmp_path):
    first, second, third = map(float, printed(code, tmp_path))
    assert math.inf > first > second > third > 0


def test_the_checkers_example_proves_every_verdict(tmp_path):
    verdicts, *_, counts = printed(EXAMPLES[2], tmp_path)
    counts = ast.literal_eval(counts)
    assert counts["argmaxable"] + counts["unargmaxable"] == 3
    assert verdicts.count("'argmaxable'") == counts["argmaxable"]


def test_the_example_of_features_shows_what_they_do_not_reach(tmp_path):
    lines = printed(EXAMPLES[3], tmp_path)
    assert [line for line in lines if line.startswith("features reach")] == [
        "features reach a part of z: 95 of its 111 dimensions are missing",
        "features reach every z",
    ]
    few, enough = (line.split()[1:] for line in lines if line.split()[0] == "all")
    assert few == ["2", "2", "2", "2", "0"]
    assert enough == ["2", "2", "2", "2", "2"]


def test_arrays_in_memory_are_trained_on(tmp_path):
    (code,) = (code for code in EXAMPLES if "splits=" in code)
    counts = ast.literal_eval(printed(code, tmp_path)[-1])
    assert counts["checked"] == counts["argmaxable"] + counts["unargmaxable"] > 50
    assert (tmp_path / "runs" / "arrays" / "report.json").exists()


def test_the_example_of_serving_answers_with_names(tmp_path):
    (code,) = (code for code in EXAMPLES if "serving.save" in code)
    answers = ast.literal_eval(printed(code, tmp_path)[0].replace("Named(name=", "(").replace("probability=", ""))
    assert [len(answer) for answer in answers] == [3, 3]
    assert all(name.startswith("label ") and 0 < probability < 1 for answer in answers for name, probability in answer)


def test_examples_take_about_twenty_lines():
    assert len(EXAMPLES) == 6
    assert all(len(code.strip().splitlines()) <= 21 for code in EXAMPLES)


def test_links_lead_somewhere():
    files = [target for target in re.findall(r"\]\(([^)#]+)\)", TEXT) if not target.startswith("https://")]
    assert "CONTRIBUTING.md" in files
    assert [target for target in files if not (ROOT / target).exists()] == []


def test_files_that_are_named_exist():
    named = re.findall(r"\b((?:benchmarks|configs|examples|notebooks|sigfft)/[\w./]*\w)", TEXT)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("command", re.findall(r"^sigfft (\w+)", TEXT, re.MULTILINE))
def test_subcommands_exist(command, capsys):
    with pytest.raises(SystemExit) as stop:
        sigfft.cli.main([command, "--help"])
    assert stop.value.code == 0
    assert command in capsys.readouterr().out


def test_importing_sigfft_imports_no_tensorflow_and_no_training():
    code = "import sigfft, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "sigfft.heads" in loaded
    assert not loaded & {"tensorflow", "tensorflow_datasets", "torch", "grain", "sigfft.data", "sigfft.training"}
    assert not loaded & {"flax", "optax", "orbax", "orbax.checkpoint", "matplotlib"}
