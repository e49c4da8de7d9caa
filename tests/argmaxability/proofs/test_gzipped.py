import gzip

import numpy as np
import pytest

import sigfft

WEIGHT = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def report():
    return sigfft.check(WEIGHT, [[0], [1, 2], [3, 4, 5, 6]])


def test_gzipped_verdicts_are_the_plain_ones(report, tmp_path):
    plain, zipped, again = (tmp_path / name for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl.gz"))
    for path in (plain, zipped, again):
        report.save(path)
    assert gzip.decompress(zipped.read_bytes()) == plain.read_bytes()
    assert zipped.read_bytes() == again.read_bytes()
    assert zipped.read_bytes()[4:8] == bytes(4)  # no time
    assert sigfft.verify(zipped, WEIGHT) == sigfft.verify(plain, WEIGHT)
    assert type(report).load(zipped).to_dicts() == report.to_dicts()


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b[:-4] + b"\0\0\0\1", lambda b: b"plain" + b])
def test_a_damaged_gzip_file_is_one_line(report, tmp_path, damage):
    path = tmp_path / "verdicts.jsonl.gz"
    report.save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"verdicts.jsonl.gz: the gzip stream is damaged or breaks off") as caught:
        sigfft.verify(path, WEIGHT)
    assert "\n" not in str(caught.value)
