"""The command `sigfft train`: which config it takes, and where the run goes."""

import shutil
from pathlib import Path

import pytest

import sigfft
from sigfft import cli
from sigfft.training.command import new_workdir
from sigfft.training.config_files import config_of, shipped_configs

ROOT = Path(sigfft.__file__).parents[1]


def test_a_config_by_its_name_and_by_its_file(tmp_path):
    assert list(shipped_configs()) == [
        *("auto", "bioasq", "bioasq_shaped", "demo", "mimic3", "mimic3_shaped", "npy"),
        *("openimages", "openimages_shaped", "xmc"),
    ]
    assert config_of("xmc", []) == config_of(str(ROOT / "configs" / "xmc.py"), [])
    own = tmp_path / "own.py"
    own.write_text((ROOT / "configs" / "demo.py").read_text().replace('name="demo"', 'name="own"'))
    assert config_of(str(own), []).name == "own"
    own.write_text("def get_config():\n    return {'name': 'own'}\n")
    with pytest.raises(
        ValueError, match=r"own\.py must return a sigfft\.training\.Config; it returns \{'name': 'own'\}"
    ):
        config_of(str(own), [])


def test_flags_set_values_and_leave_the_next_config_alone():
    flags = ["--config.head.spread=7", "--config.head.centred", "--config.eval.ks=(1, 2)", "--config.data.dir", "here"]
    config = config_of("demo", flags)
    assert (config.head.spread, config.head.centred, config.eval.ks, config.data.dir) == (7, True, (1, 2), "here")
    assert config_of("demo", []).head.spread == 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "--config=dmeo",
            "there is no config 'dmeo'; expected auto, bioasq, bioasq_shaped, demo, mimic3, mimic3_shaped, npy, ",
        ),
        ("--config=no/such.py", "there is no config 'no/such.py'"),
        ("--config.optim.steps=many", "--config.optim.steps=many: invalid literal"),
        ("--config.optim.stpes=5", "the nearest is --config.optim.steps="),
        ("stray", "'stray' is no option; values of the config are set by --config.key=value"),
        ("--bogus=3", "Unknown command line flag 'bogus'"),
        ("--resume", "--resume needs the --workdir of the run"),
        ("--resume=maybe --workdir=run", "--resume=maybe must be one of: auto, always, never"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, message, capsys):
    assert cli.main(["train", *arguments.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sigfft train: ")
    assert message in line


def test_other_commands_take_no_flags_of_a_config(capsys):
    with pytest.raises(SystemExit):
        cli.main(["count", "--labels", "7", "--dim", "3", "--config.head.spread=7"])
    assert "unrecognized arguments: --config.head.spread=7" in capsys.readouterr().err


def test_a_new_folder_for_each_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert new_workdir("demo") == Path("runs/demo")
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    assert new_workdir("demo") == Path("runs/demo-2")


def test_a_wheel_has_its_configs_inside(tmp_path, monkeypatch):
    package = tmp_path / "sigfft"
    shutil.copytree(ROOT / "configs", package / "configs")
    monkeypatch.setattr(sigfft, "__file__", str(package / "__init__.py"))
    assert shipped_configs()["demo"] == package / "configs" / "demo.py"
    assert 'force-include = { "configs" = "sigfft/configs" }' in (ROOT / "pyproject.toml").read_text()
