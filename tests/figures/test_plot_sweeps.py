"""The script that draws a sweep: which files it writes, what it leaves out, and what it refuses."""

import importlib
import sys
from pathlib import Path

import pytest
import swept

import sigfft
from sigfft import figures

BENCHMARKS = Path(sigfft.__file__).parents[1] / "benchmarks"


@pytest.fixture
def plot(monkeypatch, tmp_path):
    """Runs the script with arguments; gives the figures that it saves, which are not drawn, by the names of files."""
    saved = {}
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    script = importlib.import_module("plot_sweeps")
    monkeypatch.setattr(figures, "save", lambda figure, path: saved.setdefault(path.name, figure))
    monkeypatch.setattr(script, "LATTICES", ((4, 1), (7, 1)))  # quicker to check than those of six and ten

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["plot_sweeps.py", *map(str, arguments), "--out", str(tmp_path)])
        script.main()
        return saved

    return run


def test_one_command_draws_all_and_writes_tables(plot, tmp_path, capsys):
    runs = swept.rows(families=("bottleneck", "bottleneck_random", "dft_spread"), dims=(25, 50), seeds=(0, 1))
    table = swept.write(tmp_path / "tate.csv", runs)
    sets = tmp_path / "sets.txt"
    sets.write_text("1,2\n3\n")
    saved = plot(table, "--metrics", "P@1", "--labels", f"mine={sets}", "openimages_shaped", "--layers")
    names = ["scores", "pareto_P_1", "argmaxable", "argmaxable_epsilon", "training_tate", "race", "radius_in_training"]
    names += ["cardinalities", "hasse_4", "hasse_7", "radius_against_n"]
    assert list(saved) == [f"{name}.{suffix}" for name in names for suffix in ("png", "svg")]
    mine, shaped = (axis.get_title(loc="left") for axis in saved["cardinalities.png"].axes)
    assert mine == "mine: mean 1.5, largest 2"
    assert shaped.startswith("openimages_shaped: mean 6.0, largest ")
    titles = [axis.get_title(loc="left").rpartition(": ")[2] for axis in saved["hasse_7.png"].axes]
    assert titles == ["44 of 128 label sets"] * 3
    assert (tmp_path / "tables.md").read_text().startswith("Test P@1 of full rank")
    assert "| bottleneck, d = 25 |" in (tmp_path / "tables.md").read_text()
    assert r"\toprule" in (tmp_path / "tables.tex").read_text()
    assert "left out" not in capsys.readouterr().out


def test_what_nothing_measured_is_left_out_with_a_line(plot, tmp_path, capsys):
    saved = plot(swept.write(tmp_path / "tate.csv", [swept.row("tate", "dft", 50, 0)], curves=False))
    assert "race.png" not in saved
    assert "scores.png" in saved
    assert "race: left out, no run has a bottleneck of its d, seed and data set" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "none.csv"),
        (["--labels", "demo_shaped"], "--labels takes NAME=FILE, or a config of synthetic data; given 'demo_shaped'"),
        (["--labels", "xmc"], "given 'xmc'"),
    ],
)
def test_a_wrong_input_writes_nothing(plot, tmp_path, arguments, message):
    with pytest.raises(SystemExit, match=message):
        plot(*arguments)
    assert list(tmp_path.iterdir()) == []
