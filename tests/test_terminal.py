"""Tables that are wider than the terminal."""

import sys

import pytest

from sigfft.terminal import fitted, in_blocks

TABLE = """\
head              best step  P@1  on features
---------------------------------------------
dft k=5 spread=6        500  0.9            1
sigmoid                  40  0.8           12"""


def test_columns_stay_whole_and_rows_keep_their_head():
    assert in_blocks(TABLE, 45) == TABLE
    assert (
        in_blocks(TABLE, 44)
        == """\
head              best step  P@1
--------------------------------
dft k=5 spread=6        500  0.9
sigmoid                  40  0.8

head              on features
-----------------------------
dft k=5 spread=6            1
sigmoid                    12"""
    )


@pytest.mark.parametrize("width", [1, 20, 30, 40])
def test_nothing_is_lost(width):
    blocks = in_blocks(TABLE, width).split("\n\n")
    assert all(block.startswith("head ") and "sigmoid" in block for block in blocks)
    kept = [word for block in blocks for line in block.split("\n") for word in line.split()[1:]]
    assert {"0.9", "500", "12", "P@1"} <= set(kept)
    assert len(blocks) == {1: 3, 20: 3, 30: 3, 40: 2}[width]


def test_only_a_terminal_has_a_width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert fitted(TABLE) == TABLE
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert max(map(len, fitted(TABLE).split("\n"))) <= 30
