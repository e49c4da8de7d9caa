import csv
import gzip

import pytest

from sigfft.files.tables import Faults, is_table, read_rows


def rows(path, **options):
    return [tuple(row) for row in read_rows(path, Faults(), **options)]


def test_json_lines_and_csv_plain_and_gzipped(tmp_path):
    wanted = [(2, {"a": "é, x", "b": "1"}), (4, {"a": "two\nlines", "b": ""})]
    text = 'a,b\n"é, x",1\n"two\nlines",\n'
    for name, content in {
        "t.csv": text.encode(),
        "bom.csv": b"\xef\xbb\xbf" + text.encode(),
        "t.tsv.gz": gzip.compress(text.replace(",1", "\t1").replace("a,b", "a\tb").replace('",\n', '"\t\n').encode()),
        "semicolons.csv": text.replace("a,b", "a;b").replace('",', '";').encode(),
        "crlf.csv": text.replace("b\n", "b\r\n").replace("1\n", "1\r\n").encode(),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert rows(tmp_path / name) == wanted, name
    (tmp_path / "t.jsonl").write_text('{"a": "é", "b": [1]}\n\n{"a": null}\n')
    assert rows(tmp_path / "t.jsonl") == [(1, {"a": "é", "b": [1]}), (3, {"a": None})]
    assert [is_table(tmp_path / name) for name in ("x.csv.gz", "x.ndjson", "x.json", "x.txt", "csv")] == [
        *(True, True),
        *(False,) * 3,
    ]


def test_a_cell_may_be_long(tmp_path):
    (tmp_path / "t.csv").write_text("a\n" + "x" * 200_000 + "\n")
    assert len(rows(tmp_path / "t.csv")[0][1]["a"]) == 200_000


def test_a_first_line_may_be_long(tmp_path):
    csv.field_size_limit(131_072)  # Python's own, which another call may have raised
    (tmp_path / "stdin").write_text("word " * 40_000)
    assert len(rows(tmp_path / "stdin", only="text", known=("text",))[0][1]["text"]) >= 199_999


def test_content_tells_the_format_under_another_name(tmp_path):
    path = tmp_path / "stdin"
    options = {"only": "text", "known": ("text", "title")}
    for content, wanted in {
        '{"text": "x y"}\n': [(1, {"text": "x y"})],
        "id,text\n3,x y\n": [(2, {"id": "3", "text": "x y"})],
        "a, b\n\nc\r\n": [(1, {"text": "a, b"}), (2, {"text": ""}), (3, {"text": "c"})],
        "": [],
    }.items():
        path.write_bytes(content.encode())
        assert rows(path, **options) == wanted
    path.write_text("a, b\n")
    with pytest.raises(ValueError, match="stdin: expected JSON lines, or CSV with a header; given 'a, b"):
        rows(path)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("t.jsonl", b'{"a": 1}\n{"a": \n', r"t\.jsonl:2: not JSON: "),
        ("t.jsonl", b"[1]\n", r"t\.jsonl:1: expected a JSON object a line; given '\[1\]'; mend it$"),
        ("t.jsonl", b'{"a": "\xff"}\n', r"t\.jsonl:1: not UTF-8 text"),
        ("t.csv", b"a,b\n1,2\n3\n", r"t\.csv:3: 1 cells, the header has 2"),
        ("t.csv", b"a,b\n1,\xff\n", r"t\.csv:2: not UTF-8 text"),
        ("t.csv", b"a,a\n1,2\n", r"t\.csv:1: expected a header, with a name of its own for each column"),
        ("t.csv", b"", r"t\.csv:1: expected a header"),
        ("t.csv", b'a\n"x\n', r"t\.csv:\d: not CSV: "),
        ("t.csv.gz", gzip.compress(b"a\n1\n", mtime=0)[:-9], r"t\.csv\.gz is damaged or truncated"),
    ],
)
def test_bad_rows_are_named_or_counted(tmp_path, name, content, complaint):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=complaint):
        list(read_rows(path, Faults(hint="mend it")))
    if "cells" in complaint or "JSON" in complaint:
        faults = Faults(skip=True)
        kept = list(read_rows(path, faults))
        assert (len(kept), faults.count) == (content.count(b"\n") - 1 - name.endswith("csv"), 1)
        assert faults.first.startswith(str(path))
