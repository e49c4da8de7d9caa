"""Files that were cut, damaged or made to harm are refused by name and line, and take neither memory nor time."""

import gzip
import io
import json
import time
import zipfile

import numpy as np
import pytest

from sigfft.files import arrays, layers, lines, xmc
from sigfft.files.documents import DEEPEST, parsed, read_object, read_objects
from sigfft.files.label_sets import load_label_sets


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("sets.txt", "1\n2147483648\n", "line 2: label id 2147483648 is not in 0 .. 2**31 - 1"),
        ("sets.txt", f"1\n{'9' * 5000}\n", "line 2: label id 99999999999999999999... is not in"),
        ("sets.jsonl", "[1]\n[9223372036854775808]\n", "line 2: label id 9223372036854775808 is not in"),
        ("sets.jsonl", "[1]\n[-1]\n", "line 2: label id -1 is not in"),
        ("sets.jsonl", f"[{'9' * 5000}]\n", "line 1: expected a JSON list"),
        ("sets.jsonl", "[" * 100_000, "line 1: expected a JSON list"),
        ("sets.txt", "1 1 2147483648\n0\n", "the header promises 2147483648 labels; expected 1 to 2**31 - 1"),
    ],
)
def test_ids_that_there_cannot_be(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=name) as error:
        load_label_sets(path)
    assert message in str(error.value)
    assert load_label_sets(_written(tmp_path / "most.txt", "2147483647\n")) == ([[2147483647]], None)


def test_a_repeated_id_of_a_long_line_is_found_at_once(tmp_path):
    path = _written(tmp_path / "sets.txt", ",".join(map(str, [*range(100_000), 99_999])))
    begun = time.process_time()
    with pytest.raises(ValueError, match="label id 99999 is repeated"):
        load_label_sets(path)
    assert time.process_time() - begun < 5  # looking each one up among all took a minute


@pytest.mark.parametrize("content", [b"0" * 5000, b"1 1 1\n0 " + b" " * 5000, b"1 1 1" + b" " * 5000], ids=str)
@pytest.mark.parametrize("read", [load_label_sets, xmc.parse])
def test_a_line_may_not_fill_the_memory(tmp_path, monkeypatch, read, content):
    monkeypatch.setattr(lines, "LONGEST_LINE", 4096)
    path = tmp_path / "sets.txt.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=r"sets\.txt\.gz, line [12]: longer than"):
        read(path)


def test_a_bomb_of_zeros_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "_INFLATED", 1 << 16)
    np.savez_compressed(tmp_path / "bomb.npz", weight=np.zeros((1000, 100)))
    with pytest.raises(ValueError, match=r"800128, as in a zip bomb; save it by numpy\.savez"):
        layers.load_weights(tmp_path / "bomb.npz")
    np.savez_compressed(tmp_path / "weights.npz", weight=np.random.default_rng(0).normal(size=(1000, 100)))
    assert layers.load_weights(tmp_path / "weights.npz")[0].shape == (1000, 100)


def test_a_header_of_four_gigabytes_is_not_read():
    sizes = []

    class Counted(io.BytesIO):
        def read(self, size=-1):
            sizes.append(size)
            return super().read(size)

    head = b"\x93NUMPY\x02\x00" + (2**32 - 1).to_bytes(4, "little") + b"{" * 100
    with pytest.raises(ValueError, match="its header cannot be read"):
        arrays._header(Counted(head), "w.npy")
    assert 0 < sum(sizes) < 1 << 16


def test_json_that_is_not_what_was_written(tmp_path):
    assert parsed("[" * DEEPEST + "]" * DEEPEST)
    for deep in ("[" * 100_000, "[" * (DEEPEST + 2) + "]" * (DEEPEST + 2), '{"a":' * 100 + "0" + "}" * 100):
        with pytest.raises(ValueError, match="deep inside each other"):
            parsed(deep)
    for text in ('{"a": ', "[]", "3", "\xff", ""):
        with pytest.raises(ValueError, match=r"config\.json is not JSON as it was written"):
            read_object(_written(tmp_path / "config.json", text))
    good = json.dumps({"head": "a", "step": 1})
    assert read_objects(_written(tmp_path / "log", f"{good}\n{good[:5]}")) == [{"head": "a", "step": 1}]
    for bad in (good[:5], "[]", "", "[" * 100_000):
        with pytest.raises(ValueError, match="log, line 2: not a JSON object"):
            read_objects(_written(tmp_path / "log", f"{good}\n{bad}\n{good}\n"))


def test_an_archive_whose_members_are_no_arrays(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("weight.npy", b"")
    with pytest.raises(ValueError, match=r"w\.npz, weight\.npy: not a \.npy file"):
        layers.load_weights(tmp_path / "w.npz")


def _written(path, text):
    path.write_text(text, encoding="latin-1")
    return path
