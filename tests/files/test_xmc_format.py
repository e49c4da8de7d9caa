import gzip

import numpy as np
import pytest

from sigfft.files import xmc

GOOD = b"4 10 5\n3,0 7:0.5 2:-1e-1\n 9:1\n4\n\n"


def write(tmp_path, content, name="train.txt"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def rows(data):
    labels = np.split(data.label_ids, data.label_indptr[1:-1])
    ids = np.split(data.feature_ids, data.feature_indptr[1:-1])
    values = np.split(data.feature_values, data.feature_indptr[1:-1])
    return [(a.tolist(), b.tolist(), c.tolist()) for a, b, c in zip(labels, ids, values, strict=True)]


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b" 9:1", b"  9:1.  ").replace(b"-1e-1", b"-.1"),
        GOOD[:-1] + b" ",  # the last line may end with the file
        gzip.compress(GOOD),
    ],
    ids=["plain", "crlf", "spaces", "no-final-newline", "gzip"],
)
def test_parses_points_with_and_without_labels_and_features(tmp_path, content):
    data = xmc.parse(write(tmp_path, content))
    expected = [([0, 3], [2, 7], [np.float32(-0.1), 0.5]), ([], [9], [1.0]), ([4], [], []), ([], [], [])]
    assert rows(data) == expected
    assert (len(data), data.n_features, data.n_labels) == (4, 10, 5)
    assert (data.label_ids.dtype, data.feature_ids.dtype, data.feature_values.dtype) == (np.int32, np.int32, np.float32)


def test_blocks_agree_with_one_block(tmp_path):
    rng = np.random.default_rng(0)
    lines = [
        f"{','.join(map(str, rng.permutation(50)[: rng.integers(4)]))} "
        + " ".join(f"{f}:{rng.normal():.5g}" for f in rng.permutation(90)[: rng.integers(9)])
        for _ in range(200)
    ]
    path = write(tmp_path, "\n".join(["200 90 50", *lines]).encode())
    whole = rows(xmc.parse(path))
    assert len(list(xmc.stream(path, block_bytes=100))) > 10
    assert rows(xmc.parse(path, block_bytes=100)) == whole
    for line, (labels, ids, values) in zip(lines, whole, strict=True):
        head, _, tail = line.partition(" ")
        pairs = sorted((int(f), np.float32(v)) for f, v in (pair.split(":") for pair in tail.split()))
        assert labels == sorted(map(int, head.split(","))) if head else labels == []
        assert list(zip(ids, values, strict=True)) == pairs


@pytest.mark.parametrize(
    ("content", "line", "complaint"),
    [
        (b"", 1, "the file is empty"),
        (b"\n", 1, "expected the header"),
        (b"1 2\n0 1:1\n", 1, "expected the header"),
        (b"1 2 three\n0 1:1\n", 1, "expected the header"),
        (b"0 2 3\n", 1, "promises 0 points"),
        (b"1 2 0\n 1:1\n", 1, "promises 0 labels"),
        (b"1 9999999999 3\n 1:1\n", 1, "promises 9999999999 features"),
        (b"3 2 3\n0 1:1\n1 1:1\n", 3, "ends after 2 points; the header promises 3"),
        (b"1 2 3\n", 1, "ends after 0 points; the header promises 1"),
        (b"1 2 3\n0 1:1\n1 1:1\n", 3, "promises 1 points; here is another"),
        (b"2 2 3\n0 1:1\n3 1:1\n", 3, "label id 3 is out of range: the header promises 3 labels, 0 .. 2"),
        (b"2 2 3\n0 1:1\n0 0:1 2:1\n", 3, "feature id 2 is out of range"),
        (b"1 2 3\n99999999999999999999 1:1\n", 2, "label id 1000000000000000"),
        (b"2 2 3\n\n0,1,0 1:1\n", 3, "label id 0 is repeated"),
        (b"2 4 3\n\n0,1 1:1 3:1 1:2\n", 3, "feature id 1 is repeated"),
        (b"1 2 3\n-1 1:1\n", 2, "label '-1' is not an id"),
        (b"1 2 3\n1.0 1:1\n", 2, "label '1.0' is not an id"),
        (b"1 2 3\n0,,1 1:1\n", 2, "label '' is not an id"),
        (b"1 2 3\n0,a 1:1\n", 2, "label 'a' is not an id"),
        (b"1 2 3\n1:1\n", 2, "a point without labels starts with a space"),
        (b"1 2 3\n0\t1:1\n", 2, r"label '0\t1:1' is not an id"),
        (b"1 2 3\n0 1:nan\n", 2, "feature '1:nan' is not"),
        (b"1 2 3\n0 1:inf\n", 2, "feature '1:inf' is not"),
        (b"1 2 3\n0 1:1.2.3\n", 2, "feature '1:1.2.3' is not"),
        (b"1 2 3\n0 1:\n", 2, "feature '1:' is not"),
        (b"1 2 3\n0 1\n", 2, "feature '1' is not"),
        (b"1 2 3\n0 -1:1\n", 2, "feature '-1:1' is not"),
        (b"1 2 3\n0 1:0x1\n", 2, "feature '1:0x1' is not"),
        (b"2 2 3\n0 0:1 1:1\n0 1:1e39\n", 3, "value 1e+39 of feature 1 exceeds float32"),
        (b"1 2 3\n0 1:1e999\n", 2, "value inf of feature 1 exceeds float32"),
        (b"1 2 3\n0 1:1\r2 1:1\n", 2, "is not"),
        (b"1 2 3\n0 1:\xff\n", 2, r"feature '1:\xff' is not"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_bad_input_is_one_line_with_file_and_line_number(tmp_path, content, line, complaint, pack):
    path = write(tmp_path, pack(content))
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        xmc.parse(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [5, 60, -9, -1])
def test_truncated_gzip(tmp_path, cut):
    content = "300 9 9\n" + "".join(f"{i % 9} {i % 7}:0.{i}\n" for i in range(300))
    path = write(tmp_path, gzip.compress(content.encode())[:cut], "train.txt.gz")
    with pytest.raises(ValueError, match=rf"^{path}:\d+: the gzip stream breaks off after here .*; fetch it again$"):
        xmc.parse(path)


@pytest.mark.parametrize(
    ("position", "byte"),
    [(10, 0b111), (-6, 0)],  # behind the header of 10 bytes: a block of the type 3 that deflate does not have
    ids=["stream", "checksum"],
)
def test_corrupt_gzip(tmp_path, position, byte):
    packed = bytearray(gzip.compress(b"1 2 3\n0 1:1\n"))
    assert packed[position] != byte
    packed[position] = byte
    with pytest.raises(ValueError, match="the gzip stream breaks off"):
        xmc.parse(write(tmp_path, bytes(packed)))


@pytest.mark.parametrize(
    ("bad", "complaint"), [("0 7:1", "out of range"), ("0 x:1", "is not"), ("0 1:1e99", "float32")]
)
def test_line_numbers_count_on_from_block_to_block(tmp_path, bad, complaint):
    path = write(tmp_path, "\n".join(["200 7 3", *["0 1:1"] * 150, bad, *["0 1:1"] * 49]).encode())
    with pytest.raises(ValueError, match=rf"{path}:152: .*{complaint}"):
        xmc.parse(path, block_bytes=64)


def test_bibtex(data_dir):
    data = xmc.parse(data_dir / "bibtex" / "train.txt.gz")
    assert (len(data), data.n_features, data.n_labels) == (4880, 1836, 159)
    assert len(data.label_ids) / len(data) == pytest.approx(2.40, abs=0.02)
    assert data.label_ids[: data.label_indptr[1]].tolist() == [3, 23, 61, 63, 76]
    assert set(data.feature_values.tolist()) == {1.0}
