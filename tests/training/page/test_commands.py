import dataclasses
import shlex

import pytest
from run_folders import values_of

from sigfft.training.config import Config, EvalConfig, HeadConfig, OptimConfig
from sigfft.training.config_files import config_of, shipped_configs
from sigfft.training.page.commands import changed, command_of

OWN = Config(
    name="my run's",
    head=HeadConfig(kind="sigmoid", random_start=True),
    optim=OptimConfig(learning_rate=1e-05, steps=7),
    eval=EvalConfig(ks=(1, 2), threshold=""),
)


@pytest.mark.parametrize("name", [*shipped_configs(), ""])
def test_the_command_trains_the_config(name):
    config = config_of(name, []) if name else OWN
    words = shlex.split(command_of(values_of(config)))
    assert words[:2] == ["sigfft", "train"]
    made = config_of(words[2].removeprefix("--config="), words[3:])
    assert values_of(made) == values_of(config)
    if name:
        assert words == ["sigfft", "train", f"--config={name}"]


def test_a_config_that_no_command_trains_says_why():
    given = dataclasses.replace(OWN, data=dataclasses.replace(OWN.data, source="given"))
    assert "given as arrays" in command_of(values_of(given))
    options = dataclasses.replace(OWN, head=HeadConfig(options={"width": 3}))
    assert "head.options.width is set by a config file" in command_of(values_of(options))


def test_values_of_other_versions_are_shown_and_not_compared():
    values = values_of(OWN) | {"format": 1, "origin": {"versions": {}}}
    values["optim"]["gone"] = 3
    del values["optim"]["batch_size"]
    assert "gone" not in command_of(values)
    shown = changed(values)
    assert shown == {
        **{"name": "my run's", "head.kind": "sigmoid", "head.random_start": True, "optim.learning_rate": 1e-05},
        **{"optim.steps": 7, "optim.gone": 3, "eval.ks": [1, 2], "eval.threshold": ""},
    }
