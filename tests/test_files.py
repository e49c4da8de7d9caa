import os

import pytest

from sigfft.files import replacing


def test_a_file_is_replaced_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    with replacing(path) as part:
        part.write_text("new")
        assert part.suffix == ".json"
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_a_block_that_raises_leaves_what_was_there(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")

    def half():
        with replacing(path) as part:
            part.write_text("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_others_may_read_it_as_far_as_the_umask_lets_them(tmp_path):
    before = os.umask(0o022)
    try:
        with replacing(tmp_path / "a.txt") as part:
            part.write_text("a")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644
