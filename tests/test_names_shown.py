"""Names of labels beside verdicts."""

import json

import numpy as np
import pytest

import sigfft
from sigfft.cli import main
from sigfft.trained import load_label_names


def test_check_names_the_impossible_sets(tmp_path, capsys):
    angles = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    np.save(tmp_path / "W.npy", np.column_stack([np.cos(angles), np.sin(angles)]))
    (tmp_path / "sets.txt").write_text("0,1\n" + "0,3\n" * 3 + "1,4\n2,5\n0,2\n")
    (tmp_path / "names.txt").write_text("".join(f"name {i}\n" for i in range(6)))
    command = f"check --weights {tmp_path}/W.npy --labels {tmp_path}/sets.txt --out {tmp_path}/v.jsonl"
    assert main(command.split()) == 0
    assert "name" not in capsys.readouterr().out
    assert main([*command.split(), "--names", str(tmp_path / "names.txt")]) == 0
    *_, title, first, _, _, _, last, more = capsys.readouterr().out.splitlines()
    assert (title, first, more) == ("unargmaxable:", "[name 0 (0), name 3 (3)]", "and 1 more")
    assert last == "[name 2 (2), name 5 (5)]"
    (tmp_path / "names.txt").write_text("one\n")
    (tmp_path / "v.jsonl").unlink()
    assert main([*command.split(), "--names", str(tmp_path / "names.txt")]) == 2
    assert "names must be one for each of the 6 labels, in their order; given 1 names" in capsys.readouterr().err
    assert not (tmp_path / "v.jsonl").exists()


def test_names_of_a_run_explain_its_layer(tmp_path):
    assert load_label_names(tmp_path) is None
    (tmp_path / "label_names.json").write_text(json.dumps({"names": ["a", "b", "c"]}))
    names = load_label_names(tmp_path)
    assert names == ("a", "b", "c")
    weight = np.array([[1.0, 0], [-1, 0], [0, 1]])
    assert "a" in str(sigfft.explain(weight, [0, 1]).named(names))
    (tmp_path / "label_names.json").write_text("[")
    with pytest.raises(ValueError, match=r"label_names\.json (is not|holds no) JSON"):
        load_label_names(tmp_path)
