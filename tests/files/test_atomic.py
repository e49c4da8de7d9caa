import os
import threading

import pytest

from sigfft.files import check_writable, replacing, write_text


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


def test_a_file_that_is_read_is_not_written_to_under_any_of_its_names(tmp_path):
    read, link, other = (tmp_path / name for name in ("sets.txt", "link.txt", "other.txt"))
    read.write_text("0,1")
    link.symlink_to(read)
    other.write_text("0,1")
    for path in (read, link, tmp_path / ".." / tmp_path.name / "sets.txt"):
        with pytest.raises(ValueError, match="is read here, and would be lost; give another name to write to"):
            check_writable(path, None, tmp_path / "none.txt", read)
    check_writable(other, read)
    check_writable(tmp_path / "new.txt", read)


def test_who_may_read_what_was_there_may_read_what_comes(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("old")
    path.chmod(0o600)
    write_text(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)


def test_others_may_read_it_as_far_as_the_umask_lets_them(tmp_path):
    before = os.umask(0o022)
    try:
        with replacing(tmp_path / "a.txt") as part:
            part.write_text("a")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_what_is_no_regular_file_is_written_to_itself(tmp_path):
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()), daemon=True)
    reader.start()
    check_writable(pipe)
    write_text(pipe, "new")
    reader.join(timeout=10)
    assert heard == ["new"]
    assert pipe.is_fifo()
    (tmp_path / "null").symlink_to(os.devnull)  # a mistake replaces the link, not the machine's device
    write_text(tmp_path / "null", "new")
    assert (tmp_path / "null").is_symlink()
    assert (tmp_path / "null").is_char_device()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["null", "pipe"]


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link.json").symlink_to("there/report.json")
    for text in ("first", "second"):
        check_writable(tmp_path / "link.json")
        write_text(tmp_path / "link.json", text)
        assert (tmp_path / "link.json").is_symlink()
        assert (tmp_path / "there" / "report.json").read_text() == text
    assert [p.name for p in (tmp_path / "there").iterdir()] == ["report.json"]


@pytest.mark.parametrize("name", ["none/a.txt", "file/a.txt", "a" * 300, "folder"])
def test_what_cannot_be_written_is_told_by_its_own_name(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for write in (check_writable, lambda path: write_text(path, "new")):
        with pytest.raises(OSError, match=f"'{tmp_path / name}'$"):
            write(tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
