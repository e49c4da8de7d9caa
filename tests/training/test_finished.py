import json

import pytest

from sigfft.cli import main
from sigfft.training import load_model

CONFIG = {"encoder": {"dim": 8}, "data": {}}
ENTRY = {"name": "bottleneck d=2", "kind": "bottleneck", "head": {"n_labels": 4, "dim": 2, "feature_dim": 8}}
MLP = {"kind": "mlp", "arguments": {}, "frozen": False}


@pytest.mark.parametrize(
    ("report", "config"),
    [
        ({}, CONFIG),
        ([], CONFIG),
        (None, CONFIG),
        ({"heads": []}, CONFIG),
        ({"heads": [{}]}, CONFIG),
        ({"heads": {"a": 1}}, CONFIG),
        ({"heads": [ENTRY]}, CONFIG),  # of before best_step was written
        ({"heads": [ENTRY | {"best_step": 4}]}, CONFIG),
        ({"heads": [ENTRY | {"best_step": 4}], "data": {"n_features": 3, "feature_dim": None}}, []),
        ({"heads": [ENTRY | {"best_step": 4}], "data": {"n_features": 3, "feature_dim": None}}, {"encoder": {"w": 1}}),
        ({"heads": [ENTRY | {"best_step": 4}], "data": {"n_features": None, "feature_dim": 0}}, CONFIG),
        (
            {"heads": [ENTRY | {"best_step": 4}], "encoder": MLP | {"inputs": {"a": {"shape": [], "dtype": ",f"}}}},
            CONFIG,
        ),
    ],
)
def test_a_report_of_another_version(tmp_path, capsys, report, config):
    (tmp_path / "report.json").write_text(json.dumps(report))
    (tmp_path / "config.json").write_text(json.dumps(config))
    objects = isinstance(report, dict) and isinstance(config, dict)
    expected = "are not what this version of sigfft writes" if objects else "is not JSON as it was written"
    with pytest.raises(ValueError, match=expected):
        load_model(tmp_path)
    (tmp_path / "sets.txt").write_text("0\n")
    command = f"check --weights {tmp_path} --labels {tmp_path}/sets.txt --out {tmp_path}/v.jsonl"
    assert main(command.split()) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("damaged", ["report.json", "config.json"])
@pytest.mark.parametrize("content", [b'{"heads": [', b"", b"\xff"])
def test_a_damaged_file_is_named(tmp_path, damaged, content):
    for name in ("report.json", "config.json"):
        (tmp_path / name).write_bytes(content if name == damaged else b"{}")
    with pytest.raises(ValueError, match=f"{tmp_path}/{damaged} is not JSON"):
        load_model(tmp_path)
    (tmp_path / damaged).unlink()
    with pytest.raises(ValueError, match=f"holds no finished run: {damaged} is missing"):
        load_model(tmp_path)


def test_missing_checkpoints_are_named_and_not_made(tmp_path):
    report = {"heads": [ENTRY | {"best_step": 4}], "data": {"n_features": 3, "feature_dim": None}}
    (tmp_path / "report.json").write_text(json.dumps(report))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(ValueError, match="holds no checkpoints of 'bottleneck d=2'"):
        load_model(tmp_path)
    assert not (tmp_path / "checkpoints").exists()
