"""The script train.py and its configs, as a user starts them."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sigfft.cli import main
from sigfft.training.prediction import predict_file

ROOT = Path(__file__).parent.parent
SMALL = [
    "--config.data.synthetic.n_labels=60",
    "--config.data.synthetic.n_train=256",
    "--config.data.synthetic.n_dev=64",
    "--config.data.synthetic.n_test=64",
    "--config.data.synthetic.mean_cardinality=3",
    "--config.data.synthetic.max_cardinality=5",
    "--config.optim.steps=12",
    "--config.optim.warmup_steps=3",
    "--config.eval.every=6",
    "--config.head.spread=5",
]


def train(*arguments):
    environment = {**os.environ, "XLA_FLAGS": ""}
    command = [sys.executable, str(ROOT / "train.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_demo_runs_with_overrides(tmp_path):
    done = train(*SMALL, f"--workdir={tmp_path / 'run'}", f"--config.data.cache_dir={tmp_path / 'cache'}")
    assert done.returncode == 0, done.stderr
    assert "bottleneck d=" in done.stdout
    assert "dft k=5 spread=5" in done.stdout
    assert (tmp_path / "run" / "report.json").exists()


def test_any_data_set_needs_no_flag(tmp_path):
    """With few labels, of which one example has more than half."""
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        lines = ["40 20 10", "0,1,2,3,4,5,6 1:1 2:0.5"]
        lines += [f"{random.integers(10)} {random.integers(19)}:1 19:0.5" for _ in range(39)]
        (tmp_path / f"{split}.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    run, short = tmp_path / "run", ["--config.optim.steps=6", "--config.optim.warmup_steps=1"]
    options = ["--config=configs/xmc.py", f"--config.data.dir={tmp_path}", f"--workdir={run}", *short]
    done = train(*options, f"--config.data.cache_dir={tmp_path / 'cache'}")
    assert done.returncode == 0, done.stderr
    assert "do not reach" not in done.stderr
    (entry,) = json.loads((run / "report.json").read_text())["heads"]
    assert (entry["head"]["max_cardinality"], entry["head"]["n_fft"], entry["head"]["spread"]) == (7, 15, 0)
    assert entry["argmaxability"]["unargmaxable"] == 0
    assert predict_file(run, tmp_path / "test.txt.gz", tmp_path / "top.tsv").points == 40


def test_script_is_short():
    assert len((ROOT / "train.py").read_text().splitlines()) < 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config.head.max_cardinalty=5"], "the nearest is --config.head.max_cardinality="),
        (["--config.hed.kind=dft"], "unknown config key 'hed.kind'; the nearest is --config.head.kind="),
        (["--config.head.options.width=5"], "'head.options.width' is one of a config file"),
        (["--config.optim.steps=many"], "--config.optim.steps=many"),
        (["--config.optim.steps=50"], "optim.warmup_steps=100 must be less than optim.steps=50"),
        (["--resume", "--workdir="], "--resume needs the --workdir"),
        (["--config=configs/none.py"], "configs/none.py"),
        (["--config=configs/xmc.py", "--config.data.dir=no/such/folder"], "no/such/folder"),
        (["--config.head.max_cardinality=500"], "lower max_cardinality to at most 499"),
    ],
    ids=lambda value: value[-1].lstrip("-") if isinstance(value, list) else "",
)
def test_bad_input_is_named_and_leaves_nothing(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(ROOT)
    cache = f"--config.data.cache_dir={tmp_path / 'cache'}"
    assert main(["train", f"--workdir={tmp_path / 'run'}", *arguments, cache]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()
