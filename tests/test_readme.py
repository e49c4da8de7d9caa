"""README is short, what it names exists, and its examples do what it says; `test_docs.py` runs its commands."""

import ast
import math
import re
import subprocess
import sys

import written

TEXT = written.README.read_text(encoding="utf-8")
EXAMPLES = written.blocks(written.README, "python")


def test_the_flax_example_learns(tmp_path, capsys):
    first, second, third = map(float, written.runs(EXAMPLES[0], tmp_path, capsys))
    assert math.inf > first > second > third > 0


def test_the_checkers_example_proves_every_verdict(tmp_path, capsys):
    verdicts, *_, counts = written.runs(EXAMPLES[1], tmp_path, capsys)
    counts = ast.literal_eval(counts)
    assert counts["argmaxable"] + counts["unargmaxable"] == 3
    assert verdicts.count("'argmaxable'") == counts["argmaxable"]


def test_the_example_of_features_shows_what_they_do_not_reach(tmp_path, capsys):
    lines = written.runs(EXAMPLES[2], tmp_path, capsys)
    assert [line for line in lines if line.startswith("features reach")] == [
        "features reach a part of z: 95 of its 111 dimensions are missing",
        "features reach every z",
    ]
    few, enough = (line.split()[1:] for line in lines if line.split()[0] == "all")
    assert few == ["2", "2", "2", "2", "0"]
    assert enough == ["2", "2", "2", "2", "2"]


def test_it_is_short():
    assert len(TEXT.splitlines()) <= 205
    assert len(EXAMPLES) == 3
    assert all(len(code.strip().splitlines()) <= 21 for code in EXAMPLES)


def test_the_table_of_claims_is_the_one_that_is_made_of_all_runs():
    made = (written.ROOT / "benchmarks" / "results" / "tables.md").read_text(encoding="utf-8").splitlines()
    claims = made[2 : made.index("", 2)]
    assert claims[0].startswith("| data set, d | full rank |")
    assert [line for line in claims if line not in TEXT.splitlines()] == []


def test_the_two_commands_stand():
    start = "python3 -m venv .venv && .venv/bin/pip install -e '.[{}]' && .venv/bin/python {}"
    first, second = (block.strip() for block in written.blocks(written.README, "bash")[:2])
    assert first == start.format("train", "train.py")
    assert second == start.format("test", "-m pytest -n 2")


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)\s#]*)#?([^)\s]*)\)", TEXT)
    files = [(target, anchor) for target, anchor in links if not target.startswith("https:")]
    assert ("CONTRIBUTING.md", "") in files
    assert [target for target, _ in files if not (written.ROOT / target).exists()] == []
    assert [link for link in files if link[1] and link[1] not in written.headings(written.ROOT / link[0])] == []


def test_files_that_are_named_exist():
    named = re.findall(r"\b((?:benchmarks|configs|docs|examples|notebooks|sigfft)/[\w./]*\w)", TEXT)
    assert len(named) > 10
    assert [path for path in named if not path.startswith("docs/_build") and not (written.ROOT / path).exists()] == []


def test_importing_sigfft_imports_no_tensorflow_and_no_training():
    code = "import sigfft, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "sigfft.heads" in loaded
    assert not loaded & {"tensorflow", "tensorflow_datasets", "torch", "grain", "sigfft.data", "sigfft.training"}
    assert not loaded & {"flax", "optax", "orbax", "orbax.checkpoint", "matplotlib"}
