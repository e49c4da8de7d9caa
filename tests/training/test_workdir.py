import dataclasses
import json
import sys
from pathlib import Path

import pytest

from sigfft.training.config import Config, HeadConfig
from sigfft.training.workdir import RunLog, Workdir


def began(path, config, **changes):
    """A folder in which another version began a run: its config.json has no format, nor the keys of today."""
    stored = dataclasses.asdict(config)
    for part in ("data", "encoder", "head", "baseline"):
        del stored[part]["options"]
    del stored["optim"]["loss"], stored["optim"]["loss_options"], stored["encoder"]["kind"]
    (path / "config.json").write_text(json.dumps(stored | changes))
    return Workdir(path)


def test_a_run_of_before_goes_on_where_its_keys_mean_the_same(tmp_path):
    config = Config(head=HeadConfig(kind="bottleneck", dim=3))
    workdir = began(tmp_path, config)
    workdir.check(config, resume=True)
    with pytest.raises(ValueError, match=r"differs in optim.loss \('asymmetric', not 'bce'\)"):
        workdir.check(dataclasses.replace(config, optim=dataclasses.replace(config.optim, loss="asymmetric")), True)
    exact = Config(head=HeadConfig(kind="dft", n_fft=1000))
    began(tmp_path, exact).check(exact, resume=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": HeadConfig(kind="dft")}, "another version .*, and head.n_fft=0 meant the number of labels there"),
        ({"head": HeadConfig("sigmoid"), "baseline": HeadConfig("dft")}, "baseline.n_fft=0 meant the number of labels"),
        (
            {"head": HeadConfig("sigmoid"), "optim": {"clip_norm": 1.0}},
            "its checkpoints keep clipping in another place",
        ),
    ],
)
def test_a_run_of_before_whose_keys_meant_something_else_is_refused(tmp_path, changes, message):
    config = Config()
    optim = dataclasses.replace(config.optim, **changes.pop("optim", {}))
    config = dataclasses.replace(config, optim=optim, **changes)
    with pytest.raises(ValueError, match=message + ".*finish it with that version, or train anew in another folder"):
        began(tmp_path, config).check(config, resume=True)


def test_a_run_of_a_later_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match="its format 99 is later than"):
        began(tmp_path, Config(), format=99).check(Config(), resume=True)


def test_a_config_that_json_cannot_hold_leaves_nothing(tmp_path):
    config = Config(head=HeadConfig(options={"points": Path("x")}))
    with pytest.raises(ValueError, match="options of a config must be what JSON can hold"):
        Workdir(tmp_path / "run").write_config(config)
    assert not (tmp_path / "run").exists()


def test_a_log_file_has_no_bar_and_a_terminal_has_one(tmp_path, capsys, monkeypatch):
    for shown in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda shown=shown: shown)
        log = RunLog(Workdir(tmp_path), "dft", 0, 4)
        log.progress(2, loss="0.5")
        log.close()
        assert ("2/4" in capsys.readouterr().err) == shown
