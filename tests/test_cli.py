import json
import re

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from sigfft import dft_head, save_head
from sigfft.argmaxability.search import working_set
from sigfft.cli import main

WEIGHT = np.array([[1.0, 0], [2, 0], [0, 1], [1, 1]], np.float32)
BIAS = np.array([0.5, -1, 0, 0.25], np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("W.npz", weight=WEIGHT)
    np.savez("biased.npz", out=np.ascontiguousarray(WEIGHT.T), out_bias=BIAS)
    save_file({"head.weight": WEIGHT, "head.bias": BIAS}, "model.safetensors")
    (tmp_path / "sets.txt").write_text("0,1,3\n\n0,2\n1\n")
    (tmp_path / "sets.jsonl").write_text("[0, 1, 3]\n[]\n[0, 2]\n[1]\n")
    (tmp_path / "xmc.txt").write_text("4 9 4\n0,1,3 1:1\n 1:1\n0,2\n1 2:.5\n")
    return tmp_path


def run(command):
    return main(command.split())


@pytest.mark.parametrize("sets", ["sets.txt", "sets.jsonl", "xmc.txt"])
@pytest.mark.parametrize(
    "layer",
    [
        "--weights W.npz",
        "--weights biased.npz --tensor out --bias out_bias",
        "--weights biased.npz --transposed --bias=",
        "--weights biased.npz",
        "--weights model.safetensors --tensor head.weight --bias head.bias",
        "--weights model.safetensors",
    ],
)
def test_check_then_verify(folder, capsys, layer, sets):
    assert run(f"check {layer} --labels {sets} --rule threshold --out verdicts.jsonl") == 0
    said = capsys.readouterr()
    assert "4 labels, 2 dimensions, float32" in said.err
    biased = "W.npz" not in layer and not layer.endswith("--bias=")
    assert ("with a bias" in said.err) == biased
    assert "argmaxable" in said.out
    verdicts = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()]
    assert [v["labels"] for v in verdicts] == [[0, 1, 3], [], [0, 2], [1]]
    status = [v["status"] for v in verdicts]
    third = "argmaxable" if biased else "unargmaxable"  # with the bias z = (-0.4, 0.1) yields it
    assert status == ["argmaxable", "argmaxable", third, "unargmaxable"]
    assert run(f"verify verdicts.jsonl {layer}") == 0
    assert f"{status.count('argmaxable')} argmaxable, {status.count('unargmaxable')} unarg" in capsys.readouterr().out


def test_the_exit_status_for_continuous_integration(folder):
    check = "check --weights W.npz --labels sets.txt --out verdicts.jsonl"
    assert run(check) == 0
    assert run(f"{check} --fail-on-unargmaxable") == 1
    (folder / "sets.txt").write_text("0,1,3\n")
    assert run(f"{check} --fail-on-unargmaxable") == 0


def test_the_share_that_has_room_for_a_ball(folder, capsys):
    check = "check --weights W.npz --labels sets.txt --out v.jsonl --epsilon"
    assert run(f"{check} 1e-8 --jobs 2 --resume batches") == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split()[-1] == "ε-argmaxable"
    assert table[-1].split()[-2:] == ["50.00%", "50.00%"]
    assert list((folder / "batches").iterdir())
    assert run(f"{check} 1e9") == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[-1] == "0.00%"


def test_rules_and_other_formats(folder, capsys):
    (folder / "one.txt").write_text("0\n3\n")
    for rule in ("argmax", "top_k"):
        assert run(f"check --weights W.npz --labels one.txt --rule {rule} --out v.jsonl") == 0
        assert run("verify v.jsonl --weights W.npz") == 0
    np.save("w.npy", WEIGHT)
    np.save("b.npy", BIAS)
    assert run("check --weights w.npy --bias b.npy --labels sets.txt --out v.jsonl") == 0
    assert run("verify v.jsonl --weights w.npy --bias b.npy") == 0
    capsys.readouterr()
    assert run("verify v.jsonl --weights w.npy") == 2
    assert "line 1: bias is" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("check --weights none.npz --labels sets.txt --out v.jsonl", "No such file"),
        ("check --weights W.npz --labels none.txt --out v.jsonl", "No such file"),
        ("check --weights W.npz --labels sets.txt --out no/v.jsonl", "folder that exists"),
        ("check --weights W.npz --labels sets.txt --out .", "folder that exists"),
        ("check --weights wide.npz --labels sets.txt --out v.jsonl", "label id 3 is not one of the 2 labels, 0 .. 1"),
        ("check --weights . --bias no --transposed --labels sets.txt --out v.jsonl", "leave out --bias, --transposed"),
        ("check --weights W.npz --labels sets.txt --out v.jsonl --box 10", "give --epsilon too, or leave --box out"),
        ("check --weights W.npz --labels sets.txt --out v.jsonl --epsilon 1 --box inf", "at most 1e+06; given"),
        ("check --weights W.npz --labels twice.txt --out v.jsonl", "twice.txt, line 2: label id 3 is repeated"),
        ("count --labels 10000000000000000000 --dim 3", "n_labels must be at most 10000000, since"),
        ("check --weights W.npz --tensor out --labels sets.txt --out v.jsonl", "no tensor 'out'; it has weight"),
        ("check --weights two.npz --labels sets.txt --out v.jsonl", "name the weight by --tensor; it has a, c"),
        (
            "check --weights guess.npz --labels sets.txt --out v.jsonl",
            'its name by --bias, or --bias "" if there is none',
        ),
        (
            "check --weights pickled.npy --tensor a --labels sets.txt --out v.jsonl",
            "leave out --tensor 'a', or use .npz",
        ),
        ("check --weights wide.npz --labels sets.txt --out v.jsonl", "stored transposed: say --transposed if it is"),
        ("check --weights pickled.npy --labels sets.txt --out v.jsonl", "pickled arrays are refused"),
        ("check --weights nan.npy --labels sets.txt --out v.jsonl", "must be finite"),
        ("check --weights W.npz --labels far.txt --out v.jsonl", "label id 4 in set 1"),
        ("check --weights W.npz --labels other.txt --out v.jsonl", "is for 5 labels, but W.npz has 4"),
        ("check --weights W.npz --labels words.txt --out v.jsonl", "line 1: expected label ids"),
        ("check --weights W.npz --labels sets.txt --rule argmax --out v.jsonl", "argmax"),
        ("check --weights W.npz --labels sets.txt --out v.jsonl --epsilon -1", "epsilon must be at least 0"),
        ("check --weights W.npz --labels sets.txt --out v.jsonl --epsilon 1 --rule top_k", "threshold rule"),
        ("report . --out report.json", "is to be a page; give a name that ends with .html"),
        ("verify none.jsonl --weights W.npz", "No such file"),
        ("verify sets.txt --weights W.npz", "line 1: not a JSON object"),
        ("verify W.npz --weights W.npz", "line 1: not a JSON object"),
        ("count --labels 7 --dim 0", "dim must be at least 1; given 0"),
        ("count --labels 7 --dim 3 --cardinality 8", "between 0 and the number of labels, 7; given 8"),
    ],
)
def test_bad_input_is_one_clear_line_and_leaves_nothing(folder, capsys, command, message):
    np.save("pickled.npy", WEIGHT.astype(object), allow_pickle=True)
    np.save("nan.npy", np.full((3, 2), np.nan))
    np.savez("two.npz", a=WEIGHT, c=WEIGHT)
    np.savez("guess.npz", a=WEIGHT, c=BIAS)
    (folder / "far.txt").write_text("0\n0,4\n")
    (folder / "other.txt").write_text("1 1 5\n0\n")
    (folder / "words.txt").write_text("zero\n")
    (folder / "twice.txt").write_text("0\n3,3\n")
    np.savez("wide.npz", weight=np.ascontiguousarray(WEIGHT.T))
    before = sorted(p.name for p in folder.iterdir())
    assert run(command) == 2
    said = capsys.readouterr()
    *before_it, error = said.err.splitlines()
    assert message in error
    assert error.startswith(f"sigfft {command.split()[0]}: ")
    assert before_it in ([], ["4 labels, 2 dimensions, float32, no bias"])
    assert sorted(p.name for p in folder.iterdir()) == before


def test_what_cannot_be_written_is_told_before_the_work(folder, capsys, monkeypatch):
    monkeypatch.setattr("sigfft.files.label_sets.load_label_sets", lambda path: pytest.fail("work was begun"))
    name = f"{'v' * 240}.jsonl"  # a part's name is longer than a file's may be
    assert run(f"check --weights W.npz --labels sets.txt --out {name}") == 2
    assert re.fullmatch(r"sigfft check: .* too long: '.* \.\.\. v*\.jsonl'\n", capsys.readouterr().err)
    assert run(f"retrofit --weights W.npz --cardinality 1 --sets sets.txt --out {'v' * 300}.safetensors") == 2
    assert f"{'v' * 100}.safetensors'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        "check --weights W.npz --labels sets.jsonl --out sets.jsonl",
        "check --weights W.npz --labels sets.jsonl --names names.txt --out names.txt",
        "check --weights W.npz --labels sets.txt --out W.npz",
        "retrofit --weights model.safetensors --cardinality 1 --out model.safetensors",
        "reach --weights model.safetensors --out model.safetensors",
        "import --weights model.safetensors --kind bottleneck --out model.safetensors",
    ],
)
def test_what_is_read_is_not_overwritten(folder, capsys, command):
    (folder / "names.txt").write_text("a\nb\nc\nd\n")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert run(command) == 2
    assert "is read here, and would be lost; give another name to write to" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_proof_of_another_domain(folder, capsys):
    save_head("head.safetensors", head := dft_head(7, 2, feature_dim=16), head.init(jax.random.key(0)))
    assert run("reach --weights head.safetensors --domain nonnegative --out reach.json") == 0
    assert run("reach --weights head.safetensors --proof reach.json") == 0
    assert run("reach --weights head.safetensors --proof reach.json --domain nonnegative") == 0
    assert run("reach --weights head.safetensors --proof reach.json --domain=-5,3") == 2
    assert "reach.json is about features of the domain nonnegative; leave --domain out" in capsys.readouterr().err


def test_verdicts_of_a_transposed_layer_are_verified_gzipped_as_well(folder, capsys):
    np.save("wide.npy", np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32))
    (folder / "twelve.txt").write_text("2 3 12\n0,1 0:1\n11 1:1\n")
    assert run("check --weights wide.npy --labels twelve.txt --out v.jsonl.gz") == 0
    assert run("verify v.jsonl.gz --weights wide.npy --labels twelve.txt") == 0


def test_a_head_that_retrofit_wrote_is_checked_whole(folder, capsys):
    assert run("retrofit --weights model.safetensors --cardinality 1 --out head.safetensors") == 0
    assert run("check --weights head.safetensors --labels sets.txt --out v.jsonl") == 0
    said = capsys.readouterr()
    assert "4 labels, 2 dimensions, float32, with a bias; with the guarantee for 1 labels: 5 dimensions" in said.out
    assert "4 labels, 5 dimensions, float32, with a bias" in said.err
    assert run("verify v.jsonl --weights head.safetensors") == 0
    assert run("check --weights head.safetensors --tensor weight --labels sets.txt --out v.jsonl") == 2
    assert "leave out --tensor" in capsys.readouterr().err


def test_sets_that_failed_are_an_error(folder, capsys, monkeypatch):
    def breaks(*_, **__):
        raise MemoryError("no room")

    monkeypatch.setattr(working_set, "search", breaks)
    assert run("check --weights W.npz --labels sets.txt --out verdicts.jsonl --fail-on-unargmaxable") == 2
    assert "label sets failed (MemoryError: no room); run it again" in capsys.readouterr().err


def test_a_rule_is_named_before_the_work(folder, capsys):
    assert run("check --weights missing.npz --labels sets.txt --rule most --out v.jsonl") == 2
    assert "unknown rule 'most'; the rules are threshold, argmax, top_k" in capsys.readouterr().err
    assert run("check --weights W.npz --labels sets.txt --rule top_k --out v.jsonl") == 0


def test_an_interrupt_is_one_line(folder, capsys, monkeypatch):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("sigfft.files.label_sets.load_label_sets", interrupted)
    assert run("check --weights W.npz --labels sets.txt --out v.jsonl") == 130
    assert capsys.readouterr().err == "sigfft check: interrupted\n"


def test_verify_rejects_other_weights_and_truncated_files(folder, capsys):
    assert run("check --weights W.npz --labels sets.txt --out v.jsonl") == 0
    np.savez("other.npz", weight=WEIGHT * 2)
    whole = (folder / "v.jsonl").read_text()
    capsys.readouterr()
    assert run("verify v.jsonl --weights other.npz") == 2
    assert "line 1: weight is" in capsys.readouterr().err
    (folder / "v.jsonl").write_text(whole[:-20])
    assert run("verify v.jsonl --weights W.npz") == 2
    assert "line 4: not a JSON object; the file may be truncated" in capsys.readouterr().err


@pytest.mark.parametrize("sets", ["sets.txt", "sets.jsonl", "xmc.txt"])
def test_verify_asks_for_a_verdict_on_each_set_of_a_file(folder, capsys, sets):
    assert run("check --weights W.npz --labels sets.txt --out v.jsonl") == 0
    capsys.readouterr()
    assert run(f"verify v.jsonl --weights W.npz --labels {sets}") == 0
    assert f"2 unargmaxable, 0 undecided; each of the 4 label sets of {sets} has a verdict" in capsys.readouterr().out
    (folder / "more.txt").write_text("1\n0,3\n")
    (folder / "other.txt").write_text("1 1 5\n0\n")
    (folder / "none.txt").write_text("")
    missing = "no verdict on set 1 of the label sets, [0, 3]"
    for file, message in (("more.txt", missing), ("other.txt", "is for 5 labels"), ("none.txt", "holds no label set")):
        assert run(f"verify v.jsonl --weights W.npz --labels {file}") == 2
        assert message in capsys.readouterr().err


def test_a_verdict_file_may_have_a_byte_order_mark_and_blank_lines(folder):
    np.save("square.npy", WEIGHT[:2])
    (folder / "sets.txt").write_text("0,1\n")
    assert run("check --weights square.npy --labels sets.txt --out v.jsonl") == 0
    (folder / "v.jsonl").write_text("\ufeff\n" + (folder / "v.jsonl").read_text() + "\n")
    assert run("verify v.jsonl --weights square.npy") == 0


def test_count(capsys):
    assert run("count --labels 7 --dim 3 --cardinality 2") == 0
    said = capsys.readouterr().out
    assert "all label sets: 44 of 128 argmaxable" in said
    assert "sets of exactly 2: 7 of 21 argmaxable" in said
    assert "sets of at most 2: 15 of 29 argmaxable" in said
    assert run("count --labels 8921 --dim 51") == 0
    assert "1.900637e+133 of 3.080288e+2685 argmaxable, log10 share -2552.21" in capsys.readouterr().out
    assert run("count --labels 3 --dim 5 --cardinality 3") == 0
    assert "all label sets: 8 of 8 argmaxable, log10 share 0" in capsys.readouterr().out


def test_wrong_usage():
    for wrong in ("", "most", "check --weights W.npz", "count --labels x --dim 3"):
        with pytest.raises(SystemExit) as stop:
            run(wrong)
        assert stop.value.code == 2
