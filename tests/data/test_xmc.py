import gzip
import socket

import numpy as np
import pytest

from sigfft.data import records
from sigfft.data.xmc import prepare_xmc
from sigfft.files import locks

TRAIN = "3 10 5\n0,3 2:0.5 7:-0.1\n 9:1\n4\n"
TEST = "1 10 5\n1 0:2\n"


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "train.txt").write_text(TRAIN)
    (folder / "test.txt.gz").write_bytes(gzip.compress(TEST.encode()))
    return folder


def read(builder, split):
    return {
        name: [row.tolist() for row in np.split(column.values, column.indptr[1:-1])]
        for name, column in records.read_columns(builder, split).items()
    }


def test_records_keep_the_order_of_the_file(source, tmp_path):
    builder = prepare_xmc(tmp_path / "cache", source)
    assert read(builder, "train") == {
        "labels": [[0, 3], [], [4]],
        "feature_ids": [[2, 7], [9], []],
        "feature_values": [[0.5, np.float32(-0.1)], [1.0], []],
    }
    assert read(builder, "test") == {"labels": [[1]], "feature_ids": [[0]], "feature_values": [[2.0]]}
    assert set(builder.info.splits) == {"train", "test"}
    assert (builder.info.metadata["n_labels"], builder.info.metadata["n_features"]) == (5, 10)


def test_order_holds_for_many_records(tmp_path):
    n = 3000
    (tmp_path / "train.txt").write_text(f"{n} 1 {n}\n" + "".join(f"{i} 0:{i}\n" for i in range(n)))
    (tmp_path / "test.txt").write_text(f"1 1 {n}\n0\n")
    columns = records.read_columns(prepare_xmc(tmp_path / "cache", tmp_path), "train")
    np.testing.assert_array_equal(columns["labels"].values, np.arange(n))
    np.testing.assert_array_equal(columns["feature_values"].values, np.arange(n))


def test_optional_dev_split(source, tmp_path):
    (source / "dev.txt").write_text(TEST)
    assert set(prepare_xmc(tmp_path / "cache", source).info.splits) == {"train", "dev", "test"}


def test_second_call_reads_the_cache_and_a_changed_file_does_not(source, tmp_path, monkeypatch):
    first = prepare_xmc(tmp_path / "cache", source)
    with monkeypatch.context() as patched:
        patched.setattr("sigfft.files.xmc.parse", lambda path: pytest.fail(f"parsed {path} again"))
        assert prepare_xmc(tmp_path / "cache", source).data_dir == first.data_dir
    (source / "train.txt").write_text(TRAIN.replace("0,3", "1,3"))
    assert read(prepare_xmc(tmp_path / "cache", source), "train")["labels"][0] == [1, 3]


def test_bad_input_leaves_nothing_behind(source, tmp_path):
    (source / "test.txt.gz").write_bytes(gzip.compress(b"1 10 5\n1 0:nan\n"))
    with pytest.raises(ValueError, match=r"test\.txt\.gz:2: feature '0:nan' is not [^\n]*$"):
        prepare_xmc(tmp_path / "cache", source)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
    (source / "test.txt.gz").write_bytes(gzip.compress(TEST.encode()))
    assert read(prepare_xmc(tmp_path / "cache", source), "test")["labels"] == [[1]]


def test_two_processes_may_prepare_at_once_where_there_are_no_locks(source, tmp_path, monkeypatch):
    parse = records.tfds.core.GeneratorBasedBuilder.download_and_prepare

    def overtaken(builder, **options):
        monkeypatch.undo()
        prepare_xmc(tmp_path / "cache", source)  # the other process is done first
        parse(builder, **options)
        raise OSError("Directory not empty")  # what the rename of the slower one says

    def no_locks(*_):
        raise OSError("No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    monkeypatch.setattr(records.tfds.core.GeneratorBasedBuilder, "download_and_prepare", overtaken)
    assert read(prepare_xmc(tmp_path / "cache", source), "test")["labels"] == [[1]]


def test_what_killed_processes_left_is_removed_and_what_others_write_is_not(source, tmp_path):
    kind = tmp_path / "cache" / "xmc"
    for config in ("killed", "alive"):
        (kind / config / "incomplete.ABC123_1.0.0").mkdir(parents=True)
        (kind / config / "incomplete.ABC123_1.0.0" / "xmc-train.array_record").write_text("half")
    (kind / "killed.lock").write_text('{"host": "", "pid": 1}'.replace('""', f'"{socket.gethostname()}"'))
    with locks.exclusive(kind / "alive.lock"):
        prepare_xmc(tmp_path / "cache", source)
        assert [path.parent.name for path in kind.glob("*/incomplete.*")] == ["alive"]
    prepare_xmc(tmp_path / "cache", source)
    assert not list(kind.glob("*/incomplete.*"))
    assert not list(kind.glob("*.lock"))


def test_says_nothing_and_leaves_nothing_elsewhere(source, tmp_path, capfd, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    prepare_xmc(tmp_path / "cache", source)
    assert capfd.readouterr() == ("", "")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda folder: (folder / "train.txt").unlink(), r"holds no train\.txt or train\.txt\.gz"),
        (lambda folder: (folder / "test.txt").write_text(TEST), r"holds both test\.txt and test\.txt\.gz"),
        (
            lambda folder: (folder / "dev.txt").write_text(TEST.replace("10", "11")),
            r"dev\.txt:1: the header promises 11 features and 5 labels, but train\.txt has 10 and 5",
        ),
        (lambda folder: (folder / "train.txt").write_text(""), r"train\.txt:1: the file is empty"),
    ],
    ids=["missing", "twice", "disagree", "empty"],
)
def test_bad_folders(source, tmp_path, change, complaint):
    change(source)
    with pytest.raises(ValueError, match=complaint):
        prepare_xmc(tmp_path / "cache", source)
