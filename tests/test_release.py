"""What a release says of itself agrees: version, date, Pythons, and files that GitHub reads."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import shtab
import yaml

import sigfft
from sigfft import cli

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GITHUB = sorted((ROOT / ".github").rglob("*.yml"))


def test_version_and_date_are_those_of_the_changelog():
    (released, date), *_ = re.findall(
        r"^## \[([\d.]+)\] - ([\d-]+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], str(citation["date-released"])) == (released, date)
    assert sigfft.__version__ == released
    assert citation["license"] == PROJECT["project"]["license"]
    assert "version" in PROJECT["project"]["dynamic"]


def test_workflows_run_what_ci_runs_on_every_python():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    pythons = jobs["cpu"]["strategy"]["matrix"]["python"]
    classifiers = PROJECT["project"]["classifiers"]
    assert [c.split()[-1] for c in classifiers if re.search(r"Python :: 3\.", c)] == pythons
    assert [step["run"] for step in jobs["cpu"]["steps"] if "run" in step] == [".ci/run"]
    assert "GPU_RUNNER" in jobs["gpu"]["if"]
    tests = re.findall(r"tests/\S+", jobs["gpu"]["steps"][-1]["run"])
    assert len(tests) == 3
    assert all((ROOT / path).exists() for path in tests)


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.stem)
def test_a_form_asks_for_the_doctor(path):
    form = yaml.safe_load(path.read_text())
    if "body" in form:
        asked = {field["id"]: field for field in form["body"]}
        assert "sigfft doctor" in asked["doctor"]["attributes"]["label"]
        assert asked["doctor"].get("validations", {}).get("required", False) == (path.stem == "bug")
    else:
        assert form.keys() & {"jobs", "blank_issues_enabled"}


def test_shells_complete_commands_and_flags(tmp_path):
    script = tmp_path / "sigfft.bash"
    script.write_text(shtab.complete(cli.parser(), shell="bash"))
    assert "--fail-on-unargmaxable" in script.read_text()
    asks = "COMP_WORDS=(sigfft che) COMP_CWORD=1; _shtab_sigfft; echo ${COMPREPLY[@]}"
    said = subprocess.run(["bash", "-c", f"source {script}; {asks}"], capture_output=True, text=True, check=False)
    assert said.stdout.split() == ["check"], said.stderr
