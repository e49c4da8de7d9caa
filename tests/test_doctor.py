"""`sigfft doctor`: a part that does not work is named."""

import errno
import fcntl
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest

from sigfft import doctor
from sigfft.cli import main
from sigfft.heads.dft import DFTHead

PARTS = ("devices", "heads", "checker", "folder", "length")


def told(monkeypatch, capsys, command="", working=PARTS):
    """The exit status, the text by parts, and the line about what failed; `working` parts are taken to work."""
    for part in working:
        monkeypatch.setattr(doctor, part, lambda *_, part=part: f"{part} are well")
    status = main(["doctor", *command.split()])
    said = capsys.readouterr()
    return status, dict(line.split(":", 1) for line in said.out.splitlines()), said.err


def but(part):
    return [other for other in PARTS if other != part]


def test_a_text_for_a_bug_report(monkeypatch, capsys):
    status, lines, error = told(monkeypatch, capsys, "--workdir here --labels 7")
    assert (status, error) == (0, "")
    assert list(lines) == ["versions", "system", "extras", *PARTS]
    assert f"numpy {np.__version__}" in lines["versions"]
    assert lines["extras"].strip() == "all"
    assert all(lines[part].endswith(f"s: {part} are well") for part in PARTS)


def test_wrong_logits_are_named(monkeypatch, capsys):
    right = DFTHead.logits_of
    monkeypatch.setattr(DFTHead, "logits_of", lambda head, params, z: right(head, params, z) + np.float32(0.1))
    status, lines, error = told(monkeypatch, capsys, working=but("heads"))
    assert status == 2
    assert "FAILED" in lines["heads"]
    assert error.startswith(
        "sigfft doctor: heads failed: ValueError: logits of the head 'dft k=3 spread=4 slack=2' are off"
    )


def test_a_checker_that_errs_is_named(monkeypatch, capsys):
    monkeypatch.setattr("sigfft.verify", lambda *_: (_ for _ in ()).throw(ValueError("false")))
    status, _, error = told(monkeypatch, capsys, working=but("checker"))
    assert (status, error) == (2, "sigfft doctor: checker failed: ValueError: false\n")


def test_a_folder_that_no_run_can_live_in_is_named(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").touch()
    status, _, error = told(monkeypatch, capsys, f"--workdir {tmp_path}/file", working=but("folder"))
    assert (status, error.strip()[-29:]) == (2, "file is a file; give a folder")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    status, _, error = told(monkeypatch, capsys, f"--workdir {tmp_path}/new/run", working=but("folder"))
    assert (status, error) == (2, "sigfft doctor: folder failed: OSError: [Errno 28] No space left on device\n")
    monkeypatch.undo()
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)  # as where locks hold nobody up
    status, _, error = told(monkeypatch, capsys, f"--workdir {tmp_path}", working=but("folder"))
    assert (status, "lets two processes hold the same lock" in error) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (20_000, "n_fft=20000 for 20000 labels, which has no prime factor above 7: FFTs are fast at it"),
        (22, "n_fft=24 for 22 labels: 22 has the prime factor 11, at which FFTs are slow; 24 is the next length"),
    ],
)
def test_why_a_head_has_its_length(labels, found):
    assert doctor.length(labels).startswith(found)


@pytest.mark.parametrize("labels", [-1, 2, 10**30])
def test_sizes_that_no_head_has(labels, monkeypatch, capsys):
    status, _, error = told(monkeypatch, capsys, f"--labels {labels}", working=but("length"))
    assert status == 2
    assert error.startswith("sigfft doctor: length failed: ValueError: ")


def test_extras_are_those_of_the_project():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    renamed = {"absl-py": "absl", "orbax-checkpoint": "orbax", "pillow": "PIL", "scikit-learn": "sklearn"}
    for extra, modules in doctor.EXTRAS.items():
        wanted = [name.split(">")[0] for name in project["optional-dependencies"][extra]]
        names = [renamed.get(name, name.replace("-", "_")) for name in wanted if not name.startswith("sigfft")]
        assert sorted(modules) == sorted(names)
