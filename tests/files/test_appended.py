import resource

import pytest

from sigfft.files.appended import AppendedFile, keep_only


@pytest.fixture
def limit():
    """Sets how long files can get, as if the disk were full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def set_limit(n_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))

    yield set_limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_a_full_disk_does_not_take_is_written_when_there_is_room(tmp_path, limit):
    file = AppendedFile(tmp_path / "new" / "log")
    file.write(b"first\n")
    limit(8)  # room for a part of the second record
    for record in (b"second\n", b"third\n"):
        with pytest.raises(OSError, match=r"File too large: .*log'"):
            file.write(record)
        assert file.path.read_bytes() == b"first\n"
    limit(100)
    file.write(b"fourth\n")
    file.close()
    assert file.path.read_bytes() == b"first\nsecond\nthird\nfourth\n"


def test_the_end_of_a_file_that_was_full_is_written_where_it_closes(tmp_path, limit):
    file = AppendedFile(tmp_path / "log")
    limit(0)
    with pytest.raises(OSError, match="File too large"):
        file.write(b"first\n")
    with pytest.raises(OSError, match="File too large"):
        file.close()
    file = AppendedFile(tmp_path / "log")
    with pytest.raises(OSError, match="File too large"):
        file.write(b"first\n")
    limit(100)
    file.close()
    assert file.path.read_bytes() == b"first\n"


def test_some_records_are_kept_and_the_first_ones_take_no_room(tmp_path, limit):
    path = tmp_path / "log"
    path.write_bytes(b"abc")
    limit(0)
    keep_only(path, b"abc")
    keep_only(path, b"ab")
    assert path.read_bytes() == b"ab"
    with pytest.raises(OSError, match="File too large"):
        keep_only(path, b"b")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"ab"]
    limit(100)
    keep_only(path, b"b")
    assert path.read_bytes() == b"b"
