import gzip
import os
import threading

import pytest

from sigfft.files.label_sets import load_label_sets

SETS = [[1, 2], [], [0, 3]]


@pytest.mark.parametrize(
    ("name", "text", "sets", "n_labels"),
    [
        ("s.txt", "1,2\n\n0,3\n", SETS, None),
        ("s.txt", "1, 2\r\n\r\n0, 3", SETS, None),
        ("s.txt", "7\n", [[7]], None),
        ("s.txt", "", [], None),
        ("s.jsonl", "[1, 2]\n[]\n[0, 3]\n", SETS, None),
        ("s.txt", "3 2 4\n1,2 0:1.5 1:2\n 0:1\n0,3\n", SETS, 4),
        ("s.txt", "3 2 4\r\n2,1 0:1.5 x\r\n\r\n0,3\r\n", SETS, 4),  # features are not looked at
        ("s.txt", "3 0 4\n1,2\n\n0,3", SETS, 4),
        ("s.txt", "0 2 4\n", [], 4),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_formats(tmp_path, name, text, sets, n_labels, zipped):
    path = tmp_path / (name + ".gz" * zipped)
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    assert load_label_sets(path) == (sets, n_labels)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.txt", b"1,2\n1;2\n", "line 2: expected label ids separated by commas; given '1;2'"),
        ("s.txt", b"1,,2\n", "line 1"),
        ("s.txt", b"1.5\n", "line 1"),
        ("s.txt", b"1_0\n", "line 1: expected label ids separated by commas; given '1_0'"),
        ("s.txt", b"2,-1\n", "line 1: expected label ids"),
        ("s.txt", "1,２\n".encode(), "line 1: expected label ids"),
        ("s.txt", b"1,2\n2,3,2\n", r"s\.txt, line 2: label id 2 is repeated"),
        ("s.jsonl", b"[1, 1]\n", r"s\.jsonl, line 1: label id 1 is repeated"),
        ("s.txt", b"2 2 4\n1,2 0:1\n3,3 0:1\n", r"s\.txt:3: label id 3 is repeated"),
        ("s.txt", b"3 2 4\n1,2 0:1\n", "ends after 1 points; the header promises 3"),
        ("s.txt", b"1 2 4\n1,2 0:1\n3 0:1\n", r"s\.txt:3: the header promises 1 points"),
        ("s.txt", b"1 2 4\n1,x 0:1\n", r"s\.txt:2: label 'x' is not an id"),
        ("s.txt", b"2 2 4\n1,2 0:1\n4 0:1\n", r"s\.txt:3: label id 4 is out of range"),
        ("s.txt", b"\xff\xfe\x00", "not text"),
        ("s.jsonl", b"[1, 2]\n[1,\n", "line 2: expected a JSON list"),
        ("s.jsonl", b"[1, true]\n", "line 1: expected a JSON list"),
        ("s.jsonl", b'{"labels": [1]}\n', "line 1: expected a JSON list"),
        ("s.txt.gz", b"1,2\n", "damaged or truncated"),
        ("s.txt.gz", gzip.compress(b"1,2\n" * 99, mtime=0)[:-9], "damaged or truncated"),
        ("s.txt.gz", gzip.compress(b"9 1 3\n" + b"1,2\n" * 9, mtime=0)[:-9], "the gzip stream breaks off"),
    ],
)
def test_damage_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_label_sets(tmp_path / name)


@pytest.mark.parametrize("text", ["1,2\n\n0,3\n", "3 2 4\n1,2 0:1.5\n 0:1\n0,3\n"])
def test_a_pipe_is_read_once(tmp_path, text):
    pipe = tmp_path / "s.txt"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_text, args=(text,), daemon=True).start()
    assert load_label_sets(pipe)[0] == SETS


def test_real_files(data_dir):
    sets, n_labels = load_label_sets(data_dir / "delicious" / "test.txt.gz")
    assert (len(sets), n_labels) == (3185, 983)
    assert max(map(len, sets)) <= 25
