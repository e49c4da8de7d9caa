"""The command `sigfft sweep`: what it hands on, what it says, and how it ends."""

import re
from pathlib import Path

import pytest

from sigfft import cli
from sigfft.training.preemption import Preempted
from sigfft.training.sweep import FAMILIES, Grid
from sigfft.training.sweep.tables import Tables

TABLES = Tables(Path("s.csv"), Path("s_curves.csv"), 6, 1, 30, ["sigmoid: no rate finished"], ["dft_spread_d50"])


def test_flags_become_a_grid(monkeypatch, capsys):
    calls = []
    monkeypatch.setattr("sigfft.training.sweep.run_sweep", lambda *given, **ways: calls.append((given, ways)) or TABLES)
    flags = "--families=sigmoid,dft_spread --dims=25,50 --seeds=3 --rates=0.5,1 --processes=2 --shard=1/2 --csv=s.csv"
    assert cli.main(["sweep", *flags.split(), "--config.optim.steps=500", "--workdir=here"]) == 0
    ((config, workdir, grid), ways) = calls[0]
    assert (config.name, config.optim.steps, workdir) == ("demo", 500, Path("here"))
    assert grid == Grid(["sigmoid", "dft_spread"], [25, 50], [3], [0.5, 1.0])
    assert ways == {"processes": 2, "shard": (1, 2), "csv": Path("s.csv"), "retry": False}
    assert cli.main(["sweep", "--dims=25"]) == 0
    usual = ["sigmoid", "bottleneck", "bottleneck_random", "dft_slack", "dft_spread", "dft_spread_slack"]
    assert calls[1][0][2] == Grid(usual, [25], [0, 1, 2], [0.25, 0.5, 1.0, 2.0, 4.0])
    assert capsys.readouterr().out.splitlines()[:4] == [
        "sigmoid: no rate finished",
        "still to be trained: dft_spread_d50",
        "s.csv: 6 runs that finished, 1 that failed",
        "s_curves.csv: 30 evaluations",
    ]


def test_help_names_every_family(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit):
        cli.main(["sweep", "--help"])
    named = set(re.findall(r"\w+", capsys.readouterr().out))
    assert named >= set(FAMILIES)


def test_it_ends_as_the_signal_says(monkeypatch, capsys):
    def ended(*_, **__):
        raise Preempted("ended by SIGTERM after step 12, which is saved", 143, Path("runs/sweep"))

    monkeypatch.setattr("sigfft.training.sweep.run_sweep", ended)
    assert cli.main(["sweep", "--dims=25"]) == 143
    line = "sigfft sweep: ended by SIGTERM after step 12, which is saved; the same command goes on\n"
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--dims=25,x", "--dims=25,x must be whole numbers, separated by commas"),
        ("--dims=25 --rates=1,", "--rates=1, must be numbers, separated by commas"),
        ("", "dims is empty; give at least one, such as dims=25,50"),
        ("--dims=25 --families=", "families is empty; give at least one"),
        ("--dims=25 --shard=3/2", "shard 3/2 is none; expected i/n with i from 0 to n - 1, such as 0/2"),
        ("--dims=25 --shard=half", "--shard=half must be I/N, such as 0/2"),
        ("--dims=25 --config.hed.kind=dft", "the nearest is --config.head.kind="),
        ("--dims=25 --families=dtf", "there is no family 'dtf'; expected sigmoid"),
        ("--tables-only", "holds no sweep: sweep.json is missing"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, capsys, flags, message):
    assert cli.main(["sweep", f"--workdir={tmp_path / 'sweep'}", *flags.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sigfft sweep: ")
    assert message in line
    assert not (tmp_path / "sweep").exists()
