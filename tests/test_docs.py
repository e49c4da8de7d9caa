"""Every block and command of README, the documentation and the help runs, on tiny data where it says other names."""

import ast
import contextlib
import doctest
import gzip
import importlib
import io
import re
import shlex
import sys
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest
import scenes
import written
from safetensors.numpy import save_file

import sigfft
from sigfft import argmaxability, cli, figures, heads, losses, manual, metrics, serving, training
from sigfft.training.config_checks import check_values
from sigfft.training.config_files import config_of
from sigfft.training.sweep.tables import Tables

CODE = {
    code: f"{page.stem} {number}" for page in written.DOCS for number, code in enumerate(written.blocks(page, "python"))
}
OF_README = set(written.blocks(written.README, "python"))
PAGES = [written.README, *written.DOCS]
OTHERS = ("python3 -m venv .venv", "source .venv/bin/activate", ".venv/bin/python -m pytest -n 2")
SMALLER = {  # sizes that take long, as a test has them
    "--labels 20000 --cardinality 50": "--labels 12 --cardinality 1",
    "--labels 8921 --cardinality 80": "--labels 12 --cardinality 1",
    "--cardinality 10 --spread 100": "--cardinality 1 --spread 1",
    "--features 256": "--features 40",
    "--labels 8921": "--labels 892",
}
SWEPT = Tables(Path("sweep.csv"), Path("sweep_curves.csv"), 6, 1, 30, ["a note"], ["sigmoid"])
TINY = "--config.optim.steps=4 --config.optim.warmup_steps=1 --config.eval.every=4 --config.encoder.dim=40"
TINY += " --config.optim.batch_size=16 --config.data.min_count=1 --config.data.cache_dir=cache"


def every_command():
    """Each command once, with sizes of a test, in the order of the pages; the help's are the last."""
    shown = [command for page in PAGES for command in written.commands(page)]
    shown += "\n".join(manual.EXAMPLES.values()).splitlines()
    for long, short in SMALLER.items():
        shown = [command.replace(long, short) for command in shown]
    return dict.fromkeys(shown)


@pytest.mark.parametrize("code", [code for code in CODE if code not in OF_README], ids=CODE.get)
def test_blocks_run(code, tmp_path, capsys):
    said = written.runs(code, tmp_path, capsys)
    assert said
    if "for _ in range(3)" in code:  # a model that is trained
        first, second, third = map(float, said)
        assert first > second > third > 0
    if "np.full(200, -2" in code:  # what the quick start says of its three sets
        assert said == ["['argmaxable' 'unargmaxable' 'unargmaxable']"]
    if "splits=" in code:
        counts = ast.literal_eval(said[-1])
        assert counts["checked"] == counts["argmaxable"] + counts["unargmaxable"] > 50
        assert (tmp_path / "runs" / "arrays" / "report.json").exists()
    if "serving.save" in code:
        answers = ast.literal_eval(said[0].replace("Named(name=", "(").replace("probability=", ""))
        assert [len(answer) for answer in answers] == [3, 3]
        assert all(name.startswith("label ") and 0 < share < 1 for answer in answers for name, share in answer)


def docstrings():
    """Those that hold examples, with their modules."""
    for path in sorted((written.ROOT / "sigfft").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if ">>>" in text else ():
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and ">>>" in (ast.get_docstring(node) or ""):
                module = ".".join(path.relative_to(written.ROOT).with_suffix("").parts)
                yield pytest.param(module, ast.get_docstring(node), id=f"{path.stem}.{node.name}")


@pytest.mark.parametrize(("module", "text"), list(docstrings()))
def test_examples_of_docstrings_hold(module, text):
    names = {**vars(importlib.import_module(module)), "sigfft": sigfft}
    example = doctest.DocTestParser().get_doctest(text, names, module, None, None)
    found = doctest.DocTestRunner().run(example)
    assert found.failed == 0
    assert found.attempted == text.count(">>>")


def stage(folder):
    """The files that commands name, of seven labels: those of `scenes`."""
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(7, 3)).astype(np.float32), np.zeros(7, np.float32)
    save_file({"classifier.weight": weight, "classifier.bias": bias}, folder / "model.safetensors")
    np.savez(folder / "W.npz", weight=weight)
    projection = {
        "proj.weight": rng.normal(size=(5, 6)),
        "proj.bias": np.zeros(5),
        "Ws.weight": rng.normal(size=(7, 2)),
    }
    save_file(
        {name: value.astype(np.float32) for name, value in projection.items()}, folder / "paper_model.safetensors"
    )
    (folder / "label_names.txt").write_text("a\nb\nc\nd\ne\nf\ng\n")
    (folder / "sets.txt").write_text("0,4\n1\n2,5\n")
    (folder / "test.txt").write_text("there is a red circle\nthere is a blue square\n")
    (folder / "test.txt.gz").write_bytes(gzip.compress(b"2 3 7\n0,4 0:1\n1,5 1:1\n"))
    scenes.write_texts(folder / "FOLDER")


def test_commands_run(tmp_path, monkeypatch, capsys):
    stage(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sigfft.doctor.heads", lambda: "tried by a test of its own")
    for name in ("run_sweep", "tables_of"):  # swept by tests of their own
        monkeypatch.setattr(f"sigfft.training.sweep.{name}", lambda workdir, *_, **__: SWEPT)
    monkeypatch.setattr("sigfft.explorer.server.serve", lambda session, port, told: told("served by a test of its own"))
    with jax.numpy_dtype_promotion("standard"):
        run_all(monkeypatch, capsys)


def run_all(monkeypatch, capsys):
    """A run on the texts of the stage, then every command."""
    trained = cli.main(shlex.split(f"train --config.data.dir=FOLDER --workdir=runs/mine {TINY}"))
    assert trained == 0, capsys.readouterr().err
    failed, ran = {}, set()
    for command in every_command():
        status = outcome(command, monkeypatch)
        said = capsys.readouterr()
        if status != 0:
            failed[command] = said.err or status
        ran.add(command.split()[1])
    assert failed == {}
    assert ran >= manual.EXAMPLES.keys()


def outcome(command, monkeypatch):
    """0 where a command ran, or where another program's names what exists."""
    piped = re.fullmatch(r"echo (.+?) \| (.+)", command)
    if piped:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(shlex.split(piped[1])[0].encode())))
        command = piped[2]
    command = re.sub(r"^(\.venv/bin/)?python (train|sweep)\.py", r"sigfft \2", command)
    if command.startswith(("sigfft train", "sigfft  train")):
        return trains(shlex.split(command)[2:])
    if command.startswith("sigfft "):
        return cli.main(shlex.split(command)[1:])
    if program := re.match(r"python ((?:examples|benchmarks)/\w+\.py)", command):
        return 0 if (written.ROOT / program[1]).exists() else "no such program"
    if extras := re.fullmatch(r"\.venv/bin/pip install -e '\.\[([\w,]+)\]'", command):
        known = tomllib.loads((written.ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        return 0 if set(extras[1].split(",")) <= known.keys() else "no such extra"
    return 0 if command in OTHERS else "neither a command of sigfft nor one that is known"


def trains(arguments):
    """0 where the flags make a valid config; one such run was made before."""
    args, overrides = cli.parser().parse_known_args(["train", *arguments])
    own_data = "--config.data.dir=FOLDER" in overrides
    with contextlib.chdir(written.ROOT):
        check_values(config_of(args.config or ("auto" if own_data else "demo"), overrides))
    return 0


def test_every_command_has_its_example(capsys):
    assert cli._COMMANDS.keys() == manual.EXAMPLES.keys()
    for command, examples in manual.EXAMPLES.items():
        with pytest.raises(SystemExit) as stop:
            cli.main([command, "--help"])
        said = capsys.readouterr().out
        assert stop.value.code == 0
        assert all(f"  {line}" in said for line in examples.splitlines())
        reads_sets = "also .gz" in " ".join(said.split()) or "--sets" in said
        assert ("one a line; label ids count from 0" in said) == reads_sets
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert manual.EXIT_STATUS in capsys.readouterr().out


def test_formats_of_label_sets_are_as_the_help_says(tmp_path):
    from sigfft.files.label_sets import load_label_sets

    for name, text in {
        "a.txt": "3,17,20\n\n",
        "a.jsonl": "[3, 17, 20]\n[]\n",
        "a": "2 9 21\n3,17,20 5:0.1 8:0.7\n 1:1\n",
    }.items():
        assert all(line in manual.LABEL_SETS for line in text.splitlines()[:1] if name != "a")
        (tmp_path / name).write_text(text)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
        assert load_label_sets(tmp_path / name)[0] == load_label_sets(tmp_path / f"{name}.gz")[0] == [[3, 17, 20], []]


def test_the_reference_has_every_public_name():
    pages = "\n".join(page.read_text(encoding="utf-8") for page in written.DOCS if page.parent.name == "api")
    parts = {"sigfft": sigfft, "sigfft.argmaxability": argmaxability, "sigfft.heads": heads, "sigfft.losses": losses}
    parts |= {"sigfft.metrics": metrics, "sigfft.serving": serving, "sigfft.training": training}
    parts["sigfft.figures"] = figures
    modules = set(re.findall(r"automodule:: ([\w.]+)", pages))
    documented = set(re.findall(r"(?:auto\w+|py:\w+):: ([\w.]+)", pages))
    documented = {name.rpartition(".")[2] for name in documented} | {name.rpartition(".")[2] for name in modules}
    for name, part in parts.items():
        own = {public for public, value in vars(part).items() if _is_own(public, value)}
        assert own - documented - OF_CODE == set(), name


OF_CODE = {"needs"}  # which extra a part needs


def _is_own(name, value):
    return not name.startswith("_") and getattr(value, "__module__", "").startswith("sigfft")


@pytest.mark.parametrize("page", written.DOCS, ids=lambda page: page.stem)
def test_a_page_begins_with_its_title(page):
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# ") or page.stem == "changelog"
    assert not [
        path
        for path in re.findall(r"\b(?:benchmarks|configs|examples|tests)/\w+\.py\b", text)
        if not (written.ROOT / path).exists()
    ]
