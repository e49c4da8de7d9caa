"""Bad input of every kind ends a command with one line of at most 300 characters, never with a traceback."""

import json
import resource
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

import sigfft
from sigfft import answers
from sigfft.cli import main
from sigfft.training.config import Config
from sigfft.training.config_checks import check_values
from sigfft.training.config_files import config_of

WEIGHT = np.array([[1.0, 0], [2, 0], [0, 1], [1, 1]], np.float32)
LONG, HUGE = "x" * 5000, "1" + "0" * 30


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("W.npz", weight=WEIGHT)
    (tmp_path / "sets.txt").write_text("0,1,3\n\n0,2\n1\n")
    return tmp_path


def line_of(capsys, *command):
    """The one line with which a command refuses its input."""
    try:
        status = main(command)
    except SystemExit as end:
        status = end.code
    *usage, line = capsys.readouterr().err.splitlines()
    assert status == 2
    assert all(not before.startswith(("Traceback", "  File")) for before in usage)
    assert line.startswith(f"sigfft {command[0]}: ")
    assert len(line) <= 300
    return line


CHECK = ("check", "--weights=W.npz", "--labels=sets.txt", "--out=v.jsonl")
PLAN = ("plan", "--labels=20", "--cardinality=2", "--samples=20", "--share=0.5")
RETROFIT = ("retrofit", "--weights=W.npz", "--cardinality=1", "--out=f.safetensors")


@pytest.mark.parametrize(
    ("command", "flag", "message"),
    [
        (CHECK, "--tensor=", "has no tensor ''; it has weight"),
        (CHECK, f"--tensor={LONG}", "'; it has weight"),
        (CHECK, f"--rule={LONG}", "the rules are threshold, argmax, top_k"),
        (CHECK, f"--domain={LONG}", "domain must be 'any'"),
        (CHECK, f"--labels={LONG}", "File name too long"),
        (CHECK, f"--epsilon={LONG}", "argument --epsilon: invalid float value"),
        (CHECK, f"--jobs={HUGE}", "at most 4096, or -1 for all cores"),
        (CHECK, "--labels=a\0b", "null"),
        (("count", "--dim=5"), f"--labels={'9' * 5000}", "argument --labels: invalid int value"),
        (PLAN, f"--labels={HUGE}", "n_labels=1000000000000000000000000000000 must be at most 2147483647"),
        (PLAN, "--samples=9223372036854775808", "samples=9223372036854775808 must be at most"),
        (PLAN, "--samples=2000000000", "samples=2000000000 must be at most 1000000"),
        (PLAN, f"--features={HUGE}", "feature_dim=1000000000000000000000000000000 must be at most"),
        (PLAN, f"--slack={HUGE}", "slack=1000000000000000000000000000000 must be at most"),
        (PLAN, f"--n-fft={HUGE}", "n_fft=1000000000000000000000000000000 must be at most 536870912"),
        (RETROFIT, f"--n-fft={HUGE}", "n_fft=1000000000000000000000000000000 must be at most 536870912"),
        (("predict", "--workdir=.", "--input=sets.txt", "--output=o.tsv"), f"--head={LONG}", "report.json is missing"),
    ],
)
def test_hostile_flags(folder, capsys, command, flag, message):
    before = sorted(folder.iterdir())
    assert message in line_of(capsys, *command, flag)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("eval.ks=abc", "eval.ks=['abc'] must be whole numbers, such as (1, 5)"),
        ("eval.ks=(1, 2.5)", "eval.ks=[1, 2.5] must be whole numbers"),
        (f"eval.ks=({HUGE},)", "must be at most 2147483647"),
        ("seed=9223372036854775808", "seed=9223372036854775808 must be at most 9223372036854775807"),
        (f"head.n_fft={HUGE}", "must be at most 2147483647"),
        (f"optim.steps={HUGE}", "must be at most 2147483647"),
        ("optim.learning_rate=inf", "optim.learning_rate=inf must be finite"),
        ("eval.propensity_b=nan", "eval.propensity_b=nan must be finite"),
        ("data.synthetic.noise=nan", "data.synthetic.noise=nan must be finite"),
        ("data.synthetic.n_labels=1", "n_labels=1 is too few for a hierarchy"),
        ("data.synthetic.n_train=0", "n_train=0 must be at least 1"),
        ("name=", "name='' must be what a folder can be called"),
        ("name=../..", "name='../..' must be what a folder can be called"),
        ("name=a\0b", "must be what a folder can be called"),
        (f"encoder.dim={LONG}", "flag --config.encoder.dim=xxx"),
        (f"encoder.normalise={LONG}", "flag --config.encoder.normalise=xxx"),
    ],
)
def test_hostile_values_of_a_config(flag, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in line_of(capsys, "train", "--workdir=run", f"--config.{flag}")
    assert not list(tmp_path.iterdir())


def test_a_value_of_another_type_in_a_config_of_ones_own():
    config = Config()
    check_values(config)
    config.optim.steps = "5"
    with pytest.raises(ValueError, match=r"^optim\.steps='5' must be int$"):
        check_values(config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def get_config(:\n", "SyntaxError"),
        ("", "own.py: get_config() fails: KeyError"),
        ("def get_config():\n    return 1 / 0\n", "own.py, line 2: get_config() fails: ZeroDivisionError"),
    ],
)
def test_a_config_file_that_fails_is_named(text, message, tmp_path):
    path = tmp_path / "own.py"
    path.write_text(text)
    with pytest.raises(ValueError, match="get_config") as error:
        config_of(str(path), [])
    assert message in str(error.value)


def test_a_long_message_keeps_its_ends():
    line = answers.one_line("sigfft check: " + "é\n" * 999 + "\0 say what to do")
    assert len(line) == 300
    assert line.startswith("sigfft check: é é é")
    assert line.endswith(" é \\x00 say what to do")
    assert answers.one_line("a  b\nc") == "a b c"


def test_memory_that_runs_out_is_a_line(folder, capsys, monkeypatch):
    def greedy(_):
        raise MemoryError("Unable to allocate 32.0 GiB")

    monkeypatch.setattr("sigfft.files.label_sets.load_label_sets", greedy)
    assert "not enough memory (Unable to allocate 32.0 GiB); use smaller sizes" in line_of(capsys, *CHECK)


@pytest.fixture
def small_disk():
    """Files may have 4 KiB: what is beyond is refused as a full disk would."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limits")
def test_a_full_disk_is_a_line_and_leaves_no_part(folder, capsys, small_disk):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    np.savez("large.npz", weight=np.random.default_rng(0).normal(size=(1000, 2)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    (folder / "many.txt").write_text("\n".join(map(str, range(40))))
    before = sorted(folder.iterdir())
    line = line_of(capsys, "retrofit", "--weights=large.npz", "--cardinality=1", "--out=f.safetensors")
    assert line.endswith("File too large; free some space or write elsewhere, then run it again: 'f.safetensors'")
    line = line_of(capsys, "check", "--weights=large.npz", "--labels=many.txt", "--out=v.jsonl")
    assert line.endswith("free some space or write elsewhere, then run it again: 'v.jsonl'")
    assert sorted(folder.iterdir()) == before


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limits")
def test_a_cache_without_room_is_a_line(folder, capsys, small_disk):
    sizes = {"n_labels": 30, "n_train": 200, "n_dev": 0, "n_test": 1, "mean_cardinality": 2, "max_cardinality": 4}
    flags = [f"--config.data.synthetic.{name}={size}" for name, size in sizes.items()]
    line = line_of(capsys, "train", "--workdir=run", "--config.data.cache_dir=cache", *flags)
    assert "File too large; free some space or write elsewhere, then run it again: 'cache/synthetic/" in line
    assert not [path for path in folder.rglob("*") if "record" in path.name or path.name == "run"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"n_labels": 10**30, "dim": 2, "feature_dim": 3},
        {"n_labels": 6, "dim": 10**30, "feature_dim": 3},
        [6, 2, 3],
        {"n_labels": [6], "dim": 2, "feature_dim": {}},
    ],
)
def test_a_head_of_hostile_sizes(arguments, folder, capsys):
    metadata = {"kind": "bottleneck", "arguments": json.dumps(arguments)}
    save_file({"weight": WEIGHT}, "h.safetensors", metadata)
    assert "h.safetensors holds tensors but no head" in line_of(capsys, "reach", "--weights=h.safetensors")


def test_deep_nesting_is_a_line(folder, capsys):
    deep = "[" * 100_000
    (folder / "deep.jsonl").write_text(deep + "\n")
    assert "deep.jsonl, line 1: expected a JSON list" in line_of(capsys, *CHECK[:2], "--labels=deep.jsonl", CHECK[3])
    assert "line 1: not a JSON object" in line_of(capsys, "verify", "deep.jsonl", "--weights=W.npz")
    head = sigfft.sigmoid_head(4, feature_dim=2)
    shapes = jax.eval_shape(head.init, jax.random.key(0))
    sigfft.save_head("h.safetensors", head, {name: jnp.zeros(p.shape) for name, p in shapes.items()})
    huge = dict.fromkeys(("status", "domain", "up_to_scale", "dim", "rank", "columns", "against", "projection"))
    (folder / "huge.json").write_text(json.dumps({**huge, "balance": [10**400]}))
    assert "OverflowError" in line_of(capsys, "reach", "--weights=h.safetensors", "--proof=huge.json")
    assert "not a file that Reach.save wrote" in line_of(
        capsys, "reach", "--weights=h.safetensors", "--proof=deep.jsonl"
    )
