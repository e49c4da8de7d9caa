"""What tables are read as: columns, labels, splits, names; and what is refused."""

import json

import pytest

from sigfft.data.raw_examples import RawOptions, inputs_in, read_examples

TEXT = "some words of a text"


def table(folder, rows, name="data.jsonl"):
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def row(split="train", labels=("cat",), **others):
    return {"split": split, "text": TEXT, "labels": list(labels) if isinstance(labels, tuple) else labels} | others


def rows(*labels, **others):
    return [row(labels=own) for own in labels] + [row("test", ("cat",)), row("dev", ("cat",))]


def sets(raw, split="train"):
    return [example.labels for example in raw.splits[split]]


def read(folder, **options):
    return read_examples(folder, RawOptions(**options))


def test_names_become_ids_by_the_alphabet(tmp_path):
    raw = read(table(tmp_path, rows(("dog", "cat"), ("emu",), ("emu", "emu"))))
    assert raw.names == ("cat", "dog", "emu")
    assert sets(raw) == [[0, 1], [2], [2]]
    assert list(raw.splits) == ["train", "dev", "test"]
    assert raw.columns.inputs == ("text",)
    assert raw.about == "text from text; 3 labels from labels; 3 train; 1 dev; 1 test"


def test_ids_are_kept_where_all_are_used_and_named_where_a_file_does(tmp_path):
    used = [row(labels=(2, 0)), row("test", (1,))]
    raw = read(table(tmp_path, used))
    assert (sets(raw), raw.names, raw.n_labels) == ([[0, 2]], None, 3)
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n")
    raw = read(tmp_path)
    assert (sets(raw), raw.names) == ([[0, 2]], ("a", "b", "c", "d"))
    (tmp_path / "labels.txt").write_text("30\n0\n7\n")
    raw = read(table(tmp_path, [row(labels=(30, 0)), row("test", (7,))]))
    assert (sets(raw), raw.names) == ([[0, 1]], ("30", "0", "7"))


def test_ids_with_gaps_are_named_by_a_tree(tmp_path):
    (tmp_path / "labels.json").write_text(
        json.dumps({"7": {"name": "cat"}, "30": {"name": "dog"}, "99": {"name": "x"}})
    )
    raw = read(table(tmp_path, [row(labels=(30, 7)), row("test", (7,))]))
    assert (sets(raw), raw.names) == ([[0, 1]], ("cat", "dog"))


def test_lists_of_names_that_are_about_other_files_are_not_asked(tmp_path):
    (tmp_path / "train.txt").write_text("1 1 2\n0 0:1\n")
    (tmp_path / "labels.txt").write_text("30\n7\n")
    raw = read(table(tmp_path, [row(labels=(30, 8)), row("test", (7,))]))
    assert (sets(raw), raw.names) == ([[1, 2]], ("7", "8", "30"))


@pytest.mark.parametrize(
    ("cells", "wanted", "names"),
    [
        (["b|a", "c, d"], [[0, 1], [2]], ("a", "b", "c, d")),
        (["b; a", "c, d"], [[0, 1], [2]], ("a", "b", "c, d")),
        (["b, a", "c"], [[0, 1], [2]], ("a", "b", "c")),
        (["['b', 'a']", '["c"]'], [[0, 1], [2]], ("a", "b", "c")),
        (["1 0", "2"], [[0, 1], [2]], None),
        (["10,9", "[100]"], [[0, 1], [2]], ("9", "10", "100")),
    ],
)
def test_labels_in_cells(tmp_path, cells, wanted, names):
    lines = [
        "split,text,labels",
        *(
            f'{s},{TEXT},"{c.replace(chr(34), chr(34) * 2)}"'
            for s, c in zip(("train", "train", "test"), [*cells, cells[0]], strict=True)
        ),
    ]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    raw = read(tmp_path)
    assert (sets(raw), raw.names) == (wanted, names)


def test_columns_of_zeros_and_ones_are_labels(tmp_path):
    (tmp_path / "train.csv").write_text(f"id,comment,rude,kind\n1,{TEXT},0,1\n2,{TEXT},0,0\n3,{TEXT},1,1\n")
    (tmp_path / "test.csv").write_text(f"id,comment,rude,kind\n4,{TEXT},1,0\n")
    raw = read(tmp_path)
    assert (sets(raw), raw.names) == ([[1], [], [0, 1]], ("rude", "kind"))
    assert "2 labels from 2 columns of 0 and 1" in raw.about


def test_texts_are_columns_of_words_that_do_not_tell_of_labels(tmp_path):
    more = {
        "id": "a b",
        "kind": "Book",
        "year": 1999,
        "abstract": None,
        "label_text": "the cat sat",
        "url": "http://x/y",
    }
    used = [row(**more | {"id": f"{i} b"}) for i in range(3)] + [
        row("test", abstract=None, id="z b", kind="Film", label_text="a dog")
    ]
    raw = read(table(tmp_path, used))
    assert raw.columns.inputs == ("text",)
    used[0]["abstract"] = "an abstract of words"
    raw = read(table(tmp_path, used))
    assert raw.columns.inputs == ("text", "abstract")
    assert [e.input for e in raw.splits["train"]] == [f"{TEXT}\nan abstract of words", TEXT, TEXT]
    assert read(tmp_path, text_columns="kind, label_text").splits["train"][0].input == "Book\nthe cat sat"
    assert read(table(tmp_path, [row(text="x"), row("test", text="y")])).columns.inputs == ("text",)


def test_without_splits_a_hash_of_the_id_tells_them(tmp_path):
    used = [{"id": i, "body": TEXT, "tags": ["a"]} for i in range(300)]
    raw = read(table(tmp_path, used))
    counts = {split: len(own) for split, own in raw.splits.items()}
    assert counts["train"] == pytest.approx(240, abs=20)
    assert counts["dev"] == pytest.approx(30, abs=15)
    assert "split by a hash of the id" in raw.about
    again = read(table(tmp_path, used[::-1]))
    assert {e.place[1] for e in raw.splits["dev"]} == {301 - e.place[1] for e in again.splits["dev"]}


def test_unlabelled_examples_are_left_out_or_kept(tmp_path):
    table(tmp_path, rows(("cat",), None, []))
    assert sets(read(tmp_path)) == [[0]]
    assert "2 without labels left out (data.keep_unlabelled=True keeps them)" in read(tmp_path).about
    assert sets(read(tmp_path, keep_unlabelled=True)) == [[0], [], []]


BAD = {
    "no column of labels in a row": (
        {"split": "train", "text": TEXT},
        ":2: there is no column labels; the columns are",
    ),
    "mixed types": (row(labels=(3,)), ":2: label 3 is an id, but others are names; give all labels as one of them"),
    "a number as text": (row(text=7), ":2: expected text in text; given 7"),
    "no text": ({"split": "train", "labels": ["cat"]}, ":2: there is no column text; the columns are split, labels"),
    "labels of another kind": (row(labels=1.5), ":2: expected a list of labels, or labels in one string; given 1.5"),
    "a label that is no label": (row(labels=("cat", None)), ":2: labels must be names, or ids from 0; given None"),
    "a negative id": (row(labels=(-1,)), ":2: labels must be names, or ids from 0; given -1"),
    "a list that is none": (
        row(labels="[cat"),
        r":2: expected a list of labels, with commas .*; given \[cat",
    ),
    "an array as NumPy prints it": (
        row(labels="['cat' 'dog']"),
        r":2: .*with commas between them; given \['cat' 'dog'\]",
    ),
    "an array in two lines": (row(labels="['cat'\n 'dog']"), r":2: .*with commas between them; given \['cat'\n"),
    "a list of what has no hash": (row(labels="[1, {[]: 2}]"), r":2: expected a list of labels"),
    "an unknown split": (row("tarin"), ":2: split must be train, dev or test; given 'tarin'"),
    "an id twice": (row(id=0), ":2: the id '0' is there twice; an example has its own"),
}


def test_rows_without_an_id_may_be_many(tmp_path):
    table(tmp_path, [row(id=None), row(id=None), row("test", id=2)])
    assert len(read(tmp_path).splits["train"]) == 2


@pytest.mark.parametrize(("bad", "complaint"), BAD.values(), ids=BAD.keys())
def test_bad_rows_are_named_by_their_line_or_skipped_and_counted(tmp_path, bad, complaint):
    table(tmp_path, [row(id=0), bad, row("test", id=2)])
    hint = r".*; mend it, or leave out such rows with data\.skip_malformed=True$"
    with pytest.raises(ValueError, match=r"data\.jsonl" + complaint + hint):
        read(tmp_path)
    raw = read(tmp_path, skip_malformed=True)
    assert (len(raw.splits["train"]), raw.faults.count) == (1, 1)
    assert "; 1 malformed rows skipped, the first " in raw.about


def test_unknown_labels_are_refused_where_a_file_lists_all(tmp_path):
    (tmp_path / "labels.txt").write_text("cat\nemu\n")
    table(tmp_path, rows(("cat",), ("dog",)))
    with pytest.raises(ValueError, match=r"data\.jsonl:2: unknown label 'dog': labels\.txt of the folder lists others"):
        read(tmp_path)
    raw = read(tmp_path, skip_malformed=True)
    assert (sets(raw), raw.names, raw.faults.count) == ([[0]], ("cat", "emu"), 1)


def test_wrong_folders(tmp_path):
    with pytest.raises(ValueError, match="holds no table of examples"):
        read(tmp_path)
    table(tmp_path, [row(), row()])
    with pytest.raises(
        ValueError, match=r"the test split of .* has no example with labels; read: text from text; 1 labels"
    ):
        read(tmp_path)
    table(tmp_path, [row()], "more.jsonl")
    with pytest.raises(ValueError, match=r"holds data\.jsonl, more\.jsonl; expected a table of each split"):
        read(tmp_path)
    (tmp_path / "more.jsonl").unlink()
    for options, complaint in [
        ({"label_column": "tags"}, "has no column 'tags'; its columns are split, text, labels"),
        ({"text_columns": "text,body"}, "has no column 'body'"),
    ]:
        with pytest.raises(ValueError, match=complaint):
            read(tmp_path, **options)
    table(tmp_path, [{"text": TEXT, "a": 1}])
    with pytest.raises(ValueError, match=r"no column of .* is named labels, and none holds lists; .*label_column"):
        read(tmp_path)
    table(tmp_path, [{"labels": [1], "a": 1}])
    with pytest.raises(ValueError, match=r"no column of .* holds texts or paths of images \(beside labels: a\)"):
        read(tmp_path)
    table(tmp_path, [])
    with pytest.raises(ValueError, match=r"data\.jsonl holds no row"):
        read(tmp_path)


def test_inputs_of_a_file_without_labels(tmp_path):
    columns = read(table(tmp_path, rows(("cat",)))).columns
    (tmp_path / "new.jsonl").write_text('{"text": "one"}\n{"text": null}\n')
    assert list(inputs_in(tmp_path / "new.jsonl", columns)) == [(1, "one"), (2, "")]
    (tmp_path / "lines").write_text("one\ntwo\n")
    assert list(inputs_in(tmp_path / "lines", columns)) == [(1, "one"), (2, "two")]
    (tmp_path / "bad.csv").write_text("title\nx\n")
    with pytest.raises(ValueError, match=r"bad\.csv:2: there is no column text; the columns are title$"):
        list(inputs_in(tmp_path / "bad.csv", columns))
